ARG BASE
FROM ${BASE}
COPY mc /usr/bin/
ENTRYPOINT ["mc"]
