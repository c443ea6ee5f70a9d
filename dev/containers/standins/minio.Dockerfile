ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
COPY minio /usr/bin/
EXPOSE 9000 9001
ENTRYPOINT ["minio"]
