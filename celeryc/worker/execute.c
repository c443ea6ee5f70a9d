/* One task's run in a child, from the order to its queued result. The order of things is Celery's
 * (app/trace.py): STARTED, the task, what follows it, its result; only then does the parent hear that it is
 * finished. */
#include "celeryc/worker/child_state.h"

#include "celeryc/message/encode.h"
#include "celeryc/message/exception.h"
#include "celeryc/message/repr.h"
#include "celeryc/worker/follow.h"
#include "common/clock.h"
#include "common/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHORT 0.002 /* seconds: what runs no longer may start while earlier results wait to be stored */

/* ---- before ---- */

enum message_fault execute_read(struct child *child, struct celery_task *task, const struct pool_order *order,
                                struct error *error)
{
    task_context_init(task, &child->options->types[order->type], &child->keeper);
    task->order = order;
    task->claimed = page_claimed_at(child->page, order->serial);
    task->started = clock_wall();
    enum message_fault fault = task_message_parse(&order->wire, &task->message, error);
    if (fault != MESSAGE_GOOD)
        return fault;
    task->delivery_info = wire_message_delivery_info(&order->wire, order->redelivered);
    return task_body_decode(&order->wire, 0, &task->body, error);
}

bool child_knows_short(const struct child *child, uint32_t type)
{
    return child->runtimes[type] >= 0 && child->runtimes[type] < SHORT;
}

/* One slow run makes a type slow at once, several quick ones make it quick again. */
static void note_runtime(struct child *child, uint32_t type, double runtime)
{
    double mean = 0.7 * child->runtimes[type] + 0.3 * runtime;
    child->runtimes[type] = runtime > mean || child->runtimes[type] < 0 ? runtime : mean;
}

static bool result_is_ignored(const struct celery_task *task)
{
    if (task->message->ignore_result != TRISTATE_UNSET)
        return task->message->ignore_result == TRISTATE_YES;
    return task->type->ignore_result;
}

static void store_started(struct child *child, const struct celery_task *task, bool quick)
{
    struct error error;
    if (result_is_ignored(task) || (!task->type->track_started && !child->options->track_started))
        return;
    json_t *result = json_pack("{s:i, s:s}", "pid", (int)getpid(), "hostname", child->options->hostname);
    struct task_meta meta = {.status = "STARTED", .result = result};
    child_fill_meta(child, task, &meta);
    if (!quick)
        child_store_state(child, task, "STARTED", result);
    else if (!child_queue_result(child, &meta, &error))
        log_write(LOG_WARNING, task->message->id, "STARTED is not stored: %s", error.message);
    json_decref(result);
}

/* The parent hears of the start of what may take long; that a short task started, it hears with its end. */
static void announce(struct child *child, const struct celery_task *task)
{
    bool quick = child_knows_short(child, task->order->type);
    store_started(child, task, quick);
    if (quick)
        return;
    child_report(
        child,
        &(struct pool_report){.kind = FRAME_STARTED, .serial = task->order->serial, .started = task->started},
        false);
    child_go_on(child, -1);
}

/* ---- the run ---- */

/* The parent has condemned it: a signal for this process group is on its way, and must not hit the next task.
 */
static void end_condemned(void)
{
    kill(0, SIGKILL);
    for (;;)
        pause();
}

/* The value, or NULL with a fate. */
static json_t *run(struct child *child, struct celery_task *task, double *runtime)
{
    if (task->order->soft_time_limit > 0)
        task->soft_deadline = task->claimed + task->order->soft_time_limit;
    double began = clock_monotonic();
    json_t *value = task->type->run(task, task->body.args, task->body.kwargs);
    *runtime = clock_monotonic() - began;
    note_runtime(child, task->order->type, *runtime);
    if (value == NULL && task->fate == FATE_NONE) {
        if (celery_soft_time_limit_passed(task))
            task_set_failure(task, "billiard.exceptions.SoftTimeLimitExceeded", NULL);
        else
            celery_fail(task, "SystemError", "%s() returned NULL without setting an exception",
                        task_function_name(task));
    }
    if (task->fate != FATE_NONE) {
        json_decref(value);
        value = NULL;
    }
    task_autoretry(task);
    return value;
}

/* ---- the ends ---- */

/* What the report lends from; freed when it is made. */
struct ending {
    char *result, *exception, *traceback;
};

static void ending_clear(struct ending *ending)
{
    free(ending->result);
    free(ending->exception);
    free(ending->traceback);
}

static void end_failed(struct child *child, struct celery_task *task, struct pool_report *report,
                       struct ending *ending)
{
    struct error error;
    json_t *exception = task_failure_value(task);
    ending->exception = task_failure_repr(task, &error);
    ending->traceback = task_traceback(task);
    report->result.outcome = RUN_FAILURE;
    report->result.stored = true;
    bool store = !result_is_ignored(task) || task->type->store_errors_even_if_ignored;
    if (store) {
        struct task_meta meta = {.status = "FAILURE",
                                 .result = exception,
                                 .traceback = ending->traceback,
                                 .date_done = clock_wall()};
        child_fill_meta(child, task, &meta);
        report->result.stored = child_queue_result(child, &meta, &error);
        if (!report->result.stored)
            log_write(LOG_ERROR, task->message->id, "the failure is not stored: %s", error.message);
    }
    follow_failure(child, task, exception, ending->traceback, store);
    json_decref(exception);
}

