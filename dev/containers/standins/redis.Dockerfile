# Debian 13's Redis, with the paths and port of redis:7 and, as there, open to other containers (no protected mode).
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /data && chown redis:redis /data
COPY redis-entrypoint /usr/local/bin/
VOLUME /data
WORKDIR /data
EXPOSE 6379
USER redis
ENTRYPOINT ["redis-entrypoint"]
CMD ["redis-server"]
