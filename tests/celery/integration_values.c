/* Tasks that take values and return some: sums, files, ids, time. */
#include "integration_tasks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- values as Python has them ---- */

bool python_truth(const json_t *value)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) != 0;
    default:
        return json_is_true(value);
    }
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "dict", [JSON_ARRAY] = "list", [JSON_STRING] = "str", [JSON_INTEGER] = "int",
        [JSON_REAL] = "float",  [JSON_TRUE] = "bool",  [JSON_FALSE] = "bool", [JSON_NULL] = "NoneType"};
    return names[json_typeof(value)];
}

/* bool is an int. */
static bool is_whole(const json_t *value)
{
    return json_is_integer(value) || json_is_boolean(value);
}

static json_int_t whole_of(const json_t *value)
{
    return json_is_integer(value) ? json_integer_value(value) : json_is_true(value);
}

static bool is_number(const json_t *value)
{
    return is_whole(value) || json_is_real(value);
}

static double number_of(const json_t *value)
{
    return json_is_real(value) ? json_real_value(value) : (double)whole_of(value);
}

static json_t *unsupported(struct celery_task *task, const char *operator, const json_t * x, const json_t *y)
{
    return celery_fail(task, "TypeError", "unsupported operand type(s) for %s: '%s' and '%s'", operator,
                       type_name(x), type_name(y));
}

static json_t *concatenate_text(struct celery_task *task, const json_t *x, const json_t *y)
{
    if (!json_is_string(y))
        return celery_fail(task, "TypeError", "can only concatenate str (not \"%s\") to str", type_name(y));
    return json_sprintf("%s%s", json_string_value(x), json_string_value(y));
}

static json_t *concatenate_lists(struct celery_task *task, const json_t *x, const json_t *y)
{
    if (!json_is_array(y))
        return celery_fail(task, "TypeError", "can only concatenate list (not \"%s\") to list", type_name(y));
    json_t *list = json_array();
    json_array_extend(list, (json_t *)x);
    json_array_extend(list, (json_t *)y);
    return list;
}

json_t *python_add(struct celery_task *task, const json_t *x, const json_t *y)
{
    json_int_t sum;
    if (json_is_string(x))
        return concatenate_text(task, x, y);
    if (json_is_array(x))
        return concatenate_lists(task, x, y);
    if (!is_number(x) || !is_number(y))
        return unsupported(task, "+", x, y);
    if (!is_whole(x) || !is_whole(y))
        return json_real(number_of(x) + number_of(y));
    if (__builtin_add_overflow(whole_of(x), whole_of(y), &sum))
        return celery_fail(task, "OverflowError", "the sum does not fit into 64 bits");
    return json_integer(sum);
}

json_t *python_multiply(struct celery_task *task, const json_t *x, const json_t *y)
{
    json_int_t product;
    if (!is_number(x) || !is_number(y))
        return unsupported(task, "*", x, y);
    if (!is_whole(x) || !is_whole(y))
        return json_real(number_of(x) * number_of(y));
    if (__builtin_mul_overflow(whole_of(x), whole_of(y), &product))
        return celery_fail(task, "OverflowError", "the product does not fit into 64 bits");
    return json_integer(product);
}

json_t *python_sum(struct celery_task *task, const json_t *values)
{
    if (!json_is_array(values))
        return celery_fail(task, "TypeError", "'%s' object is not iterable", type_name(values));
    json_t *sum = json_integer(0), *value;
    size_t index;
    json_array_foreach(values, index, value)
    {
        json_t *next = sum == NULL ? NULL : python_add(task, sum, value);
        json_decref(sum);
        sum = next;
    }
    return sum;
}

