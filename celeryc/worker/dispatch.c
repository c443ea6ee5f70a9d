/* Dispatching: ready requests go to the pool, and what the pool says of them moves them on. */
#include "celeryc/message/task_message.h"
#include "celeryc/worker/fate.h"
#include "celeryc/worker/worker.h"
#include "common/log.h"

/* The message's limits, else the task's, else the worker's: those that hold now. */
static void set_limits(struct worker *worker, struct request *request)
{
    const struct task_message *message = request->message;
    const struct registered *entry = registry_of(&worker->registry, request->type);
    const struct worker_options *options = &worker->options;
    double limit = entry->time_limit > 0 ? entry->time_limit : options->time_limit,
           soft = entry->soft_time_limit > 0 ? entry->soft_time_limit : options->soft_time_limit;
    request->time_limit = message->time_limit > 0 ? message->time_limit : limit;
    request->soft_time_limit = message->soft_time_limit > 0 ? message->soft_time_limit : soft;
}

void dispatch_ready(struct worker *worker)
{
    struct request_list *ready = &worker->requests.states[REQUEST_READY];
    if (worker->phase != PHASE_RUNNING || worker->mingling || ready->first == NULL)
        return;
    size_t room = pool_room(worker->pool);
    while (ready->first != NULL && room > 0) {
        struct request *request = ready->first;
        if (admit_is_revoked(worker, request))
            continue;
        set_limits(worker, request);
        requests_move(&worker->requests, request, REQUEST_HANDED);
        pool_submit(worker->pool, request);
        room = pool_room(worker->pool);
    }
}

/* A child has begun it. Only now is an early acknowledgement given: what is merely handed over may still be
 * taken back. */
static void on_started(void *context, struct request *request)
{
    struct worker *worker = context;
    requests_move(&worker->requests, request, REQUEST_RUNNING);
    registry_of(&worker->registry, request->type)->total++;
    worker->total++;
    if (!request->type->acks_late && !request->acknowledged) {
        consumer_ack(worker->consumer, request->epoch, request->tag);
        request->acknowledged = true;
    }
    events_task_started(worker->events, request->id);
    if (request->terminate_signal != 0)
        (void)pool_terminate(worker->pool, request, request->terminate_signal);
}

static void on_finished(void *context, struct request *request, const struct run_result *result)
{
    if (request->verdict != NULL)
        fate_told(request, result);
    else
        settle_finished(context, request, result);
}

static void on_lost(void *context, struct request *request, enum loss_reason reason, int status)
{
    if (request->verdict != NULL)
        fate_untold(request, true);
    else
        settle_lost(context, request, reason, status);
}

/* No child began it: it is dispatched anew before those that came later, or goes back to the broker. */
static void on_returned(void *context, struct request *request)
{
    struct worker *worker = context;
    if (request->verdict != NULL) {
        fate_untold(request, false);
        return;
    }
    if (worker->phase != PHASE_RUNNING || request->epoch != worker->epoch || !worker->connected) {
        settle_give_back(worker, request);
        return;
    }
    requests_move_back(&worker->requests, request, REQUEST_READY);
}

/* The pool has room again: dispatch_ready() looks at the end of every turn. */
static void on_room(void *context)
{
    (void)context;
}

static void on_update(void *context, struct request *request, const char *state)
{
    (void)context;
    log_write(LOG_DEBUG, request->id, "Task %s[%s] is in state %s", task_message_name(request->message),
              request->id, state);
}

static void on_broken(void *context, const char *reason)
{
    struct worker *worker = context;
    log_write(LOG_CRITICAL, NULL, "No more tasks can be run: %s", reason);
    worker->exit_code = 1;
    shutdown_cold(worker, "the pool is broken");
}

const struct pool_events dispatch_pool_events = {
    .started = on_started,
    .finished = on_finished,
    .lost = on_lost,
    .returned = on_returned,
    .room = on_room,
    .update = on_update,
    .ticked = beat_pulse,
    .broken = on_broken,
};
