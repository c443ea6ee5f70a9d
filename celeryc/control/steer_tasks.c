/* Commands that end tasks before their time. */
#include "celeryc/control/command.h"
#include "common/bytes.h"
#include "common/log.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MOST 50000 /* in one command */

/* The ids: one text, or an array; each once. A new array. */
static json_t *ids_of(const struct control_call *call)
{
    json_t *ids = json_object_get(call->arguments, "task_id"), *id, *seen = json_object(),
           *unique = json_array();
    size_t index;
    if (json_is_string(ids))
        json_array_append(unique, ids);
    json_array_foreach(ids, index, id)
    {
        const char *text = json_string_value(id);
        if (text == NULL || json_object_get(seen, text) != NULL || json_array_size(unique) >= IDS_MOST)
            continue;
        json_object_set_new(seen, text, json_true());
        json_array_append(unique, id);
    }
    json_decref(seen);
    return unique;
}

int control_signal(struct control_call *call)
{
    const json_t *value = json_object_get(call->arguments, "signal");
    if (value == NULL || json_is_null(value))
        return SIGTERM;
    if (json_is_integer(value)) {
        json_int_t number = json_integer_value(value);
        if (number > 0 && number < NSIG)
            return (int)number;
        control_raise(call, "ValueError", "no such signal");
        return 0;
    }
    const char *name = json_is_string(value) ? json_string_value(value) : "";
    for (const char *at = name; *at != '\0' || at == name; at++) {
        if (*at != '\0' && !islower((unsigned char)*at))
            continue;
        control_raise(call, "TypeError", "signal name must be uppercase string.");
        return 0;
    }
    const char *shorter = strncmp(name, "SIG", 3) == 0 ? name + 3 : name;
    for (int number = 1; number < NSIG; number++) {
        const char *abbreviation = sigabbrev_np(number);
        if (abbreviation != NULL && strcmp(abbreviation, shorter) == 0)
            return number;
    }
    control_raise(call, "AttributeError", "module 'signal' has no attribute 'SIG%.32s'", shorter);
    return 0;
}

/* What stands between the ids, in Python's forms: "a, b", or "{'a', 'b'}" for a set. */
static char *join(const json_t *ids, bool as_set)
{
    struct bytes text;
    size_t index;
    json_t *id;
    bytes_init(&text, 0);
    if (as_set)
        bytes_append_text(&text, json_array_size(ids) > 0 ? "{" : "set()", NULL);
    json_array_foreach((json_t *)ids, index, id)
    {
        bytes_append_format(&text, NULL, as_set ? "%s'%s'" : "%s%s", index > 0 ? ", " : "",
                            json_string_value(id));
    }
    if (as_set && json_array_size(ids) > 0)
        bytes_append_text(&text, "}", NULL);
    return bytes_take(&text, NULL);
}

static json_t *reply_with(const char *before, const json_t *ids, bool as_set, const char *after)
{
    char *text = join(ids, as_set);
    json_t *reply = text != NULL ? control_ok("%s%s%s", before, text, after) : NULL;
    free(text);
    return reply;
}

static json_t *terminate_all(struct control_call *call, const json_t *ids, int number)
{
    const struct control_worker *worker = call->worker;
    json_t *hit = json_array(), *id, *reply;
    size_t index;
    json_array_foreach((json_t *)ids, index, id)
    {
        if (!worker->terminate(worker->context, json_string_value(id), number))
            continue;
        log_write(LOG_INFO, json_string_value(id), "Terminating %s (%d)", json_string_value(id), number);
        json_array_append(hit, id);
    }
    reply = json_array_size(hit) > 0 ? reply_with("terminate: ", hit, false, "")
                                     : control_ok("terminate: tasks unknown");
    json_decref(hit);
    return reply;
}

static json_t *revoke_ids(struct control_call *call, bool terminated)
{
    const struct control_worker *worker = call->worker;
    json_t *id, *reply, *ids = ids_of(call);
    size_t index;
    json_array_foreach(ids, index, id)
    {
        worker->revoke(worker->context, json_string_value(id));
        worker->store_revoked(worker->context, json_string_value(id));
    }
    char *names = join(ids, false);
    log_info("Tasks flagged as revoked: %s", names != NULL ? names : "");
    free(names);
    int number = terminated ? control_signal(call) : 0;
    reply = number != 0  ? terminate_all(call, ids, number)
            : terminated ? NULL
                         : reply_with("tasks ", ids, true, " flagged as revoked");
    json_decref(ids);
    return reply;
}

static json_t *revoke_tasks(struct control_call *call)
{
    return revoke_ids(call, control_truth(call, "terminate"));
}

static json_t *terminate_tasks(struct control_call *call)
{
    return revoke_ids(call, true);
}

const struct control_command steer_tasks_commands[] = {
    {.name = "revoke",
     .kind = CONTROL_STEER,
     .required = {"task_id"},
     .optional = {"terminate", "signal"},
     .any_keyword = true,
     .signature = "[id1 [id2 [... [idN]]]]",
     .help = "Revoke task by task id (or list of ids).",
     .run = revoke_tasks},
    {.name = "terminate",
     .kind = CONTROL_STEER,
     .required = {"signal", "task_id"},
     .any_keyword = true,
     .signature = "<signal> [id1 [id2 [... [idN]]]]",
     .help = "Terminate task by task id (or list of ids).",
     .run = terminate_tasks},
    {.name = NULL},
};
