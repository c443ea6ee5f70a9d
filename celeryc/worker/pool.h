/* The pool: child processes that run tasks, seen from the parent's event loop.
 *
 *   main --fork--> fork server --fork--> child, child, ...
 *
 * The fork server (fork_server.h) is started before any thread or connection exists; what runs in a child is
 * child.h. The parent hands requests to children over a socketpair, several short ones at once, one at a time
 * where tasks are slow or differ. A page shared with each child (page.h) tells at any moment which request
 * runs: a signal for a time limit or terminate hits exactly the request that was meant (the child claims an
 * entry before it runs it; the parent may close an entry that is not claimed, and so take it back without the
 * child's consent).
 *
 * What ended without a child is told by one: the clerk, a child beyond the wanted number that runs no tasks.
 * It is started when there is something to tell and ends when there has been nothing for a while; so nobody
 * waits for it behind a task that takes an hour. Of what it tells (request->verdict, pool_tell()) the same
 * callbacks speak, but for `started`; the request stays REQUEST_SETTLING throughout.
 *
 * Nothing here waits. All callbacks run on the loop's thread. */
#ifndef CELERYC_WORKER_POOL_H
#define CELERYC_WORKER_POOL_H

#include "celeryc/worker/request.h"

#include <ev.h>

struct pool;
struct fork_server; /* celeryc/worker/fork_server.h */

/* How a run ended, as the child says it. Text and JSON are valid during the callback only. The child has
 * stored the result already (SUCCESS, FAILURE, IGNORED) unless `stored` is false. */
enum run_outcome {
    RUN_SUCCESS,
    RUN_FAILURE,
    RUN_RETRY,       /* `retry` is the message to publish, `exception` the reason; the parent stores RETRY,
                        publishes, acks */
    RUN_REJECTED,    /* celery_reject(): `requeue`, `exception`, `exc_message` (the reason, or NULL) */
    RUN_IGNORED,     /* celery_ignore(): nothing stored, acknowledged */
    RUN_UNDECODABLE, /* the body does not decode: acknowledged or rejected as `reject` says, nothing stored;
                        `exc_message` has the sentence for the log */
};

struct run_result {
    enum run_outcome outcome;
    bool stored;           /* the result is in the backend */
    bool reject;           /* RUN_UNDECODABLE: reject (without requeue) instead of acknowledging */
    bool requeue;          /* RUN_REJECTED */
    bool repeated;         /* RUN_SUCCESS: it had succeeded before and was not run; `result` is NULL */
    double runtime;        /* seconds */
    const char *result;    /* Python's repr of the result, cut, for the event; success */
    const char *exception; /* Python's repr of the exception, "ValueError('x')"; failure, retry */
    const char *exc_type, *exc_message; /* failure, retry */
    const char *traceback;
    struct wire_message *retry; /* RUN_RETRY: to be published (may be taken: cleared by the taker) */
    double retry_eta;
};

enum loss_reason {
    LOST_CHILD,      /* the child ended while it ran the request (exit code or signal in `status`) */
    LOST_TIME_LIMIT, /* killed by the parent for its hard time limit */
    LOST_TERMINATED, /* killed by the parent because it was revoked with terminate */
    LOST_BESIDE, /* its function had returned; its child died in a later request, before its result was stored
                  */
};

struct pool_events {
    void (*started)(void *context, struct request *request); /* pid, started are set; early ack now */
    void (*finished)(void *context, struct request *request, const struct run_result *result);
    void (*lost)(void *context, struct request *request, enum loss_reason reason, int status);
    void (*returned)(
        void *context,
        struct request *request); /* taken back unstarted: again REQUEST_READY, to be dispatched anew */
    void (*room)(void *context);  /* there is room for more requests */
    void (*update)(void *context, struct request *request,
                   const char *state); /* a custom state was stored; may be NULL */
    void (*ticked)(void *context);     /* POOL_TICK seconds (pool_slot.h) have passed, or more; may be NULL */
    /* The fork server is gone (somebody killed it), and with it every child: all requests have been reported
     * as lost, no more are taken. The worker should end. May be NULL. */
    void (*broken)(void *context, const char *reason);
};

struct pool_options {
    const struct celery_task_type *types; /* the table that the children were given too (child.h) */
    int concurrency;                      /* children, 1 to 512 */
    int max_tasks_per_child;              /* 0: no limit */
    double soft_time_limit,
        time_limit; /* the worker's defaults, for pool_describe(); each request has its own */
};

/* The fork server must have been started already. Children are started at once; pool_room() is 0 until they
 * are up. */
struct pool *pool_new(const struct pool_options *options, struct fork_server *server, struct ev_loop *loop,
                      const struct pool_events *events, void *context, struct error *error);

size_t pool_room(const struct pool *pool); /* how many more requests it takes now */
/* There must be room. Its state becomes REQUEST_HANDED; which child gets it, and when, is the pool's
 * business. What cannot be handed over at all (headers nested without end) is `finished` before this returns.
 */
void pool_submit(struct pool *pool, struct request *request);
/* Lets the clerk store and tell request->verdict, however many are before it, even while the pool is closed.
 * `finished` follows: RUN_FAILURE when it is told (`stored` false: Redis would not have it), RUN_SUCCESS when
 * the task had succeeded after all, RUN_UNDECODABLE when its message cannot be read; `lost` when the clerk
 * dies of it (once: whether it is submitted again is the caller's business); `returned` when there is no
 * clerk to be had any more, which may be before this returns. */
void pool_tell(struct pool *pool, struct request *request);
void pool_flush(struct pool *pool); /* once a loop turn: writes what was submitted */
/* Ends one request: true when it runs (`lost` follows, LOST_TERMINATED; a child that survives the signal is
 * killed ten seconds later) or had not begun (then `returned` was called before this returns); false when it
 * has ended already: `finished` or `lost` follows. */
bool pool_terminate(struct pool *pool, struct request *request, int signal);
/* Takes back every request that no child has claimed yet (connection lost, shutdown): `returned` is called
 * for each. */
void pool_take_back(struct pool *pool);
void pool_resize(struct pool *pool, int concurrency);
int pool_concurrency(const struct pool *pool);
size_t pool_running(const struct pool *pool);
/* How many of those are inside their functions: the others wait for Redis or for the broker. */
size_t pool_working(const struct pool *pool);
json_t *pool_describe(const struct pool *pool); /* stats()["pool"]: implementation, max-concurrency,
                                                   processes, max-tasks-per-child, timeouts, writes */
/* Children end after what they run, what they have not begun is `returned`. Nothing is taken any more; the
 * clerk ends when all is told. */
void pool_close(struct pool *pool);
void pool_kill(struct pool *pool); /* SIGKILL to every child's process group but the clerk's; what has not
                                      begun is `returned` */
bool pool_is_gone(const struct pool *pool);
void pool_free(struct pool *pool);

#endif
