/* Consuming: a thread that owns one connection and keeps it, its channel, queues and consumers alive.
 *
 * The owner (one thread: the worker's event loop) tells it what to consume and takes what came. Nothing here
 * waits for the broker, but for consumer_free(). What came is announced on consumer_fd(), an eventfd that is
 * readable while there is something to take.
 *
 * Epochs: each opening of a channel is a new epoch. A delivery is settled by (epoch, tag); settling one of an
 * older epoch does nothing, since the broker has requeued it. When the connection breaks, the broker closes
 * the channel (406 after consumer_timeout), or cancels a consumer, the thread reports it, opens anew (with
 * backoff) and consumes what it was told to. Settlings are joined: all that are there go out together,
 * contiguous acks as one multiple ack. */
#ifndef CELERYC_AMQP_CONSUMER_H
#define CELERYC_AMQP_CONSUMER_H

#include "celeryc/amqp/broker.h"
#include "celeryc/amqp/topology.h"
#include "celeryc/message/properties.h"

#include <stdint.h>

struct consumer;

enum consumer_event_kind {
    CONSUMER_CONNECTED,   /* a channel is open, and all queues are consumed from or refused; `epoch` is new */
    CONSUMER_LOST,        /* the channel is gone, `reason` says why; what came in `epoch` cannot be settled */
    CONSUMER_DELIVERY,    /* `message` and the delivery's fields */
    CONSUMER_QUEUE_READY, /* `queue` is consumed from; once in each epoch, before CONNECTED or after
                             consumer_add */
    CONSUMER_QUEUE_CANCELLED, /* `queue` was cancelled as asked by consumer_cancel */
    CONSUMER_QUEUE_REFUSED, /* the broker refused `queue`, `reason` has its words; tried again, reported once
                             */
};

struct consumer_event { /* all pointers are owned */
    enum consumer_event_kind kind;
    uint32_t epoch;
    uint64_t tag; /* delivery tag */
    bool redelivered;
    char *queue;                 /* its name; NULL in a delivery that crossed the end of its consumer */
    char *consumer_tag;          /* deliveries */
    char *reason;                /* one sentence */
    struct wire_message message; /* deliveries; the body has a NUL behind it */
    struct consumer_event *next;
};

struct consumer_options {
    struct broker_options broker;
    unsigned prefetch; /* count, 0 unlimited, 65535 at most; see consumer_set_prefetch() */
    /* basic.qos global=true, as Celery on RabbitMQ 3.x. False on 4.0 and later, and as soon as a quorum queue
     * is consumed from, since RabbitMQ allows neither. */
    bool prefetch_global;
    size_t message_limit; /* bytes; a larger body is rejected without requeue and never held. 0: 128 MiB */
};

struct consumer *consumer_new(const struct consumer_options *options,
                              struct error *error); /* starts the thread */
/* Settles what was queued (waits `timeout` seconds at most for the broker), closes, joins the thread. A
 * broker that does not answer is cut off. What was not taken is freed. NULL is allowed. */
void consumer_free(struct consumer *consumer, double timeout);

/* ---- what came ---- */

int consumer_fd(const struct consumer *consumer);
/* Everything that came, in order, as a list; NULL when there is nothing. Each is ended by
 * consumer_event_free(). While more than 65536 events or 64 MiB wait to be taken, nothing is read from the
 * broker. */
struct consumer_event *consumer_take(struct consumer *consumer);
void consumer_event_free(struct consumer_event *event);

/* ---- what to consume ---- */

void consumer_add(struct consumer *consumer, const struct queue_spec *spec);
/* Stops consuming; held deliveries can still be settled. */
void consumer_cancel(struct consumer *consumer, const char *queue);
/* How many deliveries may be unsettled at once, and how many of those that are shall not count, since they
 * merely wait for their time. With global prefetch the sum is told to the broker. Where it counts by
 * consumer, the count of one that runs cannot be changed, and what waits keeps it from getting more: then the
 * queue is consumed from anew under another tag (ten times a second at most). What was delivered stays valid;
 * until it is settled up to twice as many may be held as were asked for. */
void consumer_set_prefetch(struct consumer *consumer, unsigned prefetch, unsigned waiting);

/* ---- settling ---- */

/* Settling twice, or what was never delivered, does nothing. Nothing moves before consumer_flush(). */
void consumer_ack(struct consumer *consumer, uint32_t epoch, uint64_t tag);
void consumer_reject(struct consumer *consumer, uint32_t epoch, uint64_t tag, bool requeue);
void consumer_flush(struct consumer *consumer); /* after a batch of them: wakes the thread once */

/* What `inspect stats` tells of the connection: {"hostname", "userid", "virtual_host", "port", "heartbeat",
 * "transport", ..., "connected", "server_version"}; a new object. Any thread. */
json_t *consumer_describe(struct consumer *consumer);

#endif
