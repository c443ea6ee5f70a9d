#include "celeryc/message/encode.h"

#include "celeryc/message/iso_time.h"
#include "celeryc/message/json_text.h"
#include "celeryc/message/repr.h"
#include "common/bytes.h"
#include "common/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void task_draft_init(struct task_draft *draft)
{
    *draft = (struct task_draft){.group_index = -1, .priority = -1, .ignore_result = TRISTATE_UNSET};
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

/* Whole seconds as an integer, as they mostly are in Python; 0 is none. */
static json_t *seconds_or_null(double seconds)
{
    if (!(seconds > 0) || isinf(seconds))
        return json_null();
    if (seconds == floor(seconds) && seconds < 1e15)
        return json_integer((json_int_t)seconds);
    return json_real(seconds);
}

static const char *time_text(double wall, const char *text, char buffer[CLOCK_ISO_SIZE])
{
    if (text != NULL || wall == 0)
        return text;
    clock_iso8601(wall, buffer);
    return buffer;
}

static json_t *tristate_value(enum tristate value)
{
    return value == TRISTATE_UNSET ? json_null() : json_boolean(value == TRISTATE_YES);
}

/* The headers in the order in which Celery writes them. */
static json_t *make_headers(const struct task_draft *draft, const char *argsrepr, const char *kwargsrepr)
{
    char eta[CLOCK_ISO_SIZE], expires[CLOCK_ISO_SIZE];
    json_t *limits =
        json_pack("[o, o]", seconds_or_null(draft->time_limit), seconds_or_null(draft->soft_time_limit));
    const char *root_id = draft->root_id == NULL || draft->root_id[0] == '\0' ? draft->id : draft->root_id;
    const struct {
        const char *name;
        json_t *value;
    } headers[] = {
        {"lang", json_string("py")},
        {"task", json_string(draft->task)},
        {"id", json_string(draft->id)},
        {"shadow", text_or_null(draft->shadow)},
        {"eta", text_or_null(time_text(draft->eta, draft->eta_text, eta))},
        {"expires", text_or_null(time_text(draft->expires, draft->expires_text, expires))},
        {"group", text_or_null(draft->group)},
        {"group_index", draft->group_index < 0 ? json_null() : json_integer(draft->group_index)},
        {"retries", json_integer(draft->retries)},
        {"timelimit", limits},
        {"root_id", json_string(root_id)},
        {"parent_id", text_or_null(draft->parent_id)},
        {"argsrepr", json_string(argsrepr)},
        {"kwargsrepr", json_string(kwargsrepr)},
        {"origin", text_or_null(draft->origin)},
        {"ignore_result", tristate_value(draft->ignore_result)},
        {"replaced_task_nesting", json_integer(draft->replaced_task_nesting)},
        {"stamped_headers",
         draft->stamped_headers == NULL ? json_null() : json_deep_copy(draft->stamped_headers)},
        {"stamps", draft->stamps == NULL ? json_object() : json_deep_copy(draft->stamps)},
    };
    json_t *object = json_object();
    bool good = object != NULL;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (json_object_set_new(object, headers[i].name, headers[i].value) != 0)
            good = false;
    }
    if (good && draft->headers != NULL)
        good = json_object_update(object, draft->headers) == 0;
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static bool append_slice(struct bytes *body, const char *name, const struct text_slice *value, bool list,
                         struct error *error)
{
    if (!bytes_append_format(body, error, "\"%s\": ", name))
        return false;
    if (value->data == NULL)
        return bytes_append_text(body, "null", error);
    bool wrap = list && value->size > 0 && value->data[0] != '[';
    return (!wrap || bytes_append(body, "[", 1, error)) &&
           bytes_append(body, value->data, value->size, error) &&
           (!wrap || bytes_append(body, "]", 1, error));
}

static bool append_part(struct bytes *body, const json_t *value, const struct text_slice *text,
                        const char *empty, struct error *error)
{
    if (text->data != NULL)
        return bytes_append(body, text->data, text->size, error);
    return value == NULL ? bytes_append_text(body, empty, error) : json_text_append(body, value, error);
}

static bool make_body(const struct task_draft *draft, struct bytes *body, struct error *error)
{
    return bytes_append(body, "[", 1, error) &&
           append_part(body, draft->args, &draft->args_text, "[]", error) &&
           bytes_append(body, ", ", 2, error) &&
           append_part(body, draft->kwargs, &draft->kwargs_text, "{}", error) &&
           bytes_append(body, ", {", 3, error) &&
           append_slice(body, "callbacks", &draft->callbacks, true, error) &&
           bytes_append(body, ", ", 2, error) &&
           append_slice(body, "errbacks", &draft->errbacks, true, error) &&
           bytes_append(body, ", ", 2, error) && append_slice(body, "chain", &draft->chain, false, error) &&
           bytes_append(body, ", ", 2, error) && append_slice(body, "chord", &draft->chord, false, error) &&
           bytes_append(body, "}]", 2, error);
}

static bool is_number_of_milliseconds(double milliseconds)
{
    return milliseconds >= 0 && milliseconds < 4294967296.0; /* what RabbitMQ takes */
}

/* The AMQP property that lets the broker drop what nobody took in time: whole milliseconds as text. */
static bool make_expiration(const struct task_draft *draft, char **expiration)
{
    double expires = draft->expires;
    if (draft->expires_text != NULL && !iso_time_parse(draft->expires_text, &expires))
        return true;
    if (draft->expires_text == NULL && expires == 0)
        return true;
    double milliseconds = expires <= draft->now ? 0 : trunc((expires - draft->now) * 1000.0);
    if (!is_number_of_milliseconds(milliseconds))
        return true;
    if (asprintf(expiration, "%.0f", milliseconds) < 0) {
        *expiration = NULL;
        return false;
    }
    return true;
}

static bool make_properties(const struct task_draft *draft, struct wire_message *wire)
{
    wire->exchange = strdup(draft->exchange == NULL ? "" : draft->exchange);
    wire->routing_key = strdup(draft->routing_key == NULL ? "" : draft->routing_key);
    wire->content_type = strdup("application/json");
    wire->content_encoding = strdup("utf-8");
    wire->correlation_id = strdup(draft->id);
    wire->reply_to = strdup(draft->reply_to == NULL ? "" : draft->reply_to);
    wire->delivery_mode = 2;
    wire->priority = draft->priority < 0 ? 0 : draft->priority;
    return wire->exchange != NULL && wire->routing_key != NULL && wire->content_type != NULL &&
           wire->content_encoding != NULL && wire->correlation_id != NULL && wire->reply_to != NULL &&
           make_expiration(draft, &wire->expiration);
}

static bool check(const struct task_draft *draft, struct error *error)
{
    if (draft->id == NULL || draft->id[0] == '\0' || draft->task == NULL || draft->task[0] == '\0')
        return error_set(error, ERROR_INVALID, "a task needs an id and a name");
    if (strlen(draft->id) > MESSAGE_TEXT_MOST || strlen(draft->task) > MESSAGE_TEXT_MOST)
        return error_set(error, ERROR_INVALID, "a task's id and name have at most %d bytes",
                         MESSAGE_TEXT_MOST);
    if (draft->args != NULL && !json_is_array(draft->args))
        return error_set(error, ERROR_INVALID, "the arguments of %.128s are no array", draft->task);
    if (draft->kwargs != NULL && !json_is_object(draft->kwargs))
        return error_set(error, ERROR_INVALID, "the keyword arguments of %.128s are no object", draft->task);
    if (draft->headers != NULL && !json_is_object(draft->headers))
        return error_set(error, ERROR_INVALID, "the headers of %.128s are no object", draft->task);
    if (draft->priority > 255)
        return error_set(error, ERROR_INVALID, "priority %d is above 255", draft->priority);
    return true;
}

static bool make_message(const struct task_draft *draft, const char *argsrepr, const char *kwargsrepr,
                         struct wire_message *wire, struct error *error)
{
    wire->headers = make_headers(draft, argsrepr, kwargsrepr);
    if (wire->headers == NULL || !make_properties(draft, wire))
        return error_set(error, ERROR_INVALID, "no memory, or text that is not UTF-8, in a message of %.128s",
                         draft->task);
    struct bytes body;
    bytes_init(&body, 0);
    bool good = make_body(draft, &body, error);
    if (good) {
        wire->body = bytes_take(&body, &wire->body_size);
        good = wire->body != NULL || error_set(error, ERROR_MEMORY, "no memory for a body");
    }
    bytes_clear(&body);
    return good;
}

bool task_encode(const struct task_draft *draft, struct wire_message *wire, struct error *error)
{
    wire_message_init(wire);
    if (!check(draft, error))
        return false;
    char *args_made = NULL, *kwargs_made = NULL;
    if (draft->argsrepr == NULL)
        args_made = draft->args == NULL ? strdup("()") : repr_arguments(draft->args, error);
    if (draft->kwargsrepr == NULL)
        kwargs_made = draft->kwargs == NULL ? strdup("{}") : repr_value(draft->kwargs, error);
    const char *argsrepr = draft->argsrepr == NULL ? args_made : draft->argsrepr;
    const char *kwargsrepr = draft->kwargsrepr == NULL ? kwargs_made : draft->kwargsrepr;
    bool good = argsrepr != NULL && kwargsrepr != NULL;
    if (good)
        good = make_message(draft, argsrepr, kwargsrepr, wire, error);
    else
        error_set(error, ERROR_MEMORY, "no memory for the arguments of %.128s", draft->task);
    free(args_made);
    free(kwargs_made);
    return good;
}
