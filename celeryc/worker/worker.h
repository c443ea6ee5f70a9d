/* The worker's parent process: its state, and the steps that take a request through it.
 *
 *     receive.c   delivery -> struct request, or disposed of as bad
 *     admit.c     revoked? expired? ETA? rate? lease? adopted redelivery?
 *     dispatch.c  ready requests -> the pool, and what the pool says of them
 *     settle.c    stores what the parent must store, publishes retries, acknowledges; the request ends
 *
 * One libev loop on one thread; nothing on it waits. What came in a turn of the loop goes out together at its
 * end (worker_flush(), called by an ev_prepare). The broker's connections are threads of celeryc/amqp; tasks
 * run in the pool's children.
 *
 * Whose is a request: it is in `requests` from receive to settle. Its delivery is the broker's until
 * `acknowledged`. When the connection is lost, what has not begun is dropped (the broker delivers it again);
 * what runs goes on, and is adopted when it is delivered again. */
#ifndef CELERYC_WORKER_WORKER_H
#define CELERYC_WORKER_WORKER_H

#include "celeryc/amqp/consumer.h"
#include "celeryc/control/worker_view.h"
#include "celeryc/events/clock.h"
#include "celeryc/worker/confirms.h"
#include "celeryc/worker/ids.h"
#include "celeryc/worker/options.h"
#include "celeryc/worker/pool.h"
#include "celeryc/worker/registry.h"
#include "celeryc/worker/requests.h"

#include <ev.h>

struct backend_async;
struct events;
struct mailbox;
struct mingle;

enum worker_phase {
    PHASE_RUNNING,
    PHASE_WARM, /* consumes no more, finishes what runs */
    PHASE_COLD, /* running tasks are ended, what is not acknowledged goes back to the broker */
    PHASE_LAST, /* nothing runs; what was stored, published and acknowledged is on its way */
    PHASE_OVER,
};

struct worker {
    const struct celery_worker_program *program;
    struct celery_task_type *types; /* owned: its tasks and those built in */
    struct worker_options options;
    struct ev_loop *loop;
    double begun; /* clock_monotonic() at start, for `uptime` */

    struct registry registry;
    struct requests requests;
    struct id_ring *done;     /* runs that ended well here, SETTLE_DONE */
    struct id_ring *set_back; /* runs whose result could not be stored, and how often; or NULL (setback.h) */
    uint64_t total;           /* runs begun, of all tasks */

    struct consumer *consumer;
    uint32_t epoch; /* of the channel that is open, or the last one */
    bool connected;
    bool was_ready;             /* "ready" was said */
    struct queue_spec **queues; /* copies of what is consumed from */
    size_t queue_count;
    unsigned prefetch_told, waiting_told; /* what the consumer was told last */
    size_t eta_held; /* requests that wait for their ETA: they do not count against the prefetch */

    struct publisher *publisher; /* confirmed: retries */
    struct confirms *confirms;
    struct backend_async *backend; /* NULL: no result backend */
    struct fork_server *fork_server;
    struct pool *pool;
    size_t storing; /* states on their way to Redis */

    struct lamport_clock clock;
    struct publisher *teller; /* without confirms: events and replies */
    struct events *events;
    struct control_worker view; /* view.c */
    char results_shown[1024];   /* the result backend without its password */
    struct mailbox *mailbox;
    struct mingle *mingle; /* NULL: --without-mingle */
    bool mingling;         /* the neighbours may still tell what is revoked: nothing is begun yet */
    struct id_ring *revoked;
    double revoked_expires; /* seconds that an id is known for */
    bool anything_revoked;  /* most workers never look into the ring */
    json_t *revoked_stamps; /* {header: [values]}; NULL: none */

    enum worker_phase phase;
    int exit_code;
    bool restart;       /* HUP: run the program again when everything is over */
    bool pool_closing;  /* the children were told to end */
    bool children_shot; /* cold: running tasks were ended */
    ev_timer deadline;  /* of what the phase waits for */
    ev_signal signals[5];

    struct consumer_event *backlog; /* came, not looked at yet: a turn takes a bounded number */
    ev_idle more;                   /* active while there is a backlog */
    ev_io deliveries, stored, mail;
    ev_prepare before_sleep;
    ev_timer heartbeat, events_due, autoscale;
    double pulse_due;      /* clock_monotonic() when the pulse is to come; 0: not measured yet */
    double timer_lag;      /* seconds by which the latest of all pulses was late */
    double idle_since;     /* autoscaling: since when fewer children would do */
    double autoscale_keep; /* seconds of that before they are given up */
    char purposes[4][256];
};

