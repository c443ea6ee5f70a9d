/* What consumer.c (the owner's side) and consumer_thread.c share. */
#ifndef CELERYC_AMQP_CONSUMER_STATE_H
#define CELERYC_AMQP_CONSUMER_STATE_H

#include "celeryc/amqp/connection.h"
#include "celeryc/amqp/consumer.h"
#include "celeryc/amqp/content.h"
#include "celeryc/amqp/owned_thread.h"
#include "celeryc/amqp/settlement.h"

#define CONSUMER_PREFETCH_MOST 65535   /* AMQP's field has 16 bits */
#define CONSUMER_EVENTS_MOST 65536     /* events not taken, above which nothing is read from the broker */
#define CONSUMER_BYTES_MOST (64 << 20) /* the same in bytes of bodies */

struct settling {
    uint32_t epoch;
    enum settlement how;
    uint64_t tag;
};

struct settlings {
    struct settling *items;
    size_t count, capacity;
};

enum order_kind { ORDER_ADD, ORDER_CANCEL, ORDER_PREFETCH };

/* What the owner wants; taken by the thread. */
struct order {
    enum order_kind kind;
    struct queue_spec *spec;    /* ADD */
    char *queue;                /* CANCEL */
    unsigned prefetch, waiting; /* PREFETCH */
    struct order *next;
};

/* A queue that is to be consumed from. */
struct subscription {
    struct queue_spec *spec;
    char tag[256]; /* a consumer tag has 255 bytes at most */
    bool active;
    /* Where the broker counts by consumer: of the tag that is consumed under now. */
    uint32_t number;  /* in the book: which deliveries are its own */
    unsigned count;   /* how many it may have unsettled; 0: any number */
    size_t unsettled; /* and how many it has */
    bool cancelled;   /* by the owner; kept until the broker has no deliveries of it under way */
    bool barred;      /* consuming was refused: not before the next connection */
    bool banned;      /* the broker closed the connection over it: never again */
    unsigned failures;
    double retry_at;   /* clock_monotonic() */
    char refusal[256]; /* the reason reported last, so that it is reported once */
    struct subscription *next;
};

struct consumer {
    struct connection connection;
    struct owned_thread thread;
    size_t message_limit;
    int event_fd;

    struct settlings unflushed; /* the owner's alone */

    pthread_mutex_t mutex; /* guards the next group */
    struct consumer_event *first, *last;
    size_t event_count, event_bytes;
    bool paused; /* the thread does not read until events are taken */
    struct order *orders, *last_order;
    struct settlings flushed;

    /* the thread's alone */
    struct subscription *subscriptions;
    unsigned prefetch, waiting; /* see consumer_set_prefetch() */
    bool prefetch_global;
    double renew_at; /* clock_monotonic() before which no queue is consumed from anew */
    uint32_t epoch;
    amqp_channel_t channel; /* 0: none is open */
    unsigned channel_failures;
    double channel_opened_at, retry_at;
    unsigned tags_made;
    struct settlement_book book;
    struct settlings taken;
    struct content_assembly assembly;
    struct consumer_event *arriving; /* the delivery that is assembled */
    bool arriving_no_ack;
    uint32_t arriving_consumer; /* the subscription's number; 0: of one that is consumed from no more */
    struct consumer_event *batch, *batch_last; /* not yet shown to the owner */
    size_t batch_count, batch_bytes;
};

void consumer_run(void *context);     /* the thread */
void consumer_dispose(void *context); /* frees everything; the thread has ended */

/* ---- consumer_thread.c ---- */
/* Events are collected in a batch, which the owner is shown at the end of each turn. */
struct consumer_event *consumer_make_event(struct consumer *consumer, enum consumer_event_kind kind);
void consumer_add_event(struct consumer *consumer, struct consumer_event *event);
void consumer_report(struct consumer *consumer, enum consumer_event_kind kind, const char *queue,
                     const char *reason);
/* The epoch is over; a new channel, or connection, is opened when its time has come. */
void consumer_lose_channel(struct consumer *consumer, const struct error *reason);
void consumer_lose_connection(struct consumer *consumer, const struct error *reason);
bool consumer_send_prefetch(struct consumer *consumer);
bool consumer_counts_globally(const struct consumer *consumer);

/* ---- consumer_queues.c ---- */
void consumer_take_orders(struct consumer *consumer);
bool consumer_has_orders(struct consumer *consumer);
/* Declares and consumes what is not consumed yet and whose time has come. False when the channel or
 * connection was lost in it. */
bool consumer_subscribe_due(struct consumer *consumer);
bool consumer_is_wanted(const struct subscription *subscription);
/* Whether the counts of the queues' consumers are not what they should be, see consumer_set_prefetch(); and
 * consuming anew from those queues, when its time has come. False: channel or connection was lost in it. */
bool consumer_wants_renewal(const struct consumer *consumer);
bool consumer_renew_due(struct consumer *consumer);
/* Frees those that the owner cancelled, and (`tag` not NULL) the broker has answered it for this tag. */
void consumer_remove_cancelled(struct consumer *consumer, const amqp_bytes_t *tag);

/* ---- consumer_deliveries.c ---- */
/* Writes what is to be settled while the socket takes it. False: the connection is lost. */
bool consumer_write_settlings(struct consumer *consumer);
void consumer_read_frames(struct consumer *consumer);
void consumer_settle(struct consumer *consumer, uint64_t tag, enum settlement how);

#endif
