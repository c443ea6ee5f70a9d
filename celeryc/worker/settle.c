/* Settling: a request has ended, one way or another. What the child has not stored is stored, retries are
 * published, the broker is told, the request is freed (celery/worker/request.py on_success ... on_failure,
 * on_timeout, revoked).
 *
 * The order is what makes it safe: a late-acknowledged task is acknowledged only after its fate is stored; a
 * result is never published for a task that will run again. */
#include "celeryc/events/dispatcher.h"
#include "celeryc/message/repr.h"
#include "celeryc/message/task_message.h"
#include "celeryc/results/backend.h"
#include "celeryc/worker/fate.h"
#include "celeryc/worker/setback.h"
#include "celeryc/worker/worker.h"
#include "common/log.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- the end of every request ---- */

static void tell_broker(struct worker *worker, struct request *request, enum settlement how)
{
    switch (how) {
    case SETTLE_ACK:
    case SETTLE_DONE:
    case SETTLE_REPLACED:
        consumer_ack(worker->consumer, request->epoch, request->tag);
        break;
    case SETTLE_REJECT:
    case SETTLE_REQUEUE:
    case SETTLE_RUN_AGAIN:
        consumer_reject(worker->consumer, request->epoch, request->tag, how != SETTLE_REJECT);
        if (request->type != NULL) /* of an unknown task its failure is told, no more */
            events_task_rejected(worker->events, request->id, how != SETTLE_REJECT);
        break;
    }
    request->acknowledged = true;
}

static void forget(struct worker *worker, struct request *request)
{
    setback_release(request);
    admit_release(request);
    requests_remove(&worker->requests, request);
}

void settle(struct worker *worker, struct request *request, enum settlement how)
{
    if (how == SETTLE_RUN_AGAIN && setback_begin(worker, request))
        return;
    if (!request->acknowledged)
        tell_broker(worker, request, how);
    if (how != SETTLE_REQUEUE && how != SETTLE_RUN_AGAIN)
        setback_forget(worker, request);
    if (how == SETTLE_DONE)
        id_ring_add(worker->done, request->id, request->message->retries, request->epoch);
    forget(worker, request);
}

void settle_give_back(struct worker *worker, struct request *request)
{
    if (!request->acknowledged && worker->connected && request->epoch == worker->epoch)
        consumer_reject(worker->consumer, request->epoch, request->tag, true);
    forget(worker, request);
}

static bool ignores_result(const struct request *request)
{
    enum tristate asked = request->message->ignore_result;
    return asked == TRISTATE_UNSET ? request->type != NULL && request->type->ignore_result
                                   : asked == TRISTATE_YES;
}

/* Whether a failure is stored (request.py store_errors). */
static bool stores_errors(const struct request *request)
{
    return !ignores_result(request) || (request->type != NULL && request->type->store_errors_even_if_ignored);
}

static const char *name_of(const struct request *request)
{
    return task_message_name(request->message);
}

/* ---- failures that the parent finds ---- */

/* FAILURE with this exception: stored, settled, told. `result` is taken. `follow`: FOLLOW_NOBODY where a
 * child has told them already. */
static void fail(struct worker *worker, struct request *request, json_t *result, const char *exception,
                 const char *traceback, enum verdict_follow follow, enum settlement how)
{
    const struct fate fate = {
        .state = stores_errors(request) ? "FAILURE" : NULL,
        .result = result,
        .follow = follow,
        .how = how,
        .event = FATE_FAILED,
        .exception = exception ? exception : "Exception()",
        .traceback = traceback,
    };
    fate_begin(worker, request, &fate);
}

static void fail_with(struct worker *worker, struct request *request, const char *type, const char *message,
                      enum verdict_follow follow, enum settlement how)
{
    char *exception = repr_exception(type, message, NULL);
    fail(worker, request, task_exception(type, message), exception, NULL, follow, how);
    free(exception);
}

void settle_unknown(struct worker *worker, struct request *request)
{
    log_write(LOG_ERROR, request->id, "Received unregistered task of type %s; the message is rejected",
              request->message->task);
    fail_with(worker, request, "celery.exceptions.NotRegistered", request->message->task, FOLLOW_NOBODY,
              SETTLE_REJECT);
}

void settle_bad_eta(struct worker *worker, struct request *request)
{
    log_write(LOG_ERROR, request->id, "Task %s[%s]: its ETA %s is no time", name_of(request), request->id,
              request->message->eta_text);
    const struct fate fate = {
        /* of this failure Celery sends no event but task-rejected */
        .state = stores_errors(request) ? "FAILURE" : NULL,
        .result = task_exception("OverflowError", "date value out of range"),
        .follow = FOLLOW_ALL,
        .how = SETTLE_REJECT,
    };
    fate_begin(worker, request, &fate);
}

void settle_revoked(struct worker *worker, struct request *request, const char *reason, bool terminated,
                    int signal, bool expired)
{
    events_task_revoked(worker->events, request->id, terminated, signal, expired);
    const struct fate fate = {
        .state = stores_errors(request) ? "REVOKED" : NULL,
        .result = task_exception("celery.exceptions.TaskRevokedError", reason),
        .follow = FOLLOW_CHORD,
        .how = SETTLE_ACK,
    };
    fate_begin(worker, request, &fate);
}

