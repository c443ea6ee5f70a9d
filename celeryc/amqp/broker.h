/* What every connection to the broker needs to know. All text is copied by whoever takes the options. */
#ifndef CELERYC_AMQP_BROKER_H
#define CELERYC_AMQP_BROKER_H

#include "common/error.h"

struct broker_options {
    /* amqp:// or amqps://, several separated by ';': tried in turn (broker_failover_strategy round-robin).
     * What a URL leaves out is guest, guest, localhost, 5672 (5671) and the virtual host "/". */
    const char *urls;
    const char *purpose;    /* RabbitMQ's name for the connection: "celeryc worker@host: consume" */
    double connect_timeout; /* seconds for TCP, TLS and login together; 0: 4, as Celery has it */
    int heartbeat;          /* seconds, 0 none; a peer silent for two of them is lost */
    /* Seconds between attempts: `retry_first`, plus `retry_step` each time, `retry_most` at most, each a
     * quarter more or less. All 0: kombu's 2, 2, 30. The first attempt after a connection that lasted is made
     * at once. */
    double retry_first, retry_step, retry_most;
    const char *ca_file; /* PEM, for amqps://; NULL: the system's authorities */
};

/* Checks the URLs without connecting; ERROR_INVALID names what is wrong, never a password. Thread-safe. */
bool broker_options_check(const struct broker_options *options, struct error *error);

#endif
