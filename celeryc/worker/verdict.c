/* A verdict in the child that delivers it: the state is stored, then the task's chord, the later steps of its
 * chain and its errbacks hear of it, as after a failure in a child. */
#include "celeryc/worker/follow.h"

#include "common/clock.h"
#include "common/log.h"

#include <string.h>

/* It had succeeded before its child was lost, or another worker ran it too: that stands, and who follows was
 * told. (Results by rpc:// cannot be looked at, as in Celery.) */
static bool has_succeeded(struct child *child, const struct celery_task *task)
{
    struct error error;
    json_t *meta;
    if (child->options->rpc || !child_get_result(child, task->message->id, &meta, &error))
        return false;
    const char *status = json_string_value(json_object_get(meta, "status"));
    bool succeeded = status != NULL && strcmp(status, "SUCCESS") == 0;
    json_decref(meta);
    return succeeded;
}

static bool store(struct child *child, const struct celery_task *task, const struct verdict *verdict)
{
    struct error error;
    bool ended = strcmp(verdict->state, "RETRY") != 0;
    struct task_meta meta = {.status = verdict->state,
                             .result = verdict->exception,
                             .traceback = verdict->traceback,
                             .date_done = ended ? clock_wall() : 0};
    child_fill_meta(child, task, &meta);
    bool queued = child_queue_result(child, &meta, &error);
    if (!queued)
        log_write(LOG_ERROR, task->message->id, "state %s is not stored: %s", verdict->state, error.message);
    return queued;
}

static void deliver(struct child *child, struct celery_task *task, const struct verdict *verdict,
                    struct run_result *result)
{
    result->stored = true;
    if (verdict->store && verdict->follow != FOLLOW_NOBODY && has_succeeded(child, task)) {
        result->outcome = RUN_SUCCESS;
        return;
    }
    result->outcome = RUN_FAILURE;
    if (verdict->store)
        result->stored = store(child, task, verdict);
    task->children = json_null(); /* what is sent now was sent by no task */
    if (verdict->follow == FOLLOW_CHORD)
        follow_end(child, task, verdict->state, verdict->exception);
    else if (verdict->follow == FOLLOW_ALL)
        follow_failure(child, task, verdict->exception, verdict->traceback, verdict->store);
}

void verdict_deliver(struct child *child, const struct pool_order *order)
{
    struct error error = {0};
    struct celery_task task;
    struct pool_report report = {.kind = FRAME_FINISHED, .serial = order->serial};
    wire_message_init(&report.retry);
    enum message_fault fault = execute_read(child, &task, order, &error);
    report.started = task.started;
    if (fault == MESSAGE_GOOD || fault == MESSAGE_UNFIT) {
        deliver(child, &task, &order->verdict, &report.result);
    } else {
        report.result.outcome = RUN_UNDECODABLE;
        report.result.exc_message = error.message;
    }
    (void)page_finish(child->page, order->serial); /* nobody condemns a verdict */
    child_report(child, &report, report.result.stored);
    task_context_clear(&task);
}