/* ---- what a child reports ---- */

static void settle_failure(struct worker *worker, struct request *request, const struct run_result *result)
{
    log_write(LOG_ERROR, request->id, "Task %s[%s] raised unexpected: %s", name_of(request), request->id,
              result->exception ? result->exception : "?");
    enum settlement how =
        request->type->acks_late && request->type->no_ack_on_failure ? SETTLE_REJECT : SETTLE_ACK;
    if (!result->stored) {
        fail(worker, request,
             task_exception(result->exc_type ? result->exc_type : "Exception", result->exc_message),
             result->exception, result->traceback, FOLLOW_NOBODY, how);
        return;
    }
    events_task_failed(worker->events, request->id, result->exception, result->traceback);
    settle(worker, request, how);
}

static void settle_success(struct worker *worker, struct request *request, const struct run_result *result)
{
    if (!result->stored) {
        /* Its value is known to nobody: what can run again does, what cannot is at least not told to have
         * succeeded. */
        log_write(LOG_ERROR, request->id, "Task %s[%s] succeeded but its result could not be stored",
                  name_of(request), request->id);
        if (!request->acknowledged)
            settle(worker, request, SETTLE_RUN_AGAIN);
        else
            fail_with(worker, request, "celery.exceptions.BackendStoreError",
                      "the result could not be stored", FOLLOW_NOBODY, SETTLE_ACK);
        return;
    }
    if (!result->repeated) /* else the child has said so */
        log_write(LOG_INFO, request->id, "Task %s[%s] succeeded in %.6fs: %s", name_of(request), request->id,
                  result->runtime, result->result ? result->result : "");
    events_task_succeeded(worker->events, request->id, result->result,
                          result->repeated ? (double)NAN : result->runtime);
    settle(worker, request, SETTLE_DONE);
}

static void settle_retry(struct worker *worker, struct request *request, const struct run_result *result)
{
    log_write(LOG_INFO, request->id, "Task %s[%s] retry: %s", name_of(request), request->id,
              result->exception ? result->exception : "");
    const struct fate fate = {
        .state = stores_errors(request) ? "RETRY" : NULL,
        .result = result->exc_type ? task_exception(result->exc_type, result->exc_message) : NULL,
        .traceback = result->traceback,
        .publish = result->retry,
        .how = SETTLE_DONE,
        .event = FATE_RETRIED,
        .exception = result->exception,
    };
    fate_begin(worker, request, &fate);
}

static void settle_rejected(struct worker *worker, struct request *request, const struct run_result *result)
{
    log_write(LOG_WARNING, request->id, "Task %s[%s] %s", name_of(request), request->id,
              result->exception ? result->exception : "");
    if (result->requeue)
        settle(worker, request, SETTLE_REQUEUE);
    else
        fail(worker, request, task_rejection(result->exc_message, false), result->exception, NULL, FOLLOW_ALL,
             SETTLE_REJECT);
}

void settle_finished(struct worker *worker, struct request *request, const struct run_result *result)
{
    switch (result->outcome) {
    case RUN_SUCCESS:
        settle_success(worker, request, result);
        break;
    case RUN_FAILURE:
        settle_failure(worker, request, result);
        break;
    case RUN_RETRY:
        settle_retry(worker, request, result);
        break;
    case RUN_REJECTED:
        settle_rejected(worker, request, result);
        break;
    case RUN_IGNORED:
        log_write(LOG_INFO, request->id, "Task %s[%s] ignored", name_of(request), request->id);
        settle(worker, request, SETTLE_ACK);
        break;
    case RUN_UNDECODABLE:
        log_write(LOG_ERROR, request->id, "Task %s[%s]: the body does not decode: %s", name_of(request),
                  request->id, result->exc_message ? result->exc_message : "?");
        settle(worker, request, result->reject ? SETTLE_REJECT : SETTLE_ACK);
        break;
    }
}

/* ---- runs that end without a word ---- */

/* "signal 9 (SIGKILL)" or "exitcode 1", as billiard says it. */
static void describe_status(int status, char *buffer, size_t size)
{
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        (void)snprintf(buffer, size, "signal %d (SIG%s)", WTERMSIG(status), name ? name : "?");
    } else {
        (void)snprintf(buffer, size, "exitcode %d", WEXITSTATUS(status));
    }
}

static void settle_time_limit(struct worker *worker, struct request *request)
{
    double limit = request->time_limit;
    log_write(LOG_ERROR, request->id, "Hard time limit (%gs) exceeded for %s[%s]", limit, name_of(request),
              request->id);
    if (request->type->acks_late && request->type->no_ack_on_timeout && !request->acknowledged) {
        settle(worker, request, SETTLE_REQUEUE);
        return;
    }
    char exception[96];
    (void)snprintf(exception, sizeof exception, "TimeLimitExceeded(%g,)", limit);
    json_t *number =
        limit == floor(limit) && limit < 1e15 ? json_integer((json_int_t)limit) : json_real(limit);
    json_t *result = json_pack("{s:s, s:[o], s:s}", "exc_type", "TimeLimitExceeded", "exc_message", number,
                               "exc_module", "billiard.exceptions");
    fail(worker, request, result, exception, NULL, FOLLOW_ALL, SETTLE_ACK);
}

