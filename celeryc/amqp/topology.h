/* Exchanges, queues and bindings: what a queue is declared with, and how. */
#ifndef CELERYC_AMQP_TOPOLOGY_H
#define CELERYC_AMQP_TOPOLOGY_H

#include "common/error.h"

#include <jansson.h>

/* A queue to declare and consume. The functions that take one copy all text. */
struct queue_spec {
    const char *name; /* NULL: no queue, only the exchange (publisher_declare) */
    const char
        *exchange; /* NULL: as name, direct (Celery's default). "" : the default exchange, no binding */
    const char *exchange_type; /* "direct", "fanout", "topic"; NULL: direct */
    const char *routing_key;   /* NULL: as name */
    bool durable, exclusive, auto_delete, no_ack;
    bool exchange_durable, exchange_auto_delete;
    json_t
        *arguments; /* object of queue arguments or NULL (borrowed; copied); x-max-priority, x-expires, ... */
    const char *consumer_tag; /* NULL: made up, unique */
};

/* Whether its names fit the wire (255 bytes) and its arguments are an object; ERROR_INVALID. */
bool queue_spec_check(const struct queue_spec *spec, struct error *error);

/* A copy on the heap with its NULLs filled in; NULL when memory is out. */
struct queue_spec *queue_spec_copy(const struct queue_spec *spec);
void queue_spec_free(struct queue_spec *spec); /* of queue_spec_copy(); NULL is allowed */

/* Whether two that queue_spec_copy() made declare the same. */
bool queue_spec_equal(const struct queue_spec *one, const struct queue_spec *other);

/* Whether it asks for a quorum queue, which RabbitMQ refuses to consume from under a global prefetch. */
bool queue_spec_is_quorum(const struct queue_spec *spec);

#endif
