/* The command that revokes tasks by their stamps. */
#include "celeryc/control/command.h"
#include "celeryc/control/request_info.h"
#include "celeryc/message/repr.h"
#include "celeryc/message/task_message.h"
#include "celeryc/worker/stamps.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define HEADERS_MOST 1000 /* in one command */

/* The headers: an object, or an array of "name=value" (of the command line). A new object; NULL: neither. */
static json_t *headers_of(struct control_call *call)
{
    json_t *given = json_object_get(call->arguments, "headers"), *headers, *item;
    size_t index;
    if (json_is_object(given))
        return json_incref(given);
    if (!json_is_array(given))
        return control_raise(call, "AttributeError", "headers are a dictionary, or a list of name=value");
    headers = json_object();
    json_array_foreach(given, index, item)
    {
        const char *text = json_is_string(item) ? json_string_value(item) : "";
        const char *equals = strchr(text, '=');
        char *name = equals != NULL ? strndup(text, (size_t)(equals - text)) : NULL;
        if (name == NULL) {
            json_decref(headers);
            return control_raise(call, "IndexError", "list index out of range");
        }
        json_object_set_new(headers, name, json_stringn(equals + 1, strcspn(equals + 1, "=")));
        free(name);
    }
    return headers;
}

static json_t *reply_about(const char *before, const json_t *headers, const char *after)
{
    struct bytes text;
    bytes_init(&text, (size_t)64 * 1024);
    (void)repr_append(&text, headers, false, 0, NULL);
    const char *shown = bytes_text(&text);
    json_t *reply = control_ok("%s%s%s", before, shown != NULL ? shown : "?", after);
    bytes_clear(&text);
    return reply;
}

/* ---- terminating ---- */

struct stamped { /* what runs here and has one of the stamps */
    const json_t *asked;
    json_t *ids;     /* array */
    json_t *matched; /* {header: {value: null}} */
};

static void find_stamped(void *visitor, const struct request *request)
{
    struct stamped *stamped = visitor;
    const char *header;
    json_t *values;
    bool found = false;
    if (request->message->stamps == NULL || strcmp(request_state_name(request), "active") != 0)
        return;
    json_object_foreach((json_t *)stamped->asked, header, values)
    {
        json_t *common = stamps_common(stamped->asked, header, request->message->stamps);
        if (json_array_size(common) > 0) {
            stamps_add(stamped->matched, header, common);
            found = true;
        }
        json_decref(common);
    }
    if (found)
        json_array_append_new(stamped->ids, json_string(request->id));
}

/* "headers defaultdict(<class 'set'>, {'who': {'me'}}) revoked", as Celery answers. */
static json_t *reply_matched(const json_t *matched)
{
    struct bytes text;
    const char *header, *value;
    json_t *values, *unused;
    bytes_init(&text, (size_t)64 * 1024);
    json_object_foreach((json_t *)matched, header, values)
    {
        bytes_append_text(&text, text.size > 0 ? ", " : "", NULL);
        (void)repr_append_string(&text, header, strlen(header), NULL);
        const char *between = ": {";
        json_object_foreach(values, value, unused)
        {
            json_t *one = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
            bytes_append_text(&text, between, NULL);
            (void)repr_append(&text, one, false, 0, NULL);
            json_decref(one);
            between = ", ";
        }
        bytes_append_text(&text, "}", NULL);
    }
    const char *shown = bytes_text(&text);
    json_t *reply =
        control_ok("headers defaultdict(<class 'set'>, {%s}) revoked", shown != NULL ? shown : "?");
    bytes_clear(&text);
    return reply;
}

static json_t *terminate_stamped(struct control_call *call, const json_t *headers, const json_t *asked,
                                 int number)
{
    const struct control_worker *worker = call->worker;
    struct stamped stamped = {.asked = asked, .ids = json_array(), .matched = json_object()};
    json_t *id, *reply;
    size_t index;
    worker->each_request(worker->context, find_stamped, &stamped);
    json_array_foreach(stamped.ids, index, id)
    {
        (void)worker->terminate(worker->context, json_string_value(id), number);
    }
    reply = json_object_size(stamped.matched) > 0 ? reply_matched(stamped.matched)
                                                  : reply_about("headers ", headers, " were not terminated");
    json_decref(stamped.ids);
    json_decref(stamped.matched);
    return reply;
}

/* ---- the command ---- */

static json_t *revoke_by_stamped_headers(struct control_call *call)
{
    const struct control_worker *worker = call->worker;
    int number = control_signal(call);
    json_t *headers = number != 0 ? headers_of(call) : NULL, *asked = json_object(), *value, *reply;
    const char *header;
    if (headers == NULL || json_object_size(headers) > HEADERS_MOST) {
        json_decref(asked);
        bool none = headers == NULL;
        json_decref(headers);
        return none ? NULL : control_raise(call, "ValueError", "more than %d headers", HEADERS_MOST);
    }
    json_object_foreach(headers, header, value)
    {
        stamps_add(asked, header, value);
        worker->revoke_stamp(worker->context, header, value);
        log_info("Tasks with the stamp %.200s are revoked", header);
    }
    reply = control_truth(call, "terminate")
                ? terminate_stamped(call, headers, asked, number)
                : reply_about("headers ", headers, " flagged as revoked, but not terminated");
    json_decref(asked);
    json_decref(headers);
    return reply;
}

const struct control_command steer_stamps_commands[] = {
    {.name = "revoke_by_stamped_headers",
     .kind = CONTROL_STEER,
     .required = {"headers"},
     .optional = {"terminate", "signal"},
     .any_keyword = true,
     .signature = "[key1=value1 [key2=value2 [... [keyN=valueN]]]]",
     .help = "Revoke task by header (or list of headers).",
     .run = revoke_by_stamped_headers},
    {.name = NULL},
};
