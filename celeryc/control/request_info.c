#include "celeryc/control/request_info.h"

#include "celeryc/message/task_message.h"

#include <string.h>

#define BODY_MOST ((size_t)1024 * 1024) /* bytes of a body that is decoded to be shown */

const char *request_state_name(const struct request *request)
{
    switch (request->state) {
    case REQUEST_RUNNING:
    case REQUEST_SETTLING:
        return "active";
    case REQUEST_WAITING:
        return request->eta != 0 ? "scheduled" : "reserved";
    case REQUEST_DONE:
        return "ready";
    default:
        return "reserved";
    }
}

static json_t *text_or_null(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    return value != NULL ? value : json_null();
}

/* What the body holds, or the texts that the headers have of it. */
static void put_arguments(json_t *info, const struct request *request, bool safe)
{
    const struct task_message *message = request->message;
    struct task_body body;
    memset(&body, 0, sizeof body);
    bool decoded = !safe && request->wire.body_size <= BODY_MOST &&
                   task_body_decode(&request->wire, BODY_MOST, &body, NULL) == MESSAGE_GOOD;
    json_object_set_new(info, "args", decoded ? json_incref(body.args) : text_or_null(message->argsrepr));
    json_object_set_new(info, "kwargs",
                        decoded ? json_incref(body.kwargs) : text_or_null(message->kwargsrepr));
    task_body_clear(&body);
}

json_t *request_info(const struct request *request, const char *hostname, bool safe)
{
    json_t *info = json_object();
    if (info == NULL)
        return NULL;
    json_object_set_new(info, "id", text_or_null(request->id));
    json_object_set_new(info, "name", text_or_null(task_message_name(request->message)));
    put_arguments(info, request, safe);
    json_object_set_new(info, "type", text_or_null(request->message->task));
    json_object_set_new(info, "hostname", text_or_null(hostname));
    json_object_set_new(info, "time_start", request->started > 0 ? json_real(request->started) : json_null());
    json_object_set_new(info, "acknowledged", json_boolean(request->acknowledged));
    json_object_set_new(info, "delivery_info",
                        wire_message_delivery_info(&request->wire, request->redelivered));
    json_object_set_new(info, "worker_pid", request->pid > 0 ? json_integer(request->pid) : json_null());
    return info;
}
