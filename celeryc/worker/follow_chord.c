/* Parts of chords return; the last one sends the body, or says why it will never run. Source:
 * celery/backends/redis.py on_chord_part_return, celery/backends/base.py chord_error_from_stack,
 * _handle_group_chord_error. */
#include "celeryc/worker/follow.h"

#include "celeryc/message/exception.h"
#include "celeryc/message/json_message.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PUBLISH_SECONDS 30    /* how long the claim holds while the body is sent */
#define BROADCAST_SECONDS 1.0 /* how long a broadcast is worth being heard */

/* Nanoseconds between the failures of a part and of its body. Celery's client raises the part's exception
 * only when it finds that stored before it looks for the body's, which it does at two moments close to each
 * other: on a busy machine a scheduler's round apart. */
#define FAILURE_PAUSE 50000000L

json_t *follow_new_chord_error(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    json_t *exception = task_exception("celery.exceptions.ChordError", text == NULL ? "" : text);
    free(text);
    return exception;
}

/* ---- the body cannot run ---- */

static json_t *new_request(const char *id, json_t *callback)
{
    json_t *request = json_pack("{s:s, s:s, s:{}}", "id", id, "task", "unknown", "delivery_info");
    if (json_is_object(callback))
        json_object_update(request, callback);
    return request;
}

/* Stores the failure of what has no request of its own. */
static void store_failure(struct child *child, const struct celery_task *task, const char *id,
                          json_t *exception)
{
    struct error error;
    char *shown = exception_repr(exception, &error), *traceback = NULL;
    if (asprintf(&traceback, "Traceback (most recent call last):\n%s\n", shown == NULL ? "" : shown) < 0)
        traceback = NULL;
    struct task_meta meta = {.task_id = id,
                             .status = "FAILURE",
                             .result = exception,
                             .traceback = traceback,
                             .children = task->children,
                             .date_done = clock_wall()};
    if (!child_queue_result(child, &meta, &error))
        log_write(LOG_ERROR, task->message->id, "the failure of a chord's body is not stored: %s",
                  error.message);
    free(traceback);
    free(shown);
}

/* The errbacks of what a signature results in: those of a chord are its body's, those of a group also its
 * tasks'. */
static void collect_errbacks(json_t *signature, json_t *errbacks)
{
    json_t *own, *task;
    size_t index;
    while (signature_kind(signature) == SIGNATURE_CHORD && signature_body(signature) != NULL) {
        own = json_maybe_list(signature_option(signature, "link_error"));
        json_array_extend(errbacks, own);
        json_decref(own);
        signature = signature_body(signature);
    }
    own = json_maybe_list(signature_option(signature, "link_error"));
    json_array_extend(errbacks, own);
    json_decref(own);
    if (signature_kind(signature) != SIGNATURE_GROUP)
        return;
    json_array_foreach(signature_tasks(signature), index, task) collect_errbacks(task, errbacks);
}

/* The id of the result of a signature. */
static const char *ends_as(json_t *signature)
{
    while (signature_kind(signature) == SIGNATURE_CHORD && signature_body(signature) != NULL)
        signature = signature_body(signature);
    return signature_option_text(signature, "task_id");
}

static json_t *unique(json_t *list)
{
    json_t *kept = json_array(), *item, *other;
    size_t index, at;
    json_array_foreach(list, index, item)
    {
        bool known = false;
        json_array_foreach(kept, at, other) known = known || json_equal(item, other);
        if (!known)
            json_array_append(kept, item);
    }
    return kept;
}

/* The errbacks of the task whose result has that id, and those of the group, each once. */
static json_t *member_errbacks(json_t *group, const char *id)
{
    json_t *all = json_array(), *task, *own = json_maybe_list(signature_option(group, "link_error"));
    size_t index;
    json_array_foreach(signature_tasks(group), index, task)
    {
        const char *ends = ends_as(task);
        if (ends != NULL && strcmp(ends, id) == 0)
            collect_errbacks(task, all);
    }
    json_array_extend(all, own);
    json_t *errbacks = unique(all);
    json_decref(all);
    json_decref(own);
    return errbacks;
}

/* Tells all workers to revoke the results of a group, GroupResult.revoke(). They keep what is stored, so the
 * failures are to be stored before. A child hears of no clock but counts as one that has just begun. */
