/* Steering: what remote control tells the worker to do (the second half of control/worker_view.h). */
#include "celeryc/message/task_message.h"
#include "celeryc/results/backend_async.h"
#include "celeryc/worker/stamps.h"
#include "celeryc/worker/worker.h"
#include "common/clock.h"
#include "common/log.h"

#include <string.h>

static void shut_down(void *context)
{
    shutdown_warm(context, "remote control asks for it");
}

static void revoke_id(void *context, const char *id)
{
    struct worker *worker = context;
    uint32_t now = (uint32_t)clock_monotonic();
    worker->anything_revoked = true;
    if (!id_ring_mark(worker->revoked, id, 0, now))
        id_ring_add(worker->revoked, id, 0, now);
    /* One that is in a child's hands and has not begun is taken back, and found revoked when it is dispatched
     * anew. */
    for (struct request *request = requests_find(&worker->requests, id, NULL); request != NULL;
         request = requests_find(&worker->requests, id, request)) {
        if (request->state == REQUEST_HANDED) {
            pool_take_back(worker->pool);
            return;
        }
    }
}

void steer_expire_revoked(struct worker *worker)
{
    double oldest = clock_monotonic() - worker->revoked_expires;
    if (oldest > 0)
        id_ring_expire(worker->revoked, (uint32_t)oldest);
}

static void store_revoked(void *context, const char *id)
{
    struct worker *worker = context;
    const struct request *request = requests_find(&worker->requests, id, NULL);
    /* revoke_id() has taken back what could be: what is in a child's hands still has begun. */
    if (worker->backend == NULL || (request != NULL && request->state >= REQUEST_HANDED))
        return;
    struct error error = {0};
    json_t *result = task_exception("celery.exceptions.TaskRevokedError", "revoked");
    const struct task_meta meta = {.task_id = id,
                                   .status = "REVOKED",
                                   .result = result,
                                   .date_done = clock_wall(),
                                   .unless_begun = true};
    if (!backend_async_store(worker->backend, &meta, 0, NULL, NULL, &error))
        log_write(LOG_WARNING, id, "Failed to mark task %s as revoked in backend: %s", id, error.message);
    json_decref(result);
}

static void revoke_stamp(void *context, const char *header, json_t *value)
{
    struct worker *worker = context;
    if (worker->revoked_stamps == NULL)
        worker->revoked_stamps = json_object();
    stamps_add(worker->revoked_stamps, header, value);
    pool_take_back(worker->pool); /* what has not begun is looked at again */
}

static bool terminate(void *context, const char *id, int signal)
{
    struct worker *worker = context;
    bool found = false;
    for (struct request *request = requests_find(&worker->requests, id, NULL); request != NULL;
         request = requests_find(&worker->requests, id, request)) {
        if (request->state == REQUEST_SETTLING)
            continue;
        found = true;
        request->terminate_signal = signal;
        if (request->state ==
            REQUEST_RUNNING) /* one that is handed over only is hit when it begins (dispatch.c) */
            (void)pool_terminate(worker->pool, request, signal);
    }
    return found;
}

static void pool_grow(void *context, int by)
{
    struct worker *worker = context;
    int wanted = pool_concurrency(worker->pool) + by;
    pool_resize(worker->pool, wanted < 1 ? 1 : wanted > 512 ? 512 : wanted);
}

static bool autoscale(void *context, long *most, long *least)
{
    struct worker *worker = context;
    struct worker_options *options = &worker->options;
    if (options->autoscale_most == 0)
        return false;
    if (*most >= 0)
        options->autoscale_most = *most < 1 ? 1 : *most > 512 ? 512 : *most;
    if (*least >= 0)
        options->autoscale_least = *least < 1 ? 1 : *least;
    if (options->autoscale_least > options->autoscale_most)
        options->autoscale_least = options->autoscale_most;
    int children = pool_concurrency(worker->pool);
    if (children > options->autoscale_most)
        pool_resize(worker->pool, (int)options->autoscale_most);
    else if (children < options->autoscale_least)
        pool_resize(worker->pool, (int)options->autoscale_least);
    *most = options->autoscale_most;
    *least = options->autoscale_least;
    return true;
}

static bool set_rate_limit(void *context, const char *task, const char *rate)
{
    struct worker *worker = context;
    struct registered *entry = registry_find(&worker->registry, task);
    if (entry == NULL || !registry_set_rate(entry, rate))
        return false;
    admit_recheck_rate(worker, entry);
    return true;
}

static bool set_time_limits(void *context, const char *task, double soft, double hard)
{
    struct worker *worker = context;
    struct registered *entry = registry_find(&worker->registry, task);
    if (entry == NULL)
        return false;
    entry->soft_time_limit = soft;
    entry->time_limit = hard;
    pool_take_back(worker->pool); /* what has not begun gets the new ones when it is dispatched anew */
    return true;
}

static void add_queue(void *context, const struct queue_spec *queue)
{
    struct worker *worker = context;
    struct error error = {0};
    if (worker->phase == PHASE_RUNNING && !consume_add(worker, queue, &error))
        log_error("Cannot consume from %s: %s", queue->name, error.message);
}

static void cancel_queue(void *context, const char *name)
{
    consume_cancel(context, name);
}

void steer_init(struct control_worker *view)
{
    view->shutdown = shut_down;
    view->revoke = revoke_id;
    view->store_revoked = store_revoked;
    view->revoke_stamp = revoke_stamp;
    view->terminate = terminate;
    view->pool_grow = pool_grow;
    view->autoscale = autoscale;
    view->set_rate_limit = set_rate_limit;
    view->set_time_limits = set_time_limits;
    view->add_queue = add_queue;
    view->cancel_queue = cancel_queue;
}
