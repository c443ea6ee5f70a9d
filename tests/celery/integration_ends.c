/* Tasks that fail, are retried, or reject their message. */
#include "integration_tasks.h"

#include <string.h>

#define EXPECTED_EXCEPTION "t.integration.tasks.ExpectedException"
#define UNPICKLEABLE_EXCEPTION "t.integration.tasks.UnpickleableException"

/* ---- failures ---- */

json_t *raise_error(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    if (!celery_args(task, args, kwargs, "*args:A", &rest))
        return NULL;
    return celery_fail(task, "ValueError", "deliberate error");
}

json_t *fail(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    if (!celery_args(task, args, kwargs, "*args:A", &rest))
        return NULL;
    json_t *arguments = json_pack("[s]", "Task expected to fail");
    json_array_extend(arguments, rest);
    return celery_fail_with(task, EXPECTED_EXCEPTION, arguments);
}

json_t *fail_unpickleable(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *foo, *bar;
    if (!celery_args(task, args, kwargs, "foo:o bar:o", &foo, &bar))
        return NULL;
    if (json_is_null(bar))
        return celery_fail(task, "TypeError", "bar must be provided");
    return celery_fail_with(task, UNPICKLEABLE_EXCEPTION, json_pack("[O]", foo));
}

/* ---- retries ---- */

/* Counts its attempts in the process that runs it, as its twin does. */
json_t *retry(struct celery_task *task, json_t *args, json_t *kwargs)
{
    static int attempt;
    json_t *return_value;
    if (!celery_args(task, args, kwargs, "return_value:o=null", &return_value))
        return NULL;
    if (python_truth(return_value)) {
        celery_log(task, CELERY_INFO, "attempt %d", attempt);
        if (attempt >= 3) {
            attempt = 0;
            return json_incref(return_value);
        }
        attempt++;
    }
    return celery_retry(task, &(struct celery_retry){.type = EXPECTED_EXCEPTION, .countdown = 5});
}

json_t *retry_unpickleable(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *foo;
    json_t *bar, *retry_kwargs;
    double countdown = 0;
    int max_retries = 0;
    if (!celery_args(task, args, kwargs, "foo:s bar:o *_:A retry_kwargs:o", &foo, &bar, &(json_t *){NULL},
                     &retry_kwargs))
        return NULL;
    if (json_is_null(bar))
        return celery_fail(task, "TypeError", "bar must be provided");
    if (json_unpack(retry_kwargs, "{s?F, s?i}", "countdown", &countdown, "max_retries", &max_retries) != 0)
        return celery_fail(task, "TypeError", "retry() takes countdown and max_retries");
    return celery_retry(task, &(struct celery_retry){.type = UNPICKLEABLE_EXCEPTION,
                                                     .message = foo,
                                                     .countdown = countdown,
                                                     .max_retries = max_retries});
}

/* At once, with other arguments, which are taken. */
static json_t *retry_with(struct celery_task *task, json_t *args, json_t *kwargs)
{
    celery_retry(task, &(struct celery_retry){.args = args, .kwargs = kwargs, .countdown = -1});
    json_decref(args);
    json_decref(kwargs);
    return NULL;
}

json_t *retry_with_args_after_kwargs(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t foo, bar;
    json_t *label;
    if (!celery_args(task, args, kwargs, "foo:I bar:I label:o=null", &foo, &bar, &label))
        return NULL;
    if (celery_task_retries(task) == 0)
        return retry_with(task, json_pack("[I, I]", foo + 1, bar + 1), NULL);
    return json_pack("{s:I, s:I, s:O, s:i, s:b}", "foo", foo, "bar", bar, "label", label, "retries",
                     celery_task_retries(task), "is_eager", false);
}

json_t *retry_with_kwargs_after_args(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t foo, bar;
    if (!celery_args(task, args, kwargs, "foo:I bar:I", &foo, &bar))
        return NULL;
    if (celery_task_retries(task) == 0)
        return retry_with(task, NULL, json_pack("{s:I}", "foo", foo + 1));
    return json_pack("{s:I, s:I, s:i, s:b}", "foo", foo, "bar", bar, "retries", celery_task_retries(task),
                     "is_eager", false);
}

json_t *retry_once(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest, *expires;
    json_int_t max_retries;
    double countdown;
    if (!celery_args(task, args, kwargs, "*args:A expires:o=null max_retries:I=1 countdown:d=0.1", &rest,
                     &expires, &max_retries, &countdown))
        return NULL;
    if (celery_task_retries(task) > 0)
        return json_integer(celery_task_retries(task));
    return celery_retry(task, &(struct celery_retry){.countdown = countdown,
                                                     .expires = json_number_value(expires),
                                                     .max_retries = (int)max_retries});
}

/* retry_once_ignore_result and retry_once_with_result. */
json_t *retry_once_now(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    if (celery_task_retries(task) > 0)
        return json_integer(celery_task_retries(task));
    return celery_retry(task, &(struct celery_retry){.countdown = -1});
}

json_t *retry_once_priority(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest, *expires;
    json_int_t max_retries;
    double countdown;
    if (!celery_args(task, args, kwargs, "*args:A expires:o=60 max_retries:I=1 countdown:d=0.1", &rest,
                     &expires, &max_retries, &countdown))
        return NULL;
    if (celery_task_retries(task) > 0)
        return json_incref(json_object_get(celery_task_delivery_info(task), "priority"));
    return celery_retry(task,
                        &(struct celery_retry){.countdown = countdown, .max_retries = (int)max_retries});
}

json_t *retry_once_headers(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    json_int_t max_retries;
    double countdown;
    if (!celery_args(task, args, kwargs, "*args:A max_retries:I=1 countdown:d=0.1", &rest, &max_retries,
                     &countdown))
        return NULL;
    if (celery_task_retries(task) == 0)
        return celery_retry(task,
                            &(struct celery_retry){.countdown = countdown, .max_retries = (int)max_retries});
    json_t *request = celery_task_request(task);
    json_t *headers = json_incref(json_object_get(request, "headers"));
    json_decref(request);
    return headers;
}

json_t *auto_retry_class_task(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    if (celery_task_retries(task) > 0)
        return json_integer(celery_task_retries(task));
    return celery_fail(task, "ValueError", NULL);
}

/* ---- rejects ---- */

static bool is_redelivered(struct celery_task *task)
{
    return json_is_true(json_object_get(celery_task_delivery_info(task), "redelivered"));
}

json_t *store_success_then_reject(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    if (!is_redelivered(task)) {
        celery_update_state(task, "SUCCESS", json_string("first-pass"));
        return celery_reject(task, NULL, true);
    }
    return json_string("dedup-pass"); /* where redeliveries of what has succeeded are run */
}

json_t *reject_then_succeed(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    if (!is_redelivered(task))
        return celery_reject(task, NULL, true);
    return json_string("second-pass");
}

json_t *reject_without_requeue(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    return celery_reject(task, "rejected", false);
}

json_t *soft_time_limit_must_exceed_time_limit(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    return json_null();
}
