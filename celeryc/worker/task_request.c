/* celery_task_request(): what Celery's own tasks find in `self.request`.
 * Source: celery/app/task.py Context, celery/worker/request.py Request.__init__ and __optimize__. */
#include "celeryc/worker/task_context.h"

#include "celeryc/message/json_whole.h"

#include <math.h>
#include <string.h>

static json_t *text_or_null(const char *text)
{
    json_t *value = text == NULL ? NULL : json_string(text);
    return value == NULL ? json_null() : value;
}

/* A whole number of seconds as an int, since that is what senders give. */
static json_t *seconds_or_null(double seconds)
{
    if (seconds <= 0)
        return json_null();
    return seconds == floor(seconds) && seconds < 1e15 ? json_integer((json_int_t)seconds)
                                                       : json_real(seconds);
}

static json_t *copy_or_null(const json_t *value)
{
    json_t *copy = value == NULL ? NULL : json_deep_copy(value);
    return copy == NULL ? json_null() : copy;
}

/* What only passes through the worker. */
static json_t *embedded(const struct text_slice *text)
{
    json_t *value = text->data == NULL ? NULL : json_whole_load(text->data, text->size, NULL);
    return value == NULL ? json_null() : value;
}

static void put_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, name, json_string(text));
}

/* The message's properties as py-amqp names them; those that are absent are left out. */
static json_t *properties(const struct wire_message *wire)
{
    json_t *object = json_object();
    put_text(object, "content_type", wire->content_type);
    put_text(object, "content_encoding", wire->content_encoding);
    json_object_set_new(object, "application_headers",
                        wire->headers == NULL ? json_object() : json_deep_copy(wire->headers));
    if (wire->delivery_mode > 0)
        json_object_set_new(object, "delivery_mode", json_integer(wire->delivery_mode));
    if (wire->priority >= 0)
        json_object_set_new(object, "priority", json_integer(wire->priority));
    put_text(object, "correlation_id", wire->correlation_id);
    put_text(object, "reply_to", wire->reply_to);
    put_text(object, "expiration", wire->expiration);
    put_text(object, "message_id", wire->message_id);
    if (wire->timestamp > 0)
        json_object_set_new(object, "timestamp", json_integer((json_int_t)wire->timestamp));
    put_text(object, "type", wire->type);
    put_text(object, "user_id", wire->user_id);
    put_text(object, "app_id", wire->app_id);
    return object;
}

static json_t *custom_headers_or_null(const struct wire_message *wire)
{
    json_t *headers = task_message_custom_headers(wire->headers);
    if (headers != NULL && json_object_size(headers) > 0)
        return headers;
    json_decref(headers);
    return json_null();
}

static json_t *ignore_result_or_null(enum tristate ignore)
{
    return ignore == TRISTATE_UNSET ? json_null() : json_boolean(ignore == TRISTATE_YES);
}

/* What the message says of the task itself. */
static void put_message(json_t *request, const struct task_message *message)
{
    json_object_set_new(request, "id", text_or_null(message->id));
    json_object_set_new(request, "task", text_or_null(message->task));
    json_object_set_new(request, "shadow", text_or_null(message->shadow));
    json_object_set_new(request, "lang", text_or_null(message->lang));
    json_object_set_new(request, "origin", text_or_null(message->origin));
    json_object_set_new(request, "root_id", text_or_null(message->root_id));
    json_object_set_new(request, "parent_id", text_or_null(message->parent_id));
    json_object_set_new(request, "group", text_or_null(message->group));
    json_object_set_new(request, "group_index",
                        message->group_index < 0 ? json_null() : json_integer(message->group_index));
    json_object_set_new(request, "retries", json_integer(message->retries));
    json_object_set_new(request, "eta", text_or_null(message->eta_text));
    json_object_set_new(request, "expires", text_or_null(message->expires_text));
    json_object_set_new(request, "argsrepr", text_or_null(message->argsrepr));
    json_object_set_new(request, "kwargsrepr", text_or_null(message->kwargsrepr));
    json_object_set_new(request, "ignore_result", ignore_result_or_null(message->ignore_result));
    json_object_set_new(request, "replaced_task_nesting", json_integer(message->replaced_task_nesting));
    json_object_set_new(request, "stamped_headers", copy_or_null(message->stamped_headers));
    json_object_set_new(request, "stamps", copy_or_null(message->stamps));
}

json_t *celery_task_request(const struct celery_task *task)
{
    const struct wire_message *wire = &task->order->wire;
    json_t *request = json_object();
    put_message(request, task->message);
    json_object_set_new(request, "args", copy_or_null(task->body.args));
    json_object_set_new(request, "kwargs", copy_or_null(task->body.kwargs));
    json_object_set_new(request, "callbacks", embedded(&task->body.callbacks));
    json_object_set_new(request, "errbacks", embedded(&task->body.errbacks));
    json_object_set_new(request, "chain", embedded(&task->body.chain));
    json_object_set_new(request, "chord", embedded(&task->body.chord));
    json_object_set_new(request, "time_limit", seconds_or_null(task->order->time_limit));
    json_object_set_new(request, "soft_time_limit", seconds_or_null(task->order->soft_time_limit));
    json_object_set_new(request, "timelimit",
                        json_pack("[o, o]", seconds_or_null(task->order->time_limit),
                                  seconds_or_null(task->order->soft_time_limit)));
    json_object_set_new(request, "headers", custom_headers_or_null(wire));
    json_object_set_new(request, "properties", properties(wire));
    json_object_set_new(request, "reply_to", text_or_null(wire->reply_to));
    json_object_set_new(request, "correlation_id", text_or_null(wire->correlation_id));
    json_object_set_new(request, "delivery_info", copy_or_null(task->delivery_info));
    json_object_set_new(request, "hostname", text_or_null(task->keeper->hostname));
    json_object_set_new(request, "is_eager", json_false());
    json_object_set_new(request, "called_directly", json_false());
    return request;
}
