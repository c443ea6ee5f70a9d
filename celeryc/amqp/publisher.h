/* Publishing: a thread that owns one connection; many threads may hand it messages.
 *
 * With confirms: every message is mandatory, its fate is known, and a message is never given up in silence.
 * Messages of all callers in flight are written together and confirmed together (group commit). On a lost
 * connection what was not confirmed is published again (at least once) until its deadline. Without confirms
 * (events, replies): at most once, `capacity` messages are held while there is no connection, the oldest are
 * dropped and counted. */
#ifndef CELERYC_AMQP_PUBLISHER_H
#define CELERYC_AMQP_PUBLISHER_H

#include "celeryc/amqp/broker.h"
#include "celeryc/amqp/topology.h"
#include "celeryc/message/properties.h"

struct publisher;

enum publish_outcome {
    PUBLISH_CONFIRMED,
    PUBLISH_RETURNED, /* no queue took it (mandatory); `reason` has the broker's words */
    PUBLISH_REFUSED,  /* nacked (a queue that is full), or the exchange does not exist */
    PUBLISH_EXPIRED, /* the deadline passed before the broker confirmed: it may or may not have been published
                      */
    PUBLISH_STOPPED, /* the publisher was freed before */
};

/* Called once for each message, on the publisher's thread (it must not wait), or on the caller's in
 * publisher_free(). */
typedef void publish_done(void *context, enum publish_outcome outcome, const char *reason);

struct publisher_options {
    struct broker_options broker;
    bool confirm;
    size_t capacity; /* messages held at most; with confirms a full publisher refuses (ERROR_LIMIT). 0:
                        100,000 */
};

struct publisher *publisher_new(const struct publisher_options *options, struct error *error);
void publisher_free(struct publisher *publisher,
                    double timeout); /* waits that long at most for confirms in flight */

/* Declares at each connecting: exchange (unless ""), queue (unless name is NULL) and binding. */
void publisher_declare(struct publisher *publisher, const struct queue_spec *spec);

/* Hands over a message; its contents are taken (the struct is cleared) on success. `deadline` is on
 * clock_monotonic(), 0 none. `done` may be NULL. Thread-safe, never waits for the broker. ERROR_LIMIT when
 * full, ERROR_CANCELLED when stopping. */
bool publisher_send(struct publisher *publisher, struct wire_message *take, double deadline,
                    publish_done *done, void *context, struct error *error);

/* The same, and waits for the outcome: true when confirmed; ERROR_TIMEOUT, ERROR_UNAVAILABLE (not connected
 * until the deadline; with the reason), ERROR_NOT_FOUND (returned), ERROR_LIMIT (refused). Thread-safe. */
bool publisher_publish(struct publisher *publisher, struct wire_message *take, double timeout,
                       struct error *error);

/* Whether there is a connection now; false fills `error` with the last reason. For health checks.
 * Thread-safe. */
bool publisher_is_connected(struct publisher *publisher, struct error *error);

/* Makes all that is held visible to the thread at once (a batch of sends may be corked: publisher_send()
 * wakes the thread itself only when it sleeps). Counters: messages dropped so far. */
uint64_t publisher_dropped(struct publisher *publisher);

#endif
