#include "celeryc/message/json_message.h"

#include "celeryc/message/json_text.h"

#include <string.h>

#define PERSISTENT 2 /* kombu's default, also for remote control */

bool json_message_make(const char *exchange, const char *routing_key, json_t *headers, json_t *body,
                       int delivery_mode, struct wire_message *wire, struct error *error)
{
    wire_message_init(wire);
    wire->headers = headers;
    wire->exchange = strdup(exchange);
    wire->routing_key = strdup(routing_key);
    wire->content_type = strdup("application/json");
    wire->content_encoding = strdup("utf-8");
    wire->delivery_mode = delivery_mode;
    wire->priority = 0;
    bool good = headers != NULL && body != NULL && wire->exchange != NULL && wire->routing_key != NULL &&
                wire->content_type != NULL && wire->content_encoding != NULL;
    if (good)
        wire->body = json_text_dump(body, &wire->body_size, error);
    else
        error_set(error, ERROR_INVALID, "no memory, or text that is not UTF-8, in a message to %s", exchange);
    json_decref(body);
    if (good && wire->body != NULL)
        return true;
    wire_message_clear(wire);
    return false;
}

static json_t *borrowed(json_t *value, json_t *absent)
{
    if (value == NULL)
        return absent;
    json_decref(absent);
    return json_incref(value);
}

bool control_message_make(const struct control_call_message *call, struct wire_message *wire,
                          struct error *error)
{
    json_t *body = json_pack("{s:s, s:o, s:o, s:n, s:n}", "method", call->method, "arguments",
                             borrowed(call->arguments, json_object()), "destination",
                             borrowed(call->destination, json_null()), "pattern", "matcher");
    if (call->ticket != NULL) {
        json_object_set_new(body, "ticket", json_string(call->ticket));
        json_object_set_new(
            body, "reply_to",
            json_pack("{s:s, s:s}", "exchange", CONTROL_REPLY_EXCHANGE, "routing_key", call->reply_to));
    }
    json_t *headers = json_pack("{s:I, s:f}", "clock", (json_int_t)call->clock, "expires", call->expires);
    return json_message_make(CONTROL_EXCHANGE, "", headers, body, PERSISTENT, wire, error);
}
