# Debian 13's RabbitMQ, with the paths, port, user and variables of rabbitmq:4-management.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends rabbitmq-server \
    && rabbitmq-plugins enable --offline rabbitmq_management && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/* \
    && mkdir -p /etc/rabbitmq/conf.d && chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /etc/rabbitmq
COPY rabbitmq-entrypoint /usr/local/bin/
ENV HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
VOLUME /var/lib/rabbitmq
EXPOSE 5672 15672
USER rabbitmq
ENTRYPOINT ["rabbitmq-entrypoint"]
CMD ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
