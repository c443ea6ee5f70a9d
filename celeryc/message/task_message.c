#include "celeryc/message/task_message.h"

#include "celeryc/message/body_parts.h"
#include "celeryc/message/iso_time.h"
#include "celeryc/message/repr.h"

#include <stdlib.h>
#include <string.h>

const char *message_fault_name(enum message_fault fault)
{
    static const char *const names[] = {"good",           "undecodable", "not accepted",
                                        "unknown format", "invalid",     "unfit"};
    return (size_t)fault < sizeof names / sizeof names[0] ? names[fault] : "unknown";
}

enum { COUNT_MOST = 1000000000 };

static bool is_set(const json_t *value)
{
    return value != NULL && !json_is_null(value);
}

/* Text that structure hangs on: an id or a name. Absent, null and "" are none. */
static bool read_text(const json_t *from, const char *name, const char **text, struct error *error)
{
    json_t *value = json_object_get(from, name);
    *text = NULL;
    if (!is_set(value))
        return true;
    if (!json_is_string(value))
        return error_set(error, ERROR_INVALID, "its `%s` is not a string", name);
    size_t size = json_string_length(value);
    if (size > MESSAGE_TEXT_MOST || memchr(json_string_value(value), '\0', size) != NULL)
        return error_set(error, ERROR_INVALID, "its `%s` is too long or holds a NUL", name);
    if (size > 0)
        *text = json_string_value(value);
    return true;
}

/* Ids of other tasks, which Celery does not look at before the task runs: what cannot be one is none. */
static const char *relative_id(const json_t *from, const char *name)
{
    const char *text;
    return read_text(from, name, &text, NULL) ? text : NULL;
}

/* The task's name. Celery looks up whatever stands there and does not find it, as long as it can be a key: so
 * null, a number and "" are names of unknown tasks, shown as Python shows them. A list or an object is no
 * key. */
static bool read_name(struct task_message *message, struct error *error)
{
    const json_t *value = json_object_get(message->source, "task");
    if (json_is_string(value)) {
        message->task = json_string_value(value);
        return strlen(message->task) == json_string_length(value) ||
               error_set(error, ERROR_INVALID, "its `task` holds a NUL");
    }
    if (json_is_array(value) || json_is_object(value))
        return error_set(error, ERROR_INVALID, "its `task` cannot be a name");
    message->task = message->task_made = repr_value(value, error);
    return message->task != NULL;
}

/* Text that is only shown: anything but a string is none. */
static const char *shown_text(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

static bool read_time(const json_t *from, const char *name, const char **text, double *wall,
                      struct error *error)
{
    json_t *value = json_object_get(from, name);
    *text = NULL;
    *wall = 0;
    if (!is_set(value))
        return true;
    *text = json_string_value(value);
    if (*text == NULL || strlen(*text) != json_string_length(value) || !iso_time_parse(*text, wall))
        return error_set(error, ERROR_INVALID, "invalid %s value: %.64s", name,
                         *text == NULL ? "not a string" : *text);
    return true;
}

/* Celery does not look at counts before the task runs: what is none is 0. */
static int count_of(const json_t *from, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(from, name));
    return number < 0 ? 0 : number > COUNT_MOST ? COUNT_MOST : (int)number;
}

/* [hard, soft], each null or seconds; 0 is none, as in Python. */
static bool read_time_limits(const json_t *from, struct task_message *message, struct error *error)
{
    json_t *limits = json_object_get(from, "timelimit");
    if (!is_set(limits) || (json_is_array(limits) && json_array_size(limits) == 0))
        return true;
    if (!json_is_array(limits) || json_array_size(limits) != 2)
        return error_set(error, ERROR_INVALID, "its `timelimit` is not a pair");
    double *const seconds[] = {&message->time_limit, &message->soft_time_limit};
    for (size_t i = 0; i < 2; i++) {
        json_t *limit = json_array_get(limits, i);
        if (is_set(limit) && !json_is_number(limit))
            return error_set(error, ERROR_INVALID, "its `timelimit` holds what is not a number");
        double value = json_number_value(limit);
        *seconds[i] = value > 0 ? value : 0;
    }
    return true;
}

