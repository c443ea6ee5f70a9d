#include "celeryc/message/encode.h"

#include <string.h>

/* Headers that are the protocol's own, or the broker's when it has dead-lettered a message: what is left are
 * the sender's (celery/app/task.py Context._get_custom_headers, X_DEATH_HEADERS). */
static bool is_protocol_header(const char *name)
{
    static const char *const names[] = {
        "args",
        "argsrepr",
        "callbacks",
        "called_directly",
        "chain",
        "children",
        "chord",
        "compression",
        "correlation_id",
        "delivery_info",
        "errbacks",
        "eta",
        "expires",
        "group",
        "group_index",
        "headers",
        "hostname",
        "id",
        "ignore_result",
        "is_eager",
        "kwargs",
        "kwargsrepr",
        "lang",
        "logfile",
        "loglevel",
        "origin",
        "parent_id",
        "properties",
        "replaced_task_nesting",
        "reply_to",
        "retries",
        "root_id",
        "shadow",
        "soft_time_limit",
        "stamped_headers",
        "stamps",
        "task",
        "taskset",
        "time_limit",
        "timelimit",
        "utc",
        "x-death",
        "x-first-death-exchange",
        "x-first-death-queue",
        "x-first-death-reason",
        "x-last-death-exchange",
        "x-last-death-queue",
        "x-last-death-reason",
        "x-delivery-count",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

json_t *task_message_custom_headers(json_t *headers)
{
    json_t *custom = json_object();
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value)
    {
        if (!is_protocol_header(name) && json_object_set(custom, name, value) != 0) {
            json_decref(custom);
            return NULL;
        }
    }
    return custom;
}

bool task_encode_retry(const struct wire_message *original, const struct task_message *message,
                       const struct task_body *body, const struct task_retry *retry,
                       struct wire_message *wire, struct error *error)
{
    wire_message_init(wire);
    json_t *custom = task_message_custom_headers(original->headers);
    if (custom == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a retry");
    enum tristate type_says = retry->ignore_result ? TRISTATE_YES : TRISTATE_NO;
    struct task_draft draft = {
        .id = message->id,
        .task = message->task,
        .args = retry->args,
        .kwargs = retry->kwargs,
        .callbacks = body->callbacks,
        .errbacks = body->errbacks,
        .chain = body->chain,
        .chord = body->chord,
        .eta = retry->eta,
        .expires = retry->expires,
        .expires_text = retry->expires > 0 ? NULL : message->expires_text,
        .shadow = message->shadow,
        .group = message->group,
        .root_id = message->root_id,
        /* As in Celery, where a task without a parent becomes its own: the retry is sent by it. */
        .parent_id = message->parent_id != NULL ? message->parent_id : message->id,
        .origin = message->origin,
        .reply_to = original->reply_to,
        .group_index = message->group_index,
        .retries = message->retries + 1,
        .replaced_task_nesting = message->replaced_task_nesting,
        .time_limit = message->time_limit,
        .soft_time_limit = message->soft_time_limit,
        .ignore_result = message->ignore_result == TRISTATE_UNSET ? type_says : message->ignore_result,
        .stamped_headers = message->stamped_headers,
        .stamps = message->stamps,
        .headers = custom,
        .exchange = original->exchange,
        .routing_key = original->routing_key,
        .priority = original->priority,
        .now = retry->now,
    };
    if (retry->args == NULL) {
        draft.args = body->args;
        draft.args_text = body->args_text;
        draft.argsrepr =
            message->protocol == 2 ? message->argsrepr : NULL; /* the sender may have hidden them */
    }
    if (retry->kwargs == NULL) {
        draft.kwargs = body->kwargs;
        draft.kwargs_text = body->kwargs_text;
        draft.kwargsrepr = message->protocol == 2 ? message->kwargsrepr : NULL;
    }
    bool good = task_encode(&draft, wire, error);
    json_decref(custom);
    return good;
}