static void revoke_group(struct child *child, const struct celery_task *task, json_t *results)
{
    struct error error;
    struct wire_message message;
    json_t *ids = json_array(), *result;
    size_t index;
    json_array_foreach(results, index, result) json_array_append(ids, json_object_get(result, "id"));
    json_t *arguments = json_pack("{s:o, s:b, s:n}", "task_id", ids, "terminate", 0, "signal");
    struct control_call_message call = {
        .method = "revoke", .arguments = arguments, .clock = 1, .expires = clock_wall() + BROADCAST_SECONDS};
    child_flush(child);
    bool sent = control_message_make(&call, &message, &error) && child_publish(child, &message, &error);
    if (!sent && error.code != ERROR_NOT_FOUND) /* that is: no worker has a mailbox */
        log_write(LOG_WARNING, task->message->id, "the tasks of a chord's body are not revoked: %s",
                  error.message);
    json_decref(arguments);
}

static void fail_group(struct child *child, struct celery_task *task, json_t *group, json_t *exception)
{
    struct canvas canvas;
    struct failure failure = {.exception = exception, .store = true};
    size_t index;
    json_t *result;
    follow_canvas(child, task, &canvas);
    json_t *frozen = canvas_freeze(&canvas, group, &(struct freeze){.id = NULL});
    json_array_foreach(json_object_get(frozen, "results"), index, result)
    {
        const char *id = result_id(result);
        json_t *errbacks = member_errbacks(group, id), *request = new_request(id, NULL);
        follow_errbacks(child, task, errbacks, request, &failure);
        store_failure(child, task, id, exception);
        json_decref(errbacks);
        json_decref(request);
    }
    if (frozen != NULL) {
        store_failure(child, task, result_id(frozen), exception);
        revoke_group(child, task, json_object_get(frozen, "results"));
    }
    json_decref(frozen);
    canvas_clear(&canvas);
}

static void fail_task(struct child *child, struct celery_task *task, json_t *callback, json_t *exception)
{
    struct canvas canvas;
    struct failure failure = {.exception = exception, .store = true};
    if (signature_option_text(callback, "task_id") == NULL) { /* then it needs an id to fail under */
        follow_canvas(child, task, &canvas);
        json_decref(canvas_freeze(&canvas, callback, &(struct freeze){.id = NULL}));
        canvas_clear(&canvas);
    }
    const char *id = signature_option_text(callback, "task_id");
    if (id == NULL)
        return;
    json_t *errbacks = json_maybe_list(signature_option(callback, "link_error"));
    json_t *request = new_request(id, callback);
    follow_errbacks(child, task, errbacks, request, &failure);
    store_failure(child, task, id, exception);
    json_decref(errbacks);
    json_decref(request);
}

void follow_chord_error(struct child *child, struct celery_task *task, json_t *callback, json_t *exception,
                        json_t *cause)
{
    struct failure failure = {.exception = exception, .store = true};
    if (signature_kind(callback) == SIGNATURE_GROUP)
        fail_group(child, task, callback, cause != NULL ? cause : exception);
    else
        fail_task(child, task, callback, exception);
    follow_fail_chain(child, task, signature_option(callback, "chain"), &failure);
}

/* ---- the last part ---- */

struct completion {            /* what becomes of a chord that is complete */
    json_t *values;            /* for the body; owned; NULL: it failed */
    json_t *exception, *cause; /* owned; why */
};

static void fail_completion(struct completion *completion, json_t *exception, json_t *cause)
{
    json_decref(completion->values);
    *completion = (struct completion){.exception = exception, .cause = json_incref(cause)};
}

/* What the parts returned, unless one of them failed. */
static void unpack(struct completion *completion, json_t *parts)
{
    size_t index;
    json_t *part;
    completion->values = json_array();
    json_array_foreach(parts, index, part)
    {
        json_t *result = json_array_get(part, 3);
        const char *id = json_string_value(json_array_get(part, 1));
        if (follow_has_failed(json_string_value(json_array_get(part, 2)))) {
            char *shown = exception_repr(result, NULL);
            fail_completion(completion,
                            follow_new_chord_error("Dependency %s raised %s", id == NULL ? "None" : id,
                                                   shown == NULL ? "" : shown),
                            result);
            free(shown);
            return;
        }
        json_array_append(completion->values, result == NULL ? json_null() : result);
    }
}

