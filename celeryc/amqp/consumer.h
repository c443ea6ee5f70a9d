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
    CONSUMER_CONNECTED, /* a channel is open and everything is consumed from; `epoch` is the new one */
    CONSUMER_LOST, /* the channel or connection is gone; deliveries of `epoch` cannot be settled any more */
    CONSUMER_DELIVERY,        /* `message` and the delivery's fields */
    CONSUMER_QUEUE_READY,     /* `queue` (added by consumer_add) is consumed from now */
    CONSUMER_QUEUE_CANCELLED, /* `queue` was cancelled as asked by consumer_cancel */
    CONSUMER_QUEUE_REFUSED,   /* the broker refused to declare or consume `queue`; `reason` has its words */
};

struct consumer_event {
    enum consumer_event_kind kind;
    uint32_t epoch;
    uint64_t tag; /* delivery tag */
    bool redelivered;
    char *queue;                 /* owned; name of the queue (deliveries: NULL, see consumer_tag) */
    char *consumer_tag;          /* owned; deliveries */
    char *reason;                /* owned; one sentence */
    struct wire_message message; /* owned; deliveries */
    struct consumer_event *next;
};

struct consumer_options {
    struct broker_options broker;
    unsigned prefetch;    /* count, 0 unlimited */
    bool prefetch_global; /* basic.qos global=true, as Celery on RabbitMQ 3.x; ignored (false) on 4.0 and
                             later */
    size_t message_limit; /* bytes; a larger body is rejected without requeue, unread into memory, and logged.
                             0: 128 MiB */
};

struct consumer *consumer_new(const struct consumer_options *options,
                              struct error *error); /* starts the thread */
/* Closes: settles what was queued (waits `timeout` seconds at most for the broker), cancels, closes, joins
 * the thread. A broker that does not answer is cut off. What was not taken is freed. */
void consumer_free(struct consumer *consumer, double timeout);

int consumer_fd(const struct consumer *consumer);
/* Everything that came, in order, as a list; NULL when there is nothing. Each is ended by
 * consumer_event_free(). */
struct consumer_event *consumer_take(struct consumer *consumer);
void consumer_event_free(struct consumer_event *event);

void consumer_add(struct consumer *consumer, const struct queue_spec *spec);
void consumer_cancel(struct consumer *consumer,
                     const char *queue); /* stops consuming; held deliveries stay valid */
void consumer_set_prefetch(struct consumer *consumer, unsigned prefetch);
void consumer_ack(struct consumer *consumer, uint32_t epoch, uint64_t tag);
void consumer_reject(struct consumer *consumer, uint32_t epoch, uint64_t tag, bool requeue);
/* After a batch of ack/reject calls: wakes the thread once. Settlings without a flush go out with the next
 * one. */
void consumer_flush(struct consumer *consumer);

/* What `inspect stats` tells of the connection:
 * {"hostname","userid","virtual_host","port","heartbeat","transport",..., "connected"}, and the server's
 * version; a new object. */
json_t *consumer_describe(struct consumer *consumer);

#endif