/* As Python takes it. */
static bool is_true(const json_t *value)
{
    if (json_is_number(value))
        return json_number_value(value) != 0;
    return json_is_true(value) || json_string_length(value) > 0 || json_array_size(value) > 0 ||
           json_object_size(value) > 0;
}

static enum tristate read_tristate(const json_t *from, const char *name)
{
    json_t *value = json_object_get(from, name);
    if (!is_set(value))
        return TRISTATE_UNSET;
    return is_true(value) ? TRISTATE_YES : TRISTATE_NO;
}

static bool read_fields(const json_t *from, struct task_message *message, struct error *error)
{
    if (!read_text(from, "id", &message->id, error) || !read_name(message, error))
        return false;
    if (message->id == NULL)
        return error_set(error, ERROR_INVALID, "it has no id");
    message->root_id = relative_id(from, "root_id");
    message->parent_id = relative_id(from, "parent_id");
    message->group = relative_id(from, "group");
    if (!read_time(from, "eta", &message->eta_text, &message->eta, error) ||
        !read_time(from, "expires", &message->expires_text, &message->expires, error))
        return false;
    const double first = -62135596800.0, beyond = 253402300800.0; /* the years 1 and 10000 */
    message->eta_overflows = message->eta < first || message->eta >= beyond;
    message->retries = count_of(from, "retries");
    message->replaced_task_nesting = count_of(from, "replaced_task_nesting");
    if (!read_time_limits(from, message, error))
        return false;
    json_t *index = json_object_get(from, "group_index");
    json_int_t number = json_integer_value(index);
    message->group_index = json_is_integer(index) && number >= 0 && number <= COUNT_MOST ? (long)number : -1;
    message->shadow = shown_text(from, "shadow");
    if (message->shadow != NULL && message->shadow[0] == '\0')
        message->shadow = NULL;
    message->argsrepr = shown_text(from, "argsrepr");
    message->kwargsrepr = shown_text(from, "kwargsrepr");
    message->origin = shown_text(from, "origin");
    message->lang = shown_text(from, "lang");
    message->ignore_result = read_tristate(from, "ignore_result");
    json_t *stamped_headers = json_object_get(from, "stamped_headers"),
           *stamps = json_object_get(from, "stamps");
    message->stamped_headers = json_is_array(stamped_headers) ? stamped_headers : NULL;
    message->stamps = json_is_object(stamps) ? stamps : NULL;
    return true;
}

/* Takes `source`. */
static enum message_fault message_new(json_t *source, int protocol, struct task_message **made,
                                      struct error *error)
{
    struct task_message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        json_decref(source);
        error_set(error, ERROR_MEMORY, "no memory for a message");
        return MESSAGE_INVALID;
    }
    message->source = source;
    message->protocol = protocol;
    if (!read_fields(source, message, error)) {
        task_message_free(message);
        return MESSAGE_INVALID;
    }
    *made = message;
    return MESSAGE_GOOD;
}

void task_message_free(struct task_message *message)
{
    if (message == NULL)
        return;
    free(message->task_made);
    free(message->args_made);
    free(message->kwargs_made);
    json_decref(message->source);
    free(message);
}

const char *task_message_name(const struct task_message *message)
{
    return message->shadow != NULL ? message->shadow : message->task;
}

/* repr of a member of a protocol 1 body; its own text where Jansson cannot hold it. */
static char *show(const json_t *value, const struct text_slice *text, bool tuple)
{
    if (value == NULL && text->data == NULL)
        return strdup(tuple ? "()" : "{}"); /* the defaults of body.get() */
    if (value == NULL)
        return strndup(text->data, text->size);
    struct bytes bytes;
    bytes_init(&bytes, 0);
    char *shown = repr_append(&bytes, value, false, 0, NULL) ? bytes_take(&bytes, NULL) : NULL;
    bytes_clear(&bytes);
    return shown;
}

/* A body of protocol 1 is what the headers of protocol 2 are (strategy.py proto1_to_proto2). Takes `parts`'
 * fields. */
