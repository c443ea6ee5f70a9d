#include "celeryc/message/properties.h"

#include <stdlib.h>
#include <string.h>

void wire_message_init(struct wire_message *message)
{
    memset(message, 0, sizeof *message);
    message->priority = -1;
}

void wire_message_clear(struct wire_message *message)
{
    free(message->exchange);
    free(message->routing_key);
    free(message->content_type);
    free(message->content_encoding);
    free(message->correlation_id);
    free(message->reply_to);
    free(message->expiration);
    free(message->message_id);
    free(message->type);
    free(message->user_id);
    free(message->app_id);
    json_decref(message->headers);
    free(message->body);
    wire_message_init(message);
}
