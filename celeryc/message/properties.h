/* A message as it goes over the wire: AMQP properties, headers and body (AMQP 0-9-1, class basic;
 * kombu/message.py).
 *
 * One form serves both directions. Text fields are heap strings or NULL where the property is absent;
 * everything is owned by the struct and freed by wire_message_clear(). Not thread-safe; handed from thread to
 * thread by value. */
#ifndef CELERYC_MESSAGE_PROPERTIES_H
#define CELERYC_MESSAGE_PROPERTIES_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_message {
    char *exchange; /* "" is the default exchange */
    char *routing_key;
    char *content_type;     /* "application/json" */
    char *content_encoding; /* "utf-8", "binary" */
    char *correlation_id;
    char *reply_to;
    char *expiration; /* milliseconds as decimal text, as AMQP has it */
    char *message_id;
    char *type;
    char *user_id;
    char *app_id;
    uint64_t timestamp; /* seconds since 1970; 0 where absent */
    int delivery_mode;  /* 1 transient, 2 persistent, 0 absent */
    int priority;       /* 0 to 255, -1 absent */
    json_t *headers;    /* an object, or NULL for none; owned. Numbers, text, bool, null, arrays, objects */
    char *body;
    size_t body_size;
};

/* All absent: priority -1, everything else zero. */
void wire_message_init(struct wire_message *message);
void wire_message_clear(struct wire_message *message);

#endif
