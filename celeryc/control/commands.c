#include "celeryc/control/commands.h"

#include "celeryc/message/repr.h"
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 65536 /* bytes of a reply's text; an id is at most 4096 */

static const struct control_command *const families[] = {
    inspect_worker_commands, inspect_tasks_commands, steer_events_commands, steer_tasks_commands,
    steer_stamps_commands,   steer_limits_commands,  steer_pool_commands,   steer_queues_commands,
};

const struct control_command *control_at(size_t index)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        for (const struct control_command *command = families[i]; command->name != NULL; command++) {
            if (index-- == 0)
                return command;
        }
    }
    return NULL;
}

const struct control_command *control_find(const char *name)
{
    const struct control_command *command;
    for (size_t i = 0; (command = control_at(i)) != NULL; i++) {
        if (strcmp(command->name, name) == 0 || (command->alias != NULL && strcmp(command->alias, name) == 0))
            return command;
    }
    return NULL;
}

/* ---- replies ---- */

static json_t *text_reply(const char *name, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        return NULL;
    json_t *reply = json_pack("{s:s}", name, text);
    free(text);
    return reply;
}

json_t *control_ok(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *reply = text_reply("ok", format, arguments);
    va_end(arguments);
    return reply;
}

json_t *control_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *reply = text_reply("error", format, arguments);
    va_end(arguments);
    return reply;
}

json_t *control_raise(struct control_call *call, const char *type, const char *format, ...)
{
    va_list arguments;
    char message[1024];
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    free(call->exception);
    call->exception = repr_exception(type, message, NULL);
    return NULL;
}

/* ---- arguments ---- */

const char *control_text(const struct control_call *call, const char *name)
{
    return json_string_value(json_object_get(call->arguments, name));
}

bool control_truth(const struct control_call *call, const char *name)
{
    const json_t *value = json_object_get(call->arguments, name);
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_TRUE:
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        return json_number_value(value) != 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    default:
        return false;
    }
}

long control_integer(const struct control_call *call, const char *name, long absent)
{
    const json_t *value = json_object_get(call->arguments, name);
    if (json_is_integer(value))
        return (long)json_integer_value(value);
    if (!json_is_string(value)) /* from an older command line */
        return absent;
    char *end;
    long number = strtol(json_string_value(value), &end, 10);
    return *end == '\0' && end != json_string_value(value) ? number : absent;
}

static bool is_parameter(const char *const *parameters, const char *name)
{
    for (size_t i = 0; i < CONTROL_PARAMETERS && parameters[i] != NULL; i++) {
        if (strcmp(parameters[i], name) == 0)
            return true;
    }
    return false;
}

/* Raises the TypeError that names what is missing, as Python does: 'a', 'b', and 'c'. */
static bool has_required(const struct control_command *command, struct control_call *call)
{
    const char *missing[CONTROL_PARAMETERS];
    char names[512];
    size_t count = 0, size = 0;
    for (size_t i = 0; i < CONTROL_PARAMETERS && command->required[i] != NULL; i++) {
        if (json_object_get(call->arguments, command->required[i]) == NULL)
            missing[count++] = command->required[i];
    }
    if (count == 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        const char *before = i == 0 ? "" : i + 1 < count ? ", " : count == 2 ? " and " : ", and ";
        size += (size_t)snprintf(names + size, sizeof names - size, "%s'%.64s'", before, missing[i]);
    }
    control_raise(call, "TypeError", "%s() missing %zu required positional argument%s: %s", command->name,
                  count, count == 1 ? "" : "s", names);
    return false;
}

/* Raises the TypeError that Python would, when the arguments do not fit. */
static bool bind(const struct control_command *command, struct control_call *call)
{
    const char *name;
    json_t *value;
    json_object_foreach(call->arguments, name, value)
    {
        if (command->any_keyword || is_parameter(command->required, name) ||
            is_parameter(command->optional, name))
            continue;
        control_raise(call, "TypeError", "%s() got an unexpected keyword argument '%.200s'", command->name,
                      name);
        return false;
    }
    return has_required(command, call);
}

/* ---- running ---- */

static json_t *run(const struct control_command *command, struct control_call *call, const char *method)
{
    json_t *reply = NULL;
    if (command == NULL)
        control_raise(call, "KeyError", "%.200s", method);
    else if (bind(command, call))
        reply = command->run(call);
    if (call->silent || reply != NULL)
        return reply;
    if (call->exception == NULL)
        return json_null();
    log_error("remote control: %s: %s", method, call->exception);
    return control_error("%.*s", TEXT_MOST, call->exception);
}

json_t *control_run(const struct control_worker *worker, const char *method, json_t *arguments)
{
    struct control_call call = {.worker = worker};
    call.arguments = json_is_object(arguments) ? json_incref(arguments) : json_object();
    json_t *reply = run(control_find(method), &call, method);
    json_decref(call.arguments);
    free(call.exception);
    return reply;
}
