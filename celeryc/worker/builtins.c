#include "celeryc/worker/builtins.h"

#include "celeryc/include/celeryc/canvas.h"
#include "celeryc/message/exception.h"
#include "celeryc/worker/follow.h"

#include <stdlib.h>
#include <string.h>

static struct child *child_of(const struct celery_task *task)
{
    return task->keeper->context;
}

/* ---- of one task for many items ---- */

/* Fails as the task that was called did. */
static json_t *fail_like(struct celery_task *task, const json_t *failure)
{
    const char *module = json_string_value(json_object_get(failure, "exc_module"));
    const char *name = json_string_value(json_object_get(failure, "exc_type"));
    struct bytes type;
    bytes_init(&type, 0);
    bool dotted = module != NULL && strcmp(module, "builtins") != 0;
    (void)bytes_append_format(&type, NULL, "%s%s%s", dotted ? module : "", dotted ? "." : "",
                              name == NULL ? "Exception" : name);
    celery_fail_with(task, bytes_text(&type), json_incref(json_object_get(failure, "exc_message")));
    bytes_clear(&type);
    return NULL;
}

static json_t *call_for_each(struct celery_task *task, json_t *args, json_t *kwargs, bool star)
{
    json_t *signature, *items, *item;
    size_t index;
    if (!celery_args(task, args, kwargs, "task:o it:o", &signature, &items))
        return NULL;
    const char *name = json_string_value(json_object_get(signature, "task"));
    const struct celery_task_type *type = follow_find_type(child_of(task), name);
    if (type == NULL)
        return celery_fail(task, "celery.exceptions.NotRegistered", "%s", name == NULL ? "None" : name);
    json_t *values = json_array(), *none = json_object();
    json_array_foreach(items, index, item)
    {
        json_t *failure = NULL;
        json_t *arguments = star && json_is_array(item) ? json_incref(item) : json_pack("[O]", item);
        json_t *value = follow_call(task, type, arguments, none, &failure);
        json_decref(arguments);
        if (value == NULL) {
            fail_like(task, failure);
            json_decref(failure);
            json_decref(values);
            values = NULL;
            break;
        }
        json_array_append_new(values, value);
    }
    json_decref(none);
    return values;
}

static json_t *map(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return call_for_each(task, args, kwargs, false);
}

static json_t *starmap(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return call_for_each(task, args, kwargs, true);
}

static json_t *chunks(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *signature, *items;
    json_int_t size;
    if (!celery_args(task, args, kwargs, "task:o it:o n:I", &signature, &items, &size))
        return NULL;
    if (size < 1)
        return celery_fail(task, "ValueError", "chunks of %lld", (long long)size);
    return celery_apply_async(task, celery_chunks(json_incref(signature), json_incref(items), (size_t)size));
}

/* ---- of canvases ---- */

/* The arguments, or the one of them that `index` names. */
static json_t *accumulate(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *index = json_object_get(kwargs, "index");
    if (index == NULL || json_is_null(index))
        return json_incref(args);
    json_int_t at = json_integer_value(index), count = (json_int_t)json_array_size(args);
    if (at < 0)
        at += count;
    if (at < 0 || at >= count)
        return celery_fail(task, "IndexError", "tuple index out of range");
    return json_incref(json_array_get(args, (size_t)at));
}

static json_t *chain(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    return celery_fail(task, "NotImplementedError", "chain is not a real task");
}

static json_t *chord(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *header, *body, *partial, *rest;
    struct error error;
    if (!celery_args(task, args, kwargs, "header:o body:o partial_args:o=null **rest:K", &header, &body,
                     &partial, &rest))
        return NULL;
    json_t *made = celery_chord(json_incref(header), json_incref(body)), *result = NULL;
    bool sent = follow_apply(child_of(task), task, made, json_is_array(partial) ? partial : NULL, NULL,
                             &result, &error);
    json_decref(made);
    if (!sent)
        return celery_fail(task, follow_exception_type(&error, "ValueError"), "%s", error.message);
    return result == NULL ? json_null() : result;
}

static json_t *group(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *tasks, *result, *partial, *add, *each;
    const char *id;
    struct error error = {0};
    size_t index;
    bool sent = true;
    if (!celery_args(task, args, kwargs, "tasks:o result:o group_id:s partial_args:o add_to_parent:o=true",
                     &tasks, &result, &id, &partial, &add))
        return NULL;
    json_t *options = json_pack("{s:s, s:b}", "group_id", id, "add_to_parent", 0);
    json_array_foreach(tasks, index, each) sent =
        sent && follow_apply(child_of(task), task, each, partial, options, NULL, &error);
    json_decref(options);
    if (!sent)
        return celery_fail(task, follow_exception_type(&error, "ValueError"), "%s", error.message);
    if (json_truth(add)) {
        if (task->children == NULL)
            task->children = json_array();
        json_array_append(task->children, result);
    }
    return json_incref(result);
}

