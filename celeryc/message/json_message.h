/* Messages with a JSON body, as kombu's producers publish them: content type, encoding, delivery mode,
 * priority 0. Pure. Source: kombu/messaging.py Producer.publish, kombu/pidbox.py Mailbox._publish. */
#ifndef CELERYC_MESSAGE_JSON_MESSAGE_H
#define CELERYC_MESSAGE_JSON_MESSAGE_H

#include "celeryc/message/properties.h"

#define CONTROL_EXCHANGE "celery.pidbox" /* a fanout: each worker's mailbox is bound to it */
#define CONTROL_REPLY_EXCHANGE "reply.celery.pidbox"

/* Makes a message; headers and body are taken, in any case, and NULL for either is the fault. `wire` is to be
 * cleared when it is made. ERROR_INVALID. */
bool json_message_make(const char *exchange, const char *routing_key, json_t *headers, json_t *body,
                       int delivery_mode, struct wire_message *wire, struct error *error);

/* A request of remote control; all is borrowed. */
struct control_call_message {
    const char *method;
    json_t *arguments;             /* an object; NULL: none */
    json_t *destination;           /* an array of nodes; NULL: all */
    const char *ticket, *reply_to; /* of the replies, and the routing key of their queue; NULL: none wanted */
    int64_t clock;
    double expires; /* seconds since 1970 */
};

/* As json_message_make(). */
bool control_message_make(const struct control_call_message *call, struct wire_message *wire,
                          struct error *error);

#endif
