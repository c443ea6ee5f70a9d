/* A remote control request, read from a message and checked (kombu/pidbox.py handle_message). Pure. */
#ifndef CELERYC_CONTROL_CONTROL_REQUEST_H
#define CELERYC_CONTROL_CONTROL_REQUEST_H

#include "celeryc/message/properties.h"

#include <stdint.h>

struct control_request {
    json_t *body;                                   /* owned; what the others borrow from */
    const char *method;                             /* never NULL */
    json_t *arguments;                              /* an object, or NULL */
    const char *reply_exchange, *reply_routing_key; /* NULL: no reply is wanted */
    const char *ticket;                             /* or NULL */
    int64_t clock;                                  /* the sender's; 0: it has none */
};

/* Reads a message. ERROR_INVALID, ERROR_LIMIT (more than CONTROL_REQUEST_MOST bytes). */
#define CONTROL_REQUEST_MOST ((size_t)8 * 1024 * 1024)
bool control_request_parse(const struct wire_message *message, struct control_request *request,
                           struct error *error);
void control_request_clear(struct control_request *request);

/* Whether it is meant for `node`: by destination, else by pattern and matcher, else for all. ERROR_INVALID
 * for a pattern that cannot be matched (and false in *meant). */
bool control_request_is_for(const struct control_request *request, const char *node, bool *meant,
                            struct error *error);

#endif