/* ---- chords of backends that do not count ---- */

/* Whether all results that a tuple names have ended. */
static bool is_ready(struct child *child, json_t *tuple, bool *ready, struct error *error)
{
    json_t *results = json_array_get(tuple, 1), *each, *meta;
    size_t index;
    if (json_is_array(results)) {
        json_array_foreach(results, index, each)
        {
            if (!is_ready(child, each, ready, error))
                return false;
            if (!*ready)
                return true;
        }
        return true;
    }
    const char *id = json_string_value(json_array_get(json_array_get(tuple, 0), 0));
    if (id == NULL || !child_get_result(child, id, &meta, error))
        return id != NULL || error_set(error, ERROR_PROTOCOL, "a result without an id");
    const char *status = json_string_value(json_object_get(meta, "status"));
    *ready = follow_has_failed(status) || (status != NULL && strcmp(status, "SUCCESS") == 0);
    json_decref(meta);
    return true;
}

/* What the header's results are; NULL: one failed, and so does the body. */
static json_t *join_header(struct celery_task *task, json_t *tuple, json_t *callback)
{
    struct error error;
    json_t *failure, *values = follow_join(child_of(task), tuple, &failure, &error);
    if (values != NULL)
        return values;
    char *shown = failure == NULL ? NULL : exception_repr(failure, NULL);
    /* Celery would name the part too, if its cache of results were not off by default. */
    json_t *exception = shown != NULL ? follow_new_chord_error("%s", shown)
                                      : follow_new_chord_error("TimeoutError('%s')", error.message);
    follow_chord_error(child_of(task), task, callback, exception, failure);
    free(shown);
    json_decref(exception);
    json_decref(failure);
    return NULL;
}

static json_t *unlock(struct celery_task *task, json_t *group_id, json_t *callback, json_t *results,
                      double interval, json_int_t max_retries)
{
    struct error error;
    bool ready = true, known = true;
    json_t *tuple = json_pack("[[O, n], O]", group_id, results);
    known = is_ready(child_of(task), tuple, &ready, &error);
    if (!known || !ready) {
        json_decref(tuple);
        struct celery_retry retry = {.countdown = interval,
                                     .max_retries = max_retries > 0 ? (int)max_retries : CELERY_UNLIMITED};
        return celery_retry(task, &retry);
    }
    json_t *values = join_header(task, tuple, callback);
    json_decref(tuple);
    if (values != NULL) {
        json_t *args = json_pack("[o]", values);
        if (!follow_apply(child_of(task), task, callback, args, NULL, NULL, &error)) {
            json_t *exception = follow_new_chord_error("Callback error: %s", error.message);
            follow_chord_error(child_of(task), task, callback, exception, NULL);
            json_decref(exception);
        }
        json_decref(args);
    }
    return json_null();
}

static json_t *chord_unlock(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *group_id, *callback, *interval, *most, *results, *rest;
    if (!celery_args(task, args, kwargs,
                     "group_id:o callback:o interval:o=null max_retries:o=null result:o=null **rest:K",
                     &group_id, &callback, &interval, &most, &results, &rest))
        return NULL;
    double seconds = json_is_number(interval) ? json_number_value(interval) : 1;
    return unlock(task, group_id, callback, results, seconds, json_integer_value(most));
}

/* Redis removes what has expired by itself. */
static json_t *backend_cleanup(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return celery_args(task, args, kwargs, "") ? json_null() : NULL;
}

/* ---- the table ---- */

static const struct celery_task_type builtins[] = {
    {.name = "celery.accumulate", .run = accumulate},
    {.name = "celery.backend_cleanup", .run = backend_cleanup},
    {.name = "celery.chain", .run = chain},
    {.name = "celery.chord", .run = chord},
    {.name = "celery.chord_unlock",
     .run = chord_unlock,
     .max_retries = CELERY_UNLIMITED,
     .default_retry_delay = 1,
     .ignore_result = true},
    {.name = "celery.chunks", .run = chunks},
    {.name = "celery.group", .run = group},
    {.name = "celery.map", .run = map},
    {.name = "celery.starmap", .run = starmap},
};

static bool has(const struct celery_task_type *tasks, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tasks[i].name, name) == 0)
            return true;
    }
    return false;
}

struct celery_task_type *builtins_join(const struct celery_task_type *tasks)
{
    size_t count = 0, more = sizeof builtins / sizeof builtins[0];
    while (tasks != NULL && tasks[count].name != NULL)
        count++;
    struct celery_task_type *joined = calloc(count + more + 1, sizeof *joined);
    if (joined == NULL)
        return NULL;
    if (count > 0)
        memcpy(joined, tasks, count * sizeof *joined);
    for (size_t i = 0; i < more; i++) {
        if (!has(joined, count, builtins[i].name))
            joined[count++] = builtins[i];
    }
    return joined;
}
