/* Tasks that leave something in Redis, and errbacks, which do so to show that they were called. */
#include "integration_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the connection ---- */

/* One for the process that runs the tasks, made by the first that needs it. */
static struct celery_store *connection(struct celery_task *task)
{
    static struct celery_store *store;
    if (store != NULL)
        return store;
    const char *host = getenv("REDIS_HOST"), *port = getenv("REDIS_PORT");
    struct error error;
    char url[256];
    (void)snprintf(url, sizeof url, "redis://%s:%s/0", host != NULL ? host : "localhost",
                   port != NULL ? port : "6379");
    store = celery_store_new(&(struct celery_store_options){.url = url}, &error);
    if (store == NULL)
        celery_fail(task, "redis.exceptions.ConnectionError", "%s", error.message);
    return store;
}

static bool push(struct celery_task *task, const char *key, const char *text, size_t size)
{
    struct celery_store *store = connection(task);
    struct error error;
    if (store == NULL)
        return false;
    if (!celery_store_push(store, key, text, size, 60, &error)) {
        celery_fail(task, "redis.exceptions.ConnectionError", "%s", error.message);
        return false;
    }
    return true;
}

bool redis_push_text(struct celery_task *task, const char *key, const char *text)
{
    return push(task, key, text, strlen(text));
}

bool redis_push(struct celery_task *task, const char *key, const json_t *value)
{
    size_t size = 0;
    char *text =
        json_is_number(value) ? json_dumps(value, JSON_ENCODE_ANY) : celery_value_bytes(value, &size);
    if (text == NULL) {
        celery_fail(task, "redis.exceptions.DataError",
                    "Invalid input. Convert to a bytes, string, int or float first.");
        return false;
    }
    bool pushed = push(task, key, text, json_is_number(value) ? strlen(text) : size);
    free(text);
    return pushed;
}

static bool increment(struct celery_task *task, const char *key)
{
    struct celery_store *store = connection(task);
    struct error error;
    if (store == NULL)
        return false;
    if (!celery_store_increment(store, key, NULL, 60, &error)) {
        celery_fail(task, "redis.exceptions.ConnectionError", "%s", error.message);
        return false;
    }
    return true;
}

/* ---- the tasks ---- */

json_t *redis_echo(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *message;
    const char *redis_key;
    if (!celery_args(task, args, kwargs, "message:o redis_key:s=\"redis-echo\"", &message, &redis_key))
        return NULL;
    return redis_push(task, redis_key, message) ? json_null() : NULL;
}

json_t *redis_echo_group_id(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *ignored;
    const char *redis_key;
    if (!celery_args(task, args, kwargs, "_:o redis_key:s=\"redis-group-ids\"", &ignored, &redis_key))
        return NULL;
    json_t *group = python_text_or_none(celery_task_group(task));
    bool pushed = redis_push(task, redis_key, group);
    json_decref(group);
    return pushed ? json_null() : NULL;
}

json_t *redis_count(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *redis_key;
    if (!celery_args(task, args, kwargs, "redis_key:s=\"redis-count\"", &redis_key))
        return NULL;
    return increment(task, redis_key) ? json_null() : NULL;
}

json_t *sum_and_record(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *values;
    const char *redis_key;
    if (!celery_args(task, args, kwargs, "values:o redis_key:s", &values, &redis_key))
        return NULL;
    json_t *sum = python_sum(task, values);
    if (sum != NULL && !redis_push_text(task, redis_key, celery_task_id(task))) {
        json_decref(sum);
        return NULL;
    }
    return sum;
}

/* ---- errbacks: old ones get the id of what failed; new ones its request, the exception, the traceback ----
 */

json_t *errback_old_style(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *request_id;
    if (!celery_args(task, args, kwargs, "request_id:s", &request_id))
        return NULL;
    return increment(task, request_id) ? json_string(request_id) : NULL;
}

json_t *errback_new_style(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *request, *exc, *tb;
    if (!celery_args(task, args, kwargs, "request:o exc:o tb:o", &request, &exc, &tb))
        return NULL;
    const char *id = json_string_value(json_object_get(request, "id"));
    if (id == NULL)
        return celery_fail(task, "AttributeError", "the request has no attribute 'id'");
    return increment(task, id) ? json_string(id) : NULL;
}

json_t *errback_old_style_with_args(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *request_id;
    json_t *label;
    if (!celery_args(task, args, kwargs, "request_id:s label:o", &request_id, &label))
        return NULL;
    return redis_push(task, request_id, label) ? json_null() : NULL;
}

json_t *errback_new_style_with_args(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *request, *exc, *tb, *label;
    if (!celery_args(task, args, kwargs, "request:o exc:o tb:o label:o", &request, &exc, &tb, &label))
        return NULL;
    const char *id = json_string_value(json_object_get(request, "id"));
    if (id == NULL)
        return celery_fail(task, "AttributeError", "the request has no attribute 'id'");
    return redis_push(task, id, label) ? json_null() : NULL;
}