json_t *python_text_or_none(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

bool python_sleep(struct celery_task *task, double seconds)
{
    const struct timespec step = {.tv_nsec = 10 * 1000 * 1000};
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (end = now; (double)(now.tv_sec - end.tv_sec) + (double)(now.tv_nsec - end.tv_nsec) / 1e9 < seconds;
         clock_gettime(CLOCK_MONOTONIC, &now)) {
        if (celery_soft_time_limit_passed(task))
            return false;
        nanosleep(&step, NULL);
    }
    return true;
}

/* ---- the tasks ---- */

json_t *identity(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x;
    if (!celery_args(task, args, kwargs, "x:o", &x))
        return NULL;
    return json_incref(x);
}

json_t *add(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y, *z;
    if (!celery_args(task, args, kwargs, "x:o y:o z:o=null", &x, &y, &z))
        return NULL;
    json_t *sum = python_add(task, x, y);
    if (sum == NULL || !python_truth(z))
        return sum;
    json_t *whole = python_add(task, sum, z);
    json_decref(sum);
    return whole;
}

/* add_not_typed, add_ignore_result and add_with_result. */
json_t *add_two(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y;
    if (!celery_args(task, args, kwargs, "x:o y:o", &x, &y))
        return NULL;
    return python_add(task, x, y);
}

json_t *mul(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y;
    if (!celery_args(task, args, kwargs, "x:o y:o", &x, &y))
        return NULL;
    return python_multiply(task, x, y);
}

json_t *write_to_file_and_return_int(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *file_name;
    json_int_t i;
    if (!celery_args(task, args, kwargs, "file_name:s i:I", &file_name, &i))
        return NULL;
    FILE *file = fopen(file_name, "ae");
    bool written = file != NULL && fprintf(file, "%lld\n", (long long)i) > 0;
    written = file != NULL && fclose(file) == 0 && written;
    if (!written)
        return celery_fail(task, "OSError", "%s: '%s'", strerror(errno), file_name);
    return json_integer(i);
}

json_t *delayed_sum(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *numbers;
    double pause_time;
    if (!celery_args(task, args, kwargs, "numbers:o pause_time:d=1", &numbers, &pause_time))
        return NULL;
    if (!python_sleep(task, pause_time))
        return NULL; /* SoftTimeLimitExceeded */
    return python_sum(task, numbers);
}

json_t *delayed_sum_with_soft_guard(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *numbers;
    double pause_time;
    if (!celery_args(task, args, kwargs, "numbers:o pause_time:d=1", &numbers, &pause_time))
        return NULL;
    if (!python_sleep(task, pause_time))
        return json_integer(0);
    return python_sum(task, numbers);
}

json_t *tsum(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *nums;
    if (!celery_args(task, args, kwargs, "nums:o", &nums))
        return NULL;
    return python_sum(task, nums);
}

json_t *xsum(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *nums, *num;
    size_t index;
    if (!celery_args(task, args, kwargs, "nums:o", &nums))
        return NULL;
    if (!json_is_array(nums))
        return python_sum(task, nums);
    json_t *sums = json_array();
    json_array_foreach(nums, index, num)
    {
        bool iterable = json_is_array(num) || json_is_object(num) || json_is_string(num);
        json_t *sum = iterable ? python_sum(task, num) : json_incref(num);
        if (sum == NULL) {
            json_decref(sums);
            return NULL;
        }
        json_array_append_new(sums, sum);
    }
    json_t *sum = python_sum(task, sums);
    json_decref(sums);
    return sum;
}

json_t *print_unicode(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *log_message, *print_message;
    if (!celery_args(task, args, kwargs, "log_message:s=\"håå®ƒ valmuefrø\" print_message:s=\"hiöäüß\"",
                     &log_message, &print_message))
        return NULL;
    celery_log(task, CELERY_WARNING, "%s", log_message);
    printf("%s\n", print_message);
    fflush(stdout);
    return json_null();
}

json_t *return_exception(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *e;
    if (!celery_args(task, args, kwargs, "e:o", &e))
        return NULL;
    return json_pack("[O, b]", e, true);
}

json_t *sleeping(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *others;
    double i;
    if (!celery_args(task, args, kwargs, "i:d **_:K", &i, &others))
        return NULL;
    return python_sleep(task, i) ? json_null() : NULL;
}

json_t *ids(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *i;
    if (!celery_args(task, args, kwargs, "i:o", &i))
        return NULL;
    return json_pack("[o, o, O]", python_text_or_none(celery_task_root_id(task)),
                     python_text_or_none(celery_task_parent_id(task)), i);
}

json_t *collect_ids(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *res, *i;
    if (!celery_args(task, args, kwargs, "res:o i:o", &res, &i))
        return NULL;
    return json_pack("[O, [o, o, O]]", res, python_text_or_none(celery_task_root_id(task)),
                     python_text_or_none(celery_task_parent_id(task)), i);
}

json_t *replaced_with_me(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    return json_true();
}

/* The model's fields, checked, and the result's, as a dict. */
json_t *add_pydantic(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *data;
    json_int_t x, y, sum;
    if (!celery_args(task, args, kwargs, "data:o", &data))
        return NULL;
    if (json_unpack(data, "{s:I, s:I}", "x", &x, "y", &y) != 0)
        return celery_fail(task, "ValueError", "AddParameterModel has the fields x and y, both int");
    if (__builtin_add_overflow(x, y, &sum))
        return celery_fail(task, "OverflowError", "the sum does not fit into 64 bits");
    return json_pack("{s:I}", "result", sum);
}

/* ---- what the request says ---- */

static json_t *request_member(struct celery_task *task, const char *name)
{
    json_t *request = celery_task_request(task);
    json_t *value = json_incref(json_object_get(request, name));
    json_decref(request);
    return value;
}

json_t *return_priority(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    if (!celery_args(task, args, kwargs, "*_args:A", &rest))
        return NULL;
    json_t *priority = json_object_get(celery_task_delivery_info(task), "priority");
    if (!json_is_integer(priority))
        return json_string("Priority: None");
    return json_sprintf("Priority: %lld", (long long)json_integer_value(priority));
}

json_t *return_request_eta(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    return request_member(task, "eta");
}

json_t *return_properties(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    return request_member(task, "properties");
}

json_t *return_request_time_limits(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    return json_pack("{s:o, s:o}", "time_limit", request_member(task, "time_limit"), "soft_time_limit",
                     request_member(task, "soft_time_limit"));
}
