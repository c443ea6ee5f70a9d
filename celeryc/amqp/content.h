/* The content of messages: wire_message <-> AMQP properties and body, and the assembling of what comes in
 * frames. Pure but for the sending. */
#ifndef CELERYC_AMQP_CONTENT_H
#define CELERYC_AMQP_CONTENT_H

#include "celeryc/amqp/connection.h"
#include "celeryc/message/properties.h"

/* Whether the message can be put on the wire: text properties of at most 255 bytes, priority 0 to 255,
 * properties and headers together in one frame. ERROR_INVALID or ERROR_LIMIT. */
bool content_check(const struct wire_message *message, struct error *error);

/* Sends basic.publish, header and body. `pool` is recycled by the caller. Waits where the socket is full.
 * ERROR_UNAVAILABLE: the connection is lost. ERROR_LIMIT: properties and headers do not fit into the frames
 * that this broker takes; nothing was sent. */
bool content_publish(struct connection *connection, amqp_channel_t channel,
                     const struct wire_message *message, bool mandatory, amqp_pool_t *pool,
                     struct error *error);

/* A message (delivery or return) of which some frames have come. */
struct content_assembly {
    bool wants_header, wants_body;
    bool skip;     /* over the limit or unusable: body frames are dropped */
    uint64_t left; /* bytes of body that are still to come */
    struct wire_message message;
    struct error refusal; /* with `skip`: why */
};

enum content_progress { CONTENT_MORE, CONTENT_COMPLETE, CONTENT_UNEXPECTED };

/* Begins with the method frame's exchange and routing key. What was assembled before is freed. False: no
 * memory. */
bool content_begin(struct content_assembly *assembly, amqp_bytes_t exchange, amqp_bytes_t routing_key);
/* Adds a header or body frame. CONTENT_COMPLETE: `message` may be taken (copied out, and the assembly's
 * cleared by wire_message_init), or with `skip` there is a `refusal` and no usable message.
 * CONTENT_UNEXPECTED: not AMQP. */
enum content_progress content_add(struct content_assembly *assembly, const amqp_frame_t *frame, size_t limit);
void content_clear(struct content_assembly *assembly);

#endif
