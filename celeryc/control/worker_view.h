/* What remote control sees of the worker and may do to it: the worker's parent process implements this table,
 * and the commands in this room know nothing else of it. All is called on the event loop's thread, from
 * mailbox_turn(); nothing may wait. JSON that is returned is a new reference (NULL: memory is out). */
#ifndef CELERYC_CONTROL_WORKER_VIEW_H
#define CELERYC_CONTROL_WORKER_VIEW_H

#include "celeryc/amqp/topology.h"
#include "celeryc/events/dispatcher.h"
#include "celeryc/worker/request.h"

typedef void request_visitor(void *visitor, const struct request *request);
typedef void queue_visitor(void *visitor, const struct queue_spec *queue);

struct gossip; /* gossip.h */

struct control_worker {
    void *context; /* the first argument of every function below */

    /* ---- what it is; must outlive the mailbox ---- */
    const char *app;                 /* the application's name */
    const char *version;             /* the program's */
    const char *hostname;            /* the node's name: "celery@host" */
    const char *transport, *results; /* for the report: "amqp", and the result backend without its password */
    const struct celery_task_type *types; /* ended by one without a name */
    struct lamport_clock *clock;
    struct events *events; /* or NULL: there are none */
    struct gossip *gossip; /* or NULL: it does not listen to its neighbours */
    double started;        /* clock_monotonic() when the worker started */

    /* ---- what it does now ---- */
    /* Every request that is not REQUEST_DONE. The state tells `active` (RUNNING, SETTLING), `scheduled`
     * (WAITING with an ETA) and `reserved` (the rest). */
    void (*each_request)(void *context, request_visitor *visit, void *visitor);
    const struct request *(*find_request)(void *context, const char *id);   /* NULL: not here */
    void (*each_queue)(void *context, queue_visitor *visit, void *visitor); /* that is consumed from */
    json_t *(*totals)(
        void *context); /* {"demo.add": 3}: accepted since the start, by task (state.total_count) */
    uint64_t (*processed)(void *context); /* the sum of them */
    size_t (*active)(void *context);      /* how many run */
    unsigned (*prefetch_count)(void *context);
    json_t *(*pool)(void *context);   /* pool_describe() */
    json_t *(*broker)(void *context); /* consumer_describe() of the task queues' connection */
    /* Seconds by which the parent's event loop was late at worst since the start. */
    double (*timer_lag)(void *context);
    /* {"broker_url": "amqp://guest:**@...", "task_acks_late": ...}: settings that are not at their default
     * (or all), by Celery's names where it has one; no secret. */
    json_t *(*configuration)(void *context, bool with_defaults);
    json_t *(*revoked)(void *context);    /* array of the ids that are revoked, the oldest first */
    json_t *(*autoscaler)(void *context); /* {"max", "min", "current", "qty"}; NULL: no autoscaling */
    /* What holds for a task now, whatever its type was declared with. */
    const char *(*rate_limit)(void *context, const struct celery_task_type *type); /* NULL: none */
    void (*time_limits)(void *context, const struct celery_task_type *type, double *soft, double *hard);

    /* ---- what it is told to do ---- */
    /* Ends as by SIGTERM (warm shutdown). */
    void (*shutdown)(void *context);
    /* From now on the task is not run here; what waits here is disposed of as revoked when its turn comes. */
    void (*revoke)(void *context, const char *id);
    /* Stores REVOKED at once for a task that does not run here, unless it has begun or ended elsewhere. */
    void (*store_revoked)(void *context, const char *id);
    /* From now on no task is run here that has this stamp (`value`: any JSON; borrowed). */
    void (*revoke_stamp)(void *context, const char *header, json_t *value);
    /* Ends a run with `signal`, once it has started where it is not running yet. False: no such request here.
     */
    bool (*terminate)(void *context, const char *id, int signal);
    /* By `by` more (or fewer, negative) children; `prefetch` follows. */
    void (*pool_grow)(void *context, int by);
    /* Changes the bounds between which the pool grows and shrinks; < 0: that one stays. Gives what they are
     * then. False: no autoscaling. */
    bool (*autoscale)(void *context, long *most, long *least);
    /* "10/s"; NULL: none. It must be a rate (rate.h). False: no such task. */
    bool (*set_rate_limit)(void *context, const char *task, const char *rate);
    /* Seconds, 0: none. Counts for all that has not begun. False: no such task. */
    bool (*set_time_limits)(void *context, const char *task, double soft, double hard);
    void (*add_queue)(void *context, const struct queue_spec *queue); /* text is copied */
    void (*cancel_queue)(void *context, const char *name);
};

#endif
