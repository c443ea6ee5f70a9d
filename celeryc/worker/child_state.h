/* A child's state, for the files that make it up: child.c (the loop), child_store.c (what leaves it),
 * execute.c (one task), follow.c (what follows a task). */
#ifndef CELERYC_WORKER_CHILD_STATE_H
#define CELERYC_WORKER_CHILD_STATE_H

#include "celeryc/worker/child.h"
#include "celeryc/worker/page.h"
#include "celeryc/worker/pool_report.h"
#include "celeryc/worker/task_context.h"
#include "common/bytes.h"
#include "common/uuid.h"

#include <pthread.h>

struct publisher; /* celeryc/amqp/publisher.h */

/* A report of an end, and the results of it: numbers, as they were queued in this child. */
struct awaited {
    size_t offset; /* in `out` */
    uint64_t first, end;
};

struct child {
    const struct child_options *options;
    struct broker_options broker;
    int socket;
    struct page *page;
    size_t types;     /* how many there are */
    double *runtimes; /* of each type: about how long it runs, seconds; < 0 unknown */
    struct task_keeper keeper;
    struct backend *backend; /* made when first needed, as is the publisher */
    struct publisher *publisher;
    char oid[UUID_SIZE]; /* reply_to of what it sends; "" until it sends something */
    struct bytes in;
    struct bytes out;        /* reports, to be written when the results before them are stored */
    struct awaited *awaited; /* reports in `out` that say that a result is stored which is queued still */
    size_t awaited_count, awaited_capacity;
    uint64_t flushed_results;  /* how many results have left the backend's queue */
    uint64_t reported_results; /* how many were queued before the last report of an end */
    bool refused_early;        /* one that was queued since then is refused: its report is still to come */
    double flushed;            /* clock_monotonic() of the last flush */
    bool retiring;             /* it has asked to be replaced */
    _Atomic bool parent_gone;

    /* The flusher: a thread that flushes what has waited for FLUSH_AFTER while the main thread is inside a
     * task, so that no result waits for the end of the next task, which was expected to be short and is not.
     * The lock guards the backend, `out`, what is awaited, and `flushed`. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t flusher;
    bool flusher_runs, flusher_sleeps, ending;
    double waits_since; /* clock_monotonic() of the oldest report that waits; 0: none */
};

/* ---- child_store.c: the lock is taken inside ---- */

bool child_start_flusher(struct child *child, struct error *error);
void child_end_flusher(struct child *child);

/* Queues a result; it is stored with the next flush. False for what cannot be stored at all (not JSON, too
 * large). */
bool child_queue_result(struct child *child, const struct task_meta *meta, struct error *error);

/* Queues a report. `waits`: it says that what was queued since the last report of an end is stored; where
 * Redis refuses some of that, the report says that it is not. */
void child_report(struct child *child, const struct pool_report *report, bool waits);

/* Stores what is queued, however long Redis is away (but for a cold shutdown), then writes the reports. */
void child_flush(struct child *child);

/* Flushes when the last flush is more than `age` seconds ago, else sees to it that the flusher does while a
 * task runs. */
void child_go_on(struct child *child, double age);

/* Publishes a message and waits for the broker's confirm, however long the broker is away (but for a cold
 * shutdown). A queue that does not exist is declared, as Celery does. The message is taken in any case. */
bool child_publish(struct child *child, struct wire_message *take, struct error *error);
/* The same for many: all are on their way before the first is waited for. False with the first fault. */
bool child_publish_all(struct child *child, struct wire_message *const *take, size_t count,
                       struct error *error);

/* celery_update_state(). */
bool child_update_state(void *context, struct celery_task *task, const char *state, json_t *meta);

/* What is stored of `task` besides status, result, traceback and time. */
void child_fill_meta(const struct child *child, const struct celery_task *task, struct task_meta *meta);

/* Stores a state at once, but gives up after a second: no task waits for long because Redis is away. */
bool child_store_state(struct child *child, const struct celery_task *task, const char *state, json_t *meta);

/* ---- execute.c ---- */

/* Whether runs of this type are known to be short: then they may start while results of earlier ones wait. */
bool child_knows_short(const struct child *child, uint32_t type);

/* Runs one claimed order, to the point where its result and report are queued. */
void execute(struct child *child, const struct pool_order *order);

/* Fills the task's context from the order. MESSAGE_GOOD or MESSAGE_UNFIT: what follows the task is known. */
enum message_fault execute_read(struct child *child, struct celery_task *task, const struct pool_order *order,
                                struct error *error);

/* ---- verdict.c ---- */

/* Stores how a task ended elsewhere, and tells whom it concerns, to the point where the report is queued. */
void verdict_deliver(struct child *child, const struct pool_order *order);

/* ---- follow.c ---- */

/* Publishes what follows a success: callbacks, then the chain's next step, both with the result before their
 * own arguments. task->children tells what was published. ERROR_INVALID: a signature that cannot be sent. */
bool follow_success(struct child *child, struct celery_task *task, json_t *result, struct error *error);

/* After the result is queued: the chord that the task is part of hears of it. */
void follow_end(struct child *child, struct celery_task *task, const char *status, json_t *result);

/* After a failure: its chord hears of it, the later steps of the chain fail too (queued as results if
 * `store`), errbacks are called or published. What goes wrong is logged. */
void follow_failure(struct child *child, struct celery_task *task, json_t *exception, const char *traceback,
                    bool store);

#endif
