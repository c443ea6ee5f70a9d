#include "celeryc/control/control_request.h"

#include "celeryc/control/match.h"

#include <string.h>
#include <strings.h>

static bool is_json(const struct wire_message *message)
{
    return message->content_type != NULL && (strcasecmp(message->content_type, "application/json") == 0 ||
                                             strcasecmp(message->content_type, "json") == 0);
}

/* The reply's address; both parts or none. */
static void read_reply_to(struct control_request *request)
{
    const json_t *reply_to = json_object_get(request->body, "reply_to");
    request->reply_exchange = json_string_value(json_object_get(reply_to, "exchange"));
    request->reply_routing_key = json_string_value(json_object_get(reply_to, "routing_key"));
    if (request->reply_exchange == NULL || request->reply_routing_key == NULL)
        request->reply_exchange = request->reply_routing_key = NULL;
}

bool control_request_parse(const struct wire_message *message, struct control_request *request,
                           struct error *error)
{
    json_error_t problem;
    *request = (struct control_request){.body = NULL};
    if (!is_json(message))
        return error_set(error, ERROR_INVALID, "content type \"%.64s\" is not accepted",
                         message->content_type != NULL ? message->content_type : "");
    if (message->body_size > CONTROL_REQUEST_MOST)
        return error_set(error, ERROR_LIMIT, "a request of %zu bytes", message->body_size);
    request->body = json_loadb(message->body != NULL ? message->body : "", message->body_size, 0, &problem);
    if (request->body == NULL)
        return error_set(error, ERROR_INVALID, "not JSON: %s", problem.text);
    request->method = json_string_value(json_object_get(request->body, "method"));
    request->arguments = json_object_get(request->body, "arguments");
    request->ticket = json_string_value(json_object_get(request->body, "ticket"));
    request->clock = json_integer_value(json_object_get(message->headers, "clock"));
    read_reply_to(request);
    if (!json_is_object(request->arguments))
        request->arguments = NULL;
    if (request->method != NULL)
        return true;
    control_request_clear(request);
    return error_set(error, ERROR_INVALID, "no method");
}

void control_request_clear(struct control_request *request)
{
    json_decref(request->body);
    *request = (struct control_request){.body = NULL};
}

static bool names_node(const json_t *destination, const char *node)
{
    size_t index;
    json_t *name;
    if (json_is_string(destination))
        return strcmp(json_string_value(destination), node) == 0;
    json_array_foreach((json_t *)destination, index, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), node) == 0)
            return true;
    }
    return false;
}

bool control_request_is_for(const struct control_request *request, const char *node, bool *meant,
                            struct error *error)
{
    const json_t *destination = json_object_get(request->body, "destination");
    const char *pattern = json_string_value(json_object_get(request->body, "pattern"));
    const char *matcher = json_string_value(json_object_get(request->body, "matcher"));
    *meant = true;
    if (json_array_size(destination) > 0 || json_string_length(destination) > 0)
        *meant = names_node(destination, node);
    else if (pattern != NULL && *pattern != '\0' && matcher != NULL && *matcher != '\0')
        return control_match(node, pattern, matcher, meant, error);
    return true;
}