static enum message_fault read_protocol_1(struct body_parts *parts, struct task_message **made,
                                          struct error *error)
{
    json_t *source = parts->fields;
    if (source == NULL || json_object_get(source, "task") == NULL) {
        error_set(error, ERROR_INVALID, "neither its headers nor its body name a task");
        return MESSAGE_UNKNOWN_FORMAT;
    }
    json_t *kwargs = json_object_get(source, "kwargs");
    if (kwargs != NULL && !json_is_object(kwargs)) {
        error_set(error, ERROR_INVALID, "its keyword arguments are not a mapping");
        return MESSAGE_INVALID;
    }
    json_t *group = json_object_get(source, "taskset");
    if (group != NULL)
        json_object_set(source, "group", group);
    enum message_fault fault = message_new(json_incref(source), 1, made, error);
    if (fault != MESSAGE_GOOD)
        return fault;
    struct task_message *message = *made;
    message->argsrepr = message->args_made = show(json_object_get(source, "args"), &parts->args, true);
    message->kwargsrepr = message->kwargs_made = show(kwargs, &parts->kwargs, false);
    return MESSAGE_GOOD;
}

static enum message_fault parse_protocol_1(const struct wire_message *wire, struct task_message **made,
                                           struct error *error)
{
    struct body_parts parts;
    enum message_fault fault = body_parts_read(wire, 0, true, &parts, error);
    if (fault == MESSAGE_GOOD)
        fault = read_protocol_1(&parts, made, error);
    else if (fault ==
             MESSAGE_NOT_ACCEPTED) /* Celery decodes this one before anything else, and fails there */
        fault = body_type_is_trusted(wire) ? MESSAGE_UNKNOWN_FORMAT : MESSAGE_UNDECODABLE;
    else if (fault == MESSAGE_INVALID)
        fault = MESSAGE_UNKNOWN_FORMAT;
    body_parts_clear(&parts);
    return fault;
}

/* Headers without an id: the body may be a protocol 1 body that they are laid over (strategy.py
 * hybrid_to_proto2). */
static enum message_fault parse_hybrid(const struct wire_message *wire, struct task_message **made,
                                       struct error *error)
{
    struct body_parts parts;
    enum message_fault fault = body_parts_read(wire, 0, true, &parts, error);
    if (fault == MESSAGE_GOOD && (parts.fields == NULL || parts.args.data == NULL)) {
        error_set(error, ERROR_INVALID, "its headers have no id");
        fault = MESSAGE_INVALID;
    }
    if (fault == MESSAGE_GOOD) {
        json_object_update(parts.fields, wire->headers);
        fault = message_new(json_incref(parts.fields), 2, made, error);
    }
    body_parts_clear(&parts);
    return fault;
}

enum message_fault task_message_parse(const struct wire_message *wire, struct task_message **message,
                                      struct error *error)
{
    *message = NULL;
    if (!body_compression_is_known(wire)) {
        error_set(error, ERROR_INVALID, "its body is compressed in an unknown way");
        return MESSAGE_UNDECODABLE;
    }
    if (json_object_get(wire->headers, "task") == NULL)
        return parse_protocol_1(wire, message, error);
    enum message_fault fault;
    if (json_object_get(wire->headers, "id") == NULL && body_type_is_json(wire))
        fault = parse_hybrid(wire, message, error);
    else
        fault = message_new(json_incref(wire->headers), 2, message, error);
    if (fault == MESSAGE_GOOD && !body_type_is_json(wire)) {
        error_set(error, ERROR_INVALID, "content of type %.64s is not accepted",
                  wire->content_type == NULL ? "application/data" : wire->content_type);
        return MESSAGE_NOT_ACCEPTED;
    }
    return fault;
}

json_t *wire_message_delivery_info(const struct wire_message *wire, bool redelivered)
{
    json_t *priority = wire->priority < 0 ? json_null() : json_integer(wire->priority);
    return json_pack("{s:s?, s:s?, s:o, s:b}", "exchange", wire->exchange, "routing_key", wire->routing_key,
                     "priority", priority, "redelivered", redelivered);
}