/* False: it has failed in what comes after the task itself, and the failure is set. */
static bool end_succeeded(struct child *child, struct celery_task *task, json_t *value,
                          struct pool_report *report, struct ending *ending)
{
    struct error error;
    if (!follow_success(child, task, value, &error)) {
        task_set_failure(task, follow_exception_type(&error, "ValueError"), error.message);
        return false;
    }
    struct task_meta meta = {.status = "SUCCESS", .result = value, .date_done = clock_wall()};
    child_fill_meta(child, task, &meta);
    if (!result_is_ignored(task) && !child_queue_result(child, &meta, &error)) {
        task_set_failure(task, "kombu.exceptions.EncodeError", error.message);
        return false;
    }
    follow_end(child, task, "SUCCESS", value);
    report->result.outcome = RUN_SUCCESS;
    report->result.stored = true;
    ending->result = repr_value(value, &error);
    return true;
}

static bool end_retried(struct celery_task *task, struct pool_report *report, struct ending *ending)
{
    struct error error;
    double now = clock_wall();
    struct task_retry retry = {.eta = task->retry_countdown > 0 ? now + task->retry_countdown : 0,
                               .args = task->retry_args,
                               .kwargs = task->retry_kwargs,
                               .expires = task->retry_expires,
                               .ignore_result = task->type->ignore_result,
                               .now = now};
    if (!task_encode_retry(&task->order->wire, task->message, &task->body, &retry, &report->retry, &error)) {
        task_set_failure(task, "kombu.exceptions.EncodeError", error.message);
        return false;
    }
    report->result.outcome = RUN_RETRY;
    report->result.retry = &report->retry;
    report->result.retry_eta = retry.eta;
    if (task->exc_type == NULL) {
        ending->exception = strdup("None"); /* what Python shows for a retry without a reason */
        return true;
    }
    ending->exception = task_failure_repr(task, &error);
    ending->traceback = task_traceback(task);
    return true;
}

static void end_rejected(struct celery_task *task, struct pool_report *report, struct ending *ending)
{
    struct error error;
    json_t *exception = task_rejection(task->exc_message, task->requeue);
    report->result.outcome = RUN_REJECTED;
    report->result.requeue = task->requeue;
    report->result.exc_message = task->exc_message;
    ending->exception = exception_repr(exception, &error);
    json_decref(exception);
}

static void end(struct child *child, struct celery_task *task, json_t *value, struct pool_report *report,
                struct ending *ending)
{
    bool ended = true;
    switch (task->fate) {
    case FATE_NONE:
        ended = end_succeeded(child, task, value, report, ending);
        break;
    case FATE_RETRY:
        ended = end_retried(task, report, ending);
        break;
    case FATE_REJECTED:
        end_rejected(task, report, ending);
        break;
    case FATE_IGNORED:
        report->result.outcome = RUN_IGNORED;
        break;
    case FATE_FAILED:
        ended = false;
        break;
    }
    if (!ended)
        end_failed(child, task, report, ending);
    report->result.result = ending->result;
    report->result.exception = ending->exception;
    report->result.traceback = ending->traceback;
    if (report->result.outcome == RUN_FAILURE || report->result.outcome == RUN_RETRY) {
        report->result.exc_type = task->exc_type;
        report->result.exc_message = task->exc_message;
    }
}

void execute(struct child *child, const struct pool_order *order)
{
    struct error error;
    struct celery_task task;
    struct ending ending = {0};
    struct pool_report report = {.kind = FRAME_FINISHED, .serial = order->serial};
    if (order->verdict.state != NULL) {
        verdict_deliver(child, order);
        return;
    }
    wire_message_init(&report.retry);
    enum message_fault fault = execute_read(child, &task, order, &error);
    report.started = task.started;
    json_t *value = NULL, *success = fault == MESSAGE_GOOD ? duplicate_find(child, &task) : NULL;
    if (fault == MESSAGE_GOOD && success == NULL) {
        announce(child, &task);
        value = run(child, &task, &report.result.runtime);
    } else if (fault == MESSAGE_UNFIT) {
        task_set_failure(&task, task.body.exception, error.message);
    }
    if (!page_finish(child->page, order->serial))
        end_condemned();
    if (success != NULL && duplicate_follow(child, &task, success)) {
        report.result.outcome = RUN_SUCCESS;
        report.result.stored = report.result.repeated = true;
    } else if (fault == MESSAGE_GOOD || fault == MESSAGE_UNFIT) {
        end(child, &task, value, &report, &ending);
    } else {
        report.result.outcome = RUN_UNDECODABLE;
        report.result.reject = fault != MESSAGE_UNDECODABLE;
        report.result.exc_message = error.message;
    }
    child_report(child, &report, report.result.stored);
    json_decref(success);
    json_decref(value);
    wire_message_clear(&report.retry);
    ending_clear(&ending);
    task_context_clear(&task);
}
