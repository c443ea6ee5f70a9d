/* Publishing: a thread that owns one connection; many threads may hand it messages.
 *
 * With confirms: every message is mandatory, its fate is known, and a message is never given up in silence.
 * Messages of all callers in flight are written together and confirmed together (group commit). On a lost
 * connection what was not confirmed is published again (at least once) until its deadline. A message at which
 * the broker closes the channel (its exchange does not exist, its expiration is no number) fails by itself;
 * the others are published again. At most 1 MiB (or one message) is unconfirmed on the wire.
 *
 * Without confirms (events, replies): at most once, `capacity` messages are held while there is no
 * connection, the oldest are dropped and counted.
 *
 * All functions may be called by any thread; publisher_free() by one, once, when no other call is still to
 * come. */
#ifndef CELERYC_AMQP_PUBLISHER_H
#define CELERYC_AMQP_PUBLISHER_H

#include "celeryc/amqp/broker.h"
#include "celeryc/amqp/topology.h"
#include "celeryc/message/properties.h"

struct publisher;
struct publishing;

enum publish_outcome {
    PUBLISH_CONFIRMED, /* without confirms: written to the socket */
    PUBLISH_RETURNED,  /* no queue took it (mandatory); `reason` has the broker's words */
    PUBLISH_REFUSED,   /* nacked (a full queue), its exchange does not exist, or dropped (without confirms) */
    PUBLISH_EXPIRED,   /* the deadline passed before the confirm: it may or may not have been published */
    PUBLISH_STOPPED,   /* the publisher was freed before */
};

/* Called once for each message, on the publisher's thread (it must not wait), or on the thread that is in
 * publisher_send() (a dropped message) or publisher_free(). `reason` is NULL when confirmed, and valid during
 * the call. */
typedef void publish_done(void *context, enum publish_outcome outcome, const char *reason);

struct publisher_options {
    struct broker_options broker;
    bool confirm;
    size_t capacity; /* messages held at most, 0: 100,000; with confirms a full publisher refuses
                        (ERROR_LIMIT) */
};

struct publisher *publisher_new(const struct publisher_options *options, struct error *error);
/* Waits `timeout` seconds at most for what is held to be confirmed (without confirms: written). NULL is
 * allowed. */
void publisher_free(struct publisher *publisher, double timeout);

/* Declares now and at each connecting, before anything is published: exchange (unless ""), queue (unless name
 * is NULL) and binding. Celery's clients declare their task queues. The same again declares it once more (it
 * may have been deleted), and is kept once. A refusal is logged. */
void publisher_declare(struct publisher *publisher, const struct queue_spec *spec);

/* Hands over a message; its contents are taken (the struct is cleared) on success, and no other thread may
 * use its headers any more. `deadline` is on clock_monotonic(), 0 none. `done` may be NULL. Never waits for
 * the broker. ERROR_INVALID: it does not fit the wire; ERROR_LIMIT: neither, by its size, or full;
 * ERROR_CANCELLED: stopping. */
bool publisher_send(struct publisher *publisher, struct wire_message *take, double deadline,
                    publish_done *done, void *context, struct error *error);

/* The same, and waits for the outcome, `timeout` seconds at most: true when confirmed. ERROR_TIMEOUT,
 * ERROR_UNAVAILABLE (not connected when the time was over; with the reason), ERROR_NOT_FOUND (returned),
 * ERROR_LIMIT (refused). */
bool publisher_publish(struct publisher *publisher, struct wire_message *take, double timeout,
                       struct error *error);
/* The two halves of it, so that many messages may be under way before the first is waited for. NULL: it was
 * not handed over, and `take` is the caller's still. Each one begun is awaited, once; that frees it. */
struct publishing *publisher_begin(struct publisher *publisher, struct wire_message *take, double timeout,
                                   struct error *error);
bool publisher_await(struct publisher *publisher, struct publishing *publishing, struct error *error);

/* Whether there is a connection now; false fills `error` with the last reason. For health checks. */
bool publisher_is_connected(struct publisher *publisher, struct error *error);

uint64_t publisher_dropped(struct publisher *publisher); /* messages dropped so far, without confirms */

#endif