static bool is_chord_error(const json_t *exception)
{
    const char *type = json_string_value(json_object_get(exception, "exc_type"));
    const char *module = json_string_value(json_object_get(exception, "exc_module"));
    return type != NULL && module != NULL && strcmp(type, "ChordError") == 0 &&
           strcmp(module, "celery.exceptions") == 0;
}

/* A header with parts of their own: what they returned is nested as they are. */
static void join_parts(struct child *child, struct completion *completion, json_t *tuple)
{
    struct error error;
    json_t *failure;
    completion->values = follow_join(child, tuple, &failure, &error);
    if (completion->values != NULL)
        return;
    char *shown = failure != NULL ? exception_repr(failure, NULL) : NULL;
    if (failure != NULL && is_chord_error(failure)) /* that of a chord in the header: it is told as it is */
        completion->exception = json_incref(failure);
    else if (failure != NULL)
        completion->exception = follow_new_chord_error("Join error: %s", shown == NULL ? "" : shown);
    else
        completion->exception = follow_new_chord_error("Join error: TimeoutError('%s')", error.message);
    free(shown);
    json_decref(failure);
}

static void complete(struct child *child, const char *group, struct completion *completion)
{
    struct error error;
    json_t *tuple = NULL, *parts = NULL;
    if (child_chord_get_group(child, group, &tuple, &error) && tuple != NULL)
        join_parts(child, completion, tuple);
    else if (child_chord_results(child, group, &parts, &error))
        unpack(completion, parts);
    else
        completion->exception = follow_new_chord_error("Join error: %s", error.message);
    json_decref(tuple);
    json_decref(parts);
}

/* False: the body could not be sent. */
static bool send_body(struct child *child, struct celery_task *task, const struct ended *ended,
                      const char *claim, struct completion *completion)
{
    struct error error;
    bool kept = false;
    if (child_chord_keep(child, ended->group, claim, PUBLISH_SECONDS, &kept, &error) && !kept) {
        log_write(LOG_WARNING, ended->id, "the body of chord %s is sent by another worker", ended->group);
        return true;
    }
    json_t *args = json_pack("[O]", completion->values);
    bool sent = follow_apply(child, task, ended->chord, args, NULL, NULL, &error);
    json_decref(args);
    if (!sent)
        fail_completion(completion, follow_new_chord_error("Callback error: %s", error.message), NULL);
    if (sent && !child_chord_finish(child, ended->group, claim, &error))
        log_write(LOG_WARNING, ended->id, "%s", error.message);
    return sent;
}

void follow_part(struct child *child, struct celery_task *task, const struct ended *ended)
{
    struct error error;
    struct completion completion = {NULL};
    char claim[CHORD_CLAIM_SIZE];
    bool claimed;
    if (ended->group == NULL || ended->id == NULL)
        return;
    struct chord_part part = {.group = ended->group,
                              .task_id = ended->id,
                              .status = ended->status,
                              .index = ended->group_index,
                              .redelivered = task->order->redelivered,
                              .result = ended->result};
    if (!child_chord_return(child, &part, &claimed, claim, &error)) {
        log_write(LOG_ERROR, ended->id, "its chord does not hear of its end: %s", error.message);
        return;
    }
    if (!claimed || ended->chord == NULL)
        return;
    complete(child, ended->group, &completion);
    if (completion.values == NULL || !send_body(child, task, ended, claim, &completion)) {
        char *shown = exception_repr(completion.exception, NULL);
        log_write(LOG_ERROR, ended->id, "chord %s failed: %s", ended->group, shown == NULL ? "" : shown);
        free(shown);
        nanosleep(&(struct timespec){.tv_nsec = FAILURE_PAUSE}, NULL);
        follow_chord_error(child, task, ended->chord, completion.exception, completion.cause);
        if (!child_chord_give_up(child, ended->group, &error))
            log_write(LOG_WARNING, ended->id, "%s", error.message);
    }
    json_decref(completion.values);
    json_decref(completion.exception);
    json_decref(completion.cause);
}