/* For the queue that it was taken from and no other, whatever exchange it came by. */
static bool address_to_queue(struct wire_message *wire, const char *queue)
{
    char *exchange = strdup(""), *key = queue == NULL ? NULL : strdup(queue);
    if (exchange == NULL || key == NULL) {
        free(exchange);
        free(key);
        return false;
    }
    free(wire->exchange);
    free(wire->routing_key);
    wire->exchange = exchange;
    wire->routing_key = key;
    (void)json_object_del(wire->headers, "CC");
    (void)json_object_del(wire->headers, "BCC");
    return true;
}

/* Runs again, as a message of its own that says how often a child was lost: so the count survives workers and
 * restarts, and works on every kind of queue. The old message is acknowledged when the new one is confirmed.
 */
static void run_again_counted(struct worker *worker, struct request *request)
{
    if (request->wire.headers == NULL)
        request->wire.headers = json_object();
    json_t *count = json_integer(request->lost_runs + 1);
    if (json_object_set_new(request->wire.headers, LOST_RUNS_HEADER, count) != 0 ||
        !address_to_queue(&request->wire, request->queue)) {
        settle(worker, request, SETTLE_REQUEUE);
        return;
    }
    (void)json_object_del(request->wire.headers, "x-delivery-count"); /* the old message's */
    free(request->wire.user_id);                                      /* the broker refuses any but our own */
    request->wire.user_id = NULL;
    events_task_rejected(worker->events, request->id, true);
    const struct fate fate = {.publish = &request->wire, .how = SETTLE_REPLACED};
    fate_begin(worker, request, &fate);
}

/* Whether a lost child makes the task run again, not fail; and then sees to it. */
static bool runs_again(struct worker *worker, struct request *request)
{
    const struct celery_task_type *type = request->type;
    bool wanted = type->acks_late && (type->reject_on_worker_lost || worker->options.reject_on_worker_lost);
    if (!wanted || request->acknowledged)
        return false;
    if (type->worker_lost_limit > 0 && request->lost_runs + 1 >= type->worker_lost_limit)
        return false;
    log_write(LOG_WARNING, request->id, "Task %s[%s] goes back to its queue", name_of(request), request->id);
    if (request->epoch != worker->epoch || !worker->connected)
        settle_give_back(worker, request); /* the broker has it already */
    else if (type->worker_lost_limit > 0)
        run_again_counted(worker, request);
    else
        settle(worker, request, SETTLE_REQUEUE);
    return true;
}

static void settle_lost_child(struct worker *worker, struct request *request, int status)
{
    char how[64], sentence[256];
    describe_status(status, how, sizeof how);
    if (worker->phase == PHASE_COLD && request->type->acks_late && !request->acknowledged) {
        log_write(LOG_WARNING, request->id,
                  "Task %s[%s] was ended by the shutdown; it goes back to its queue", name_of(request),
                  request->id);
        events_task_cancelled(worker->events, request->id);
        settle_give_back(worker, request);
        return;
    }
    log_write(LOG_ERROR, request->id, "Task %s[%s]: its process %ld exited: %s", name_of(request),
              request->id, (long)request->pid, how);
    if (runs_again(worker, request))
        return;
    int size = snprintf(sentence, sizeof sentence, "Worker exited prematurely: %s Job: %llu.", how,
                        (unsigned long long)worker->total);
    if (request->lost_runs > 0 && size > 0 && (size_t)size < sizeof sentence)
        (void)snprintf(sentence + size, sizeof sentence - (size_t)size, " It was lost %d times in all.",
                       request->lost_runs + 1);
    fail_with(worker, request, "billiard.exceptions.WorkerLostError", sentence, FOLLOW_ALL, SETTLE_ACK);
}

/* It had ended, and its child died of another task: what can run again does, whatever is said of tasks that
 * lose their child themselves. */
static void settle_lost_beside(struct worker *worker, struct request *request, int status)
{
    if (request->acknowledged || !request->type->acks_late) {
        settle_lost_child(worker, request, status);
        return;
    }
    log_write(
        LOG_WARNING, request->id,
        "Task %s[%s] goes back to its queue: its child died in another task before its result was stored",
        name_of(request), request->id);
    settle(worker, request, SETTLE_REQUEUE);
}

void settle_lost(struct worker *worker, struct request *request, enum loss_reason reason, int status)
{
    switch (reason) {
    case LOST_TIME_LIMIT:
        settle_time_limit(worker, request);
        break;
    case LOST_TERMINATED:
        log_write(LOG_INFO, request->id, "Task %s[%s] was terminated", name_of(request), request->id);
        settle_revoked(worker, request, "terminated", true, request->terminate_signal, false);
        break;
    case LOST_CHILD:
        settle_lost_child(worker, request, status);
        break;
    case LOST_BESIDE:
        settle_lost_beside(worker, request, status);
        break;
    }
}
