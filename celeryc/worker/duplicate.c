/* A message that comes again although its task has succeeded, here or in another worker
 * (worker_deduplicate_successful_tasks). Source: celery/app/trace.py. */
#include "celeryc/worker/follow.h"

#include "common/log.h"

#include <string.h>

json_t *duplicate_find(struct child *child, const struct celery_task *task)
{
    struct error error;
    json_t *meta = NULL;
    bool asked = child->options->deduplicate && task->type->acks_late && task->order->redelivered &&
                 !child->options->rpc;
    if (!asked)
        return NULL;
    if (!child_get_result(child, task->message->id, &meta, &error)) {
        log_write(LOG_WARNING, task->message->id,
                  "whether it has succeeded before is not known, it is run: %s", error.message);
        return NULL;
    }
    const char *status = json_string_value(json_object_get(meta, "status"));
    if (status != NULL && strcmp(status, "SUCCESS") == 0)
        return meta;
    json_decref(meta);
    return NULL;
}

bool duplicate_follow(struct child *child, struct celery_task *task, const json_t *meta)
{
    struct error error;
    log_write(LOG_INFO, task->message->id, "Task %s[%s] Task already completed successfully.",
              task_message_name(task->message), task->message->id);
    /* With children it has sent what follows it. */
    json_t *result = json_object_get(meta, "result"), *none = json_null();
    if (json_array_size(json_object_get(meta, "children")) > 0 ||
        follow_success(child, task, result == NULL ? none : result, &error))
        return true;
    log_write(LOG_ERROR, task->message->id, "Failed to dispatch chain/callbacks for deduplicated task %s: %s",
              task->message->id, error.message);
    celery_reject(task, error.message, true);
    return false;
}
