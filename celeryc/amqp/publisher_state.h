/* What publisher.c (the callers' side) and publisher_thread.c share.
 *
 * A message is in one of two lists, in the order it came in: `waiting`, or `sent` (on the wire, its confirm
 * outstanding). Both lists, and each message's `done`, are guarded by the mutex; only the thread moves and
 * frees messages, and it does not hold the mutex while it talks to the broker or calls back. */
#ifndef CELERYC_AMQP_PUBLISHER_STATE_H
#define CELERYC_AMQP_PUBLISHER_STATE_H

#include "celeryc/amqp/connection.h"
#include "celeryc/amqp/content.h"
#include "celeryc/amqp/owned_thread.h"
#include "celeryc/amqp/publisher.h"

/* Unconfirmed on the wire at most. So few bytes fit into the sockets' buffers, so that a broker that has
 * stopped reading does not stop this thread, too (a single larger message may). */
#define PUBLISHER_SENT_MOST 2048
#define PUBLISHER_BYTES_MOST (1 << 20)

struct outgoing {
    struct wire_message message;
    double deadline;
    publish_done *done; /* NULL: nobody wants to know any more */
    void *context;
    uint64_t tag; /* sent: the channel's number for it */
    bool confirmed, refused;
    bool over;      /* expired: must not be published again */
    char *returned; /* why the broker sent it back */
    struct outgoing *next;
};

struct outgoing_list {
    struct outgoing *first, *last;
    size_t count;
};

struct declaration {
    struct queue_spec *spec;
    bool done;   /* on this connection */
    bool banned; /* the broker closed the connection over it: never again */
    struct declaration *next;
};

struct known_exchange {
    char *name;
    struct known_exchange *next;
};

struct publisher {
    struct connection connection;
    struct owned_thread thread;
    bool confirm;
    size_t capacity;

    pthread_mutex_t mutex; /* guards the next group */
    struct outgoing_list waiting, sent;
    size_t sent_bytes;
    double next_deadline; /* no message expires before; 0: none has a deadline */
    uint64_t dropped;
    struct declaration *declarations;
    bool closed; /* takes no messages any more */

    /* the thread's alone */
    amqp_channel_t channel; /* 0: none is open */
    unsigned openings, channel_failures;
    double channel_opened_at, retry_at;
    uint64_t next_tag;
    size_t careful; /* messages to publish one by one, to find the one that closes the channel */
    struct known_exchange *exchanges;
    size_t exchange_count;
    amqp_pool_t pool;
    struct content_assembly returning;
    char return_reason[320];
    bool is_returning;
    bool stalled;    /* the socket is full */
    size_t unlooked; /* bytes written since the socket was last looked at */
};

void publisher_run(void *context);     /* the thread */
void publisher_dispose(void *context); /* frees everything; the thread has ended */

/* Reports the outcome, unless that was done. Not under the mutex. */
void publisher_tell(struct publisher *publisher, struct outgoing *outgoing, enum publish_outcome outcome,
                    const char *reason);
/* The same, and frees the message, which is in no list any more. */
void publisher_finish(struct publisher *publisher, struct outgoing *outgoing, enum publish_outcome outcome,
                      const char *reason);
void outgoing_append(struct outgoing_list *list, struct outgoing *outgoing);
struct outgoing *outgoing_take_first(struct outgoing_list *list); /* NULL when empty */

size_t outgoing_wire_size(const struct outgoing *outgoing); /* about what it takes on the wire */

/* ---- publisher_thread.c ---- */
/* Of messages that left `sent`: tells each outcome, and frees. */
void publisher_finish_settled(struct publisher *publisher, struct outgoing_list *list);
/* What was sent goes back to be sent again, but for what the broker's `reason` blames. */
void publisher_lose_channel(struct publisher *publisher, const struct error *reason);
void publisher_lose_connection(struct publisher *publisher, const struct error *reason);

/* ---- publisher_write.c ---- */
/* What waits and may go, in as few packets as it takes. False: the connection is lost. */
bool publisher_write_messages(struct publisher *publisher);
bool publisher_may_send(
    const struct publisher *publisher); /* under the mutex: whether a message may go now */
void publisher_forget_exchanges(struct publisher *publisher);

/* ---- publisher_confirms.c ---- */
void publisher_read_frames(struct publisher *publisher);

#endif
