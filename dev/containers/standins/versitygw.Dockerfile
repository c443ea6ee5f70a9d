ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
COPY versitygw /usr/local/bin/
EXPOSE 9000
ENTRYPOINT ["versitygw"]
