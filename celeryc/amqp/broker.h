/* What every connection to the broker needs to know. The strings are borrowed and must outlive the
 * connection. */
#ifndef CELERYC_AMQP_BROKER_H
#define CELERYC_AMQP_BROKER_H

#include "common/error.h"

struct broker_options {
    const char
        *urls; /* amqp:// or amqps://, several separated by ';': tried in turn (broker_failover_strategy) */
    const char *purpose;    /* what RabbitMQ's page calls the connection: "celeryc worker@host: consume" */
    double connect_timeout; /* seconds for TCP, TLS and login together; 4 as in Celery */
    int heartbeat;          /* seconds, 0 none; a peer silent for two of them is lost */
    double retry_first, retry_step,
        retry_most;      /* seconds between attempts: first, plus step each time, at most most
                            (kombu: 2, 2, 30; tests use less). All 0: kombu's, with jitter */
    const char *ca_file; /* for amqps://, NULL: the system's */
};

/* Checks the URLs without connecting; ERROR_INVALID names what is wrong, never a password. */
bool broker_options_check(const struct broker_options *options, struct error *error);

#endif