/* ---- receive.c ---- */
void receive_event(struct worker *worker, struct consumer_event *event); /* the event stays the caller's */

/* ---- admit.c ---- */
/* A redelivery of what runs here, or has just ended here: true when it is dealt with and is no new request.
 */
bool admit_adopt(struct worker *worker, const struct task_message *message,
                 const struct consumer_event *event);
void admit(struct worker *worker, struct request *request); /* it waits, or is ready, or ends as revoked */
bool admit_is_revoked(struct worker *worker, struct request *request); /* and ended, when it is */
void admit_again(struct worker *worker, struct request *request); /* after a pause: takes its lease anew */
void admit_release(struct request *request); /* it waits for nothing any more, and holds no lease */
void admit_recheck_rate(struct worker *worker, struct registered *entry); /* its limit was changed */

/* ---- dispatch.c ---- */
extern const struct pool_events dispatch_pool_events; /* context: the worker */
void dispatch_ready(struct worker *worker);           /* as many as there is room for */

/* ---- settle.c ---- */
#define LOST_RUNS_HEADER "celeryc-lost-runs"
enum settlement {
    SETTLE_ACK,
    SETTLE_DONE, /* acknowledged, and so is a redelivery of this run: it succeeded, or goes on as its retry */
    SETTLE_REPLACED, /* acknowledged; the same run comes again as another message */
    SETTLE_REJECT,
    SETTLE_REQUEUE,
    SETTLE_RUN_AGAIN, /* after a pause (setback.h); requeued where that cannot be */
};
/* The request's end: the broker is told, the request freed. */
void settle(struct worker *worker, struct request *request, enum settlement how);
void settle_finished(struct worker *worker, struct request *request, const struct run_result *result);
void settle_lost(struct worker *worker, struct request *request, enum loss_reason reason, int status);
/* REVOKED is stored, task-revoked sent, the delivery acknowledged. */
void settle_revoked(struct worker *worker, struct request *request, const char *reason, bool terminated,
                    int signal, bool expired);
void settle_unknown(struct worker *worker, struct request *request); /* no such task: FAILURE NotRegistered */
void settle_bad_eta(struct worker *worker,
                    struct request *request); /* an ETA that is no time: FAILURE OverflowError */
void settle_give_back(struct worker *worker,
                      struct request *request); /* to the queue; or forgotten when its epoch is over */

/* ---- announce.c: events that take more than a call of events/dispatcher.h ---- */
enum announcement { ANNOUNCE_ONLINE, ANNOUNCE_HEARTBEAT, ANNOUNCE_OFFLINE };
void announce_received(struct worker *worker, const struct request *request);
void announce_worker(struct worker *worker, enum announcement what);

/* ---- consume.c: queues, prefetch, the connection's comings and goings ---- */
bool consume_start(struct worker *worker, struct error *error);
void consume_connected(struct worker *worker, uint32_t epoch);
void consume_lost(struct worker *worker, const char *reason);
void consume_update_prefetch(
    struct worker *worker); /* at the end of a turn: tells the broker when it changed */
unsigned consume_prefetch(const struct worker *worker); /* what it ought to be now */
bool consume_add(struct worker *worker, const struct queue_spec *spec, struct error *error);
void consume_cancel(struct worker *worker, const char *queue);
void consume_stop(struct worker *worker); /* cancels all queues */
void consume_clear(struct worker *worker);
struct broker_options worker_broker(const struct worker *worker,
                                    const char *purpose); /* for a connection; `purpose`
                                                             is borrowed */

/* ---- neighbours.c: what the other workers of the cluster know ---- */
bool neighbours_start(struct worker *worker, struct error *error); /* after the mailbox */
void neighbours_connected(struct worker *worker);
void neighbours_stop(struct worker *worker); /* before the mailbox */

/* ---- view.c ---- */
void view_init(struct worker *worker); /* fills worker->view */

/* ---- steer.c ---- */
void steer_init(struct control_worker *view);
void steer_expire_revoked(struct worker *worker); /* forgets ids that were revoked long ago */

/* ---- beat.c: heartbeats, autoscaling, the loop's own pulse ---- */
void beat_start(struct worker *worker);
void beat_stop(struct worker *worker);
void beat_pulse(void *worker); /* at each tick of the pool */

/* ---- shutdown.c ---- */
void shutdown_watch_signals(struct worker *worker);
void shutdown_warm(struct worker *worker, const char *why);
void shutdown_cold(struct worker *worker, const char *why);
void shutdown_advance(
    struct worker *worker); /* at the end of a turn: what the phase waits for may have come */
void shutdown_unwatch(struct worker *worker);

/* ---- worker.c ---- */
void worker_flush(struct worker *worker);

#endif
