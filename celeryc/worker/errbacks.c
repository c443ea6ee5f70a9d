/* Who is told of a failure: errbacks, and the later steps of a chain, which will never run. Source:
 * celery/backends/base.py _call_task_errbacks, _errback_arity_greater, _fail_chain. */
#include "celeryc/worker/follow.h"

#include "celeryc/message/exception.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- errbacks ---- */

/* How many parameters a call may still give by position. */
static bool takes_more_than_one(const struct celery_task_type *type, json_t *errback)
{
    const char *const *names = type->parameters;
    size_t count = 0, bound = 0;
    bool mutable = !signature_is_immutable(errback);
    if (mutable)
        bound = json_array_size(json_object_get(errback, "args"));
    for (; names != NULL && names[count] != NULL; count++) {
        if (names[count][0] == '*')
            return true;
        if (mutable && json_object_get(json_object_get(errback, "kwargs"), names[count]) != NULL)
            break; /* what stands behind it is given by keyword, too */
    }
    return count > bound + 1;
}

static void call(struct celery_task *task, const struct celery_task_type *type, json_t *errback,
                 json_t *request, const struct failure *failure)
{
    struct signature_call merged;
    struct error error;
    json_t *raised, *args = json_pack("[O, O, s?]", request, failure->exception, failure->traceback);
    signature_merge(errback, args, NULL, NULL, &merged);
    json_t *value = follow_call(task, type, merged.args, merged.kwargs, &raised);
    if (value == NULL) {
        char *shown = exception_repr(raised, &error);
        log_write(LOG_ERROR, task->message->id, "errback %s failed: %s", type->name,
                  shown == NULL ? "" : shown);
        free(shown);
    }
    signature_call_clear(&merged);
    json_decref(args);
    json_decref(value);
    json_decref(raised);
}

/* Those that take an id are sent as tasks. Takes the array. */
static void send(struct child *child, struct celery_task *task, json_t *errbacks, json_t *request)
{
    struct error error;
    const char *id = json_string_value(json_object_get(request, "id"));
    const char *root_id = json_string_value(json_object_get(request, "root_id"));
    json_t *group = signature_new_group(errbacks), *args = json_pack("[s]", id);
    json_t *options = json_pack("{s:s, s:s}", "parent_id", id, "root_id", root_id == NULL ? id : root_id);
    if (!follow_apply(child, task, group, args, options, NULL, &error))
        log_write(LOG_ERROR, task->message->id, "its errbacks are not sent: %s", error.message);
    json_decref(group);
    json_decref(args);
    json_decref(options);
}

void follow_errbacks(struct child *child, struct celery_task *task, json_t *errbacks, json_t *request,
                     const struct failure *failure)
{
    json_t *sent = json_array(), *errback;
    size_t index;
    json_array_foreach(errbacks, index, errback)
    {
        const char *name = json_string_value(json_object_get(errback, "task"));
        const struct celery_task_type *type = follow_find_type(child, name);
        if (type != NULL && takes_more_than_one(type, errback))
            call(task, type, errback, request, failure);
        else
            json_array_append(sent, errback);
    }
    if (json_array_size(sent) > 0)
        send(child, task, sent, request);
    else
        json_decref(sent);
}

/* ---- the rest of the chain ---- */

static void store_failure(struct child *child, const struct celery_task *task, json_t *step,
                          const struct failure *failure)
{
    struct error error;
    json_t *options = signature_options(step);
    struct task_meta meta = {
        .task_id = json_string_value(json_object_get(options, "task_id")),
        .status = "FAILURE",
        .result = failure->exception,
        .traceback = failure->traceback,
        .date_done = clock_wall(),
        .group_id = json_string_value(json_object_get(options, "group_id")),
        .parent_id = json_string_value(json_object_get(options, "parent_id")),
        .extended = child->options->result_extended,
        .name = json_string_value(json_object_get(step, "task")),
        .args = json_object_get(step, "args"),
        .kwargs = json_object_get(step, "kwargs"),
        .retries = (int)json_integer_value(json_object_get(options, "retries")),
        .reply_to = json_string_value(json_object_get(options, "reply_to")),
    };
    if (!child_queue_result(child, &meta, &error))
        log_write(LOG_ERROR, task->message->id, "the failure of a later step is not stored: %s",
                  error.message);
}

static bool has_failed(struct child *child, const char *id)
{
    struct error error;
    json_t *meta;
    if (id == NULL || !child_get_result(child, id, &meta, &error))
        return false;
    const char *status = json_string_value(json_object_get(meta, "status"));
    bool failed = status != NULL && (strcmp(status, "FAILURE") == 0 || strcmp(status, "REVOKED") == 0);
    json_decref(meta);
    return failed;
}

static void fail_step(struct child *child, struct celery_task *task, json_t *step,
                      const struct failure *failure)
{
    const char *id = signature_option_text(step, "task_id");
    json_t *chord = signature_option(step, "chord"), *index = signature_option(step, "group_index");
    bool returned = chord != NULL && has_failed(child, id);
    if (failure->store && id != NULL)
        store_failure(child, task, step, failure);
    if (chord == NULL || returned)
        return;
    struct ended ended = {.id = id,
                          .group = signature_option_text(step, "group_id"),
                          .group_index = json_is_integer(index) ? (long)json_integer_value(index) : -1,
                          .status = "FAILURE",
                          .chord = json_is_object(chord) ? chord : NULL,
                          .result = failure->exception};
    follow_part(child, task, &ended);
}

void follow_fail_chain(struct child *child, struct celery_task *task, json_t *chain,
                       const struct failure *failure)
{
    json_t *steps = json_is_array(chain) ? json_copy(chain) : json_array();
    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *step = json_array_get(steps, i);
        if (!json_is_object(step))
            continue;
        fail_step(child, task, step, failure);
        /* A chord ends with its body: that is what later steps and others wait for. */
        if (signature_kind(step) == SIGNATURE_CHORD && signature_body(step) != NULL)
            json_array_append(steps, signature_body(step));
    }
    json_decref(steps);
}
