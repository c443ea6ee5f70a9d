#include "celeryc/amqp/content.h"

#include "celeryc/amqp/table.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_OVERHEAD (8 + 14) /* frame header and end; class, weight, body size, flags */
#define PROPERTIES_MOST (CONNECTION_FRAME_MOST - FRAME_OVERHEAD)

/* The text properties: one table for checking, reading and writing. */
static const struct text_property {
    const char *name;
    size_t field;  /* in struct wire_message */
    size_t target; /* in amqp_basic_properties_t */
    amqp_flags_t flag;
} text_properties[] = {
#define TEXT_PROPERTY(name, flag)                                                                            \
    {                                                                                                        \
#name, offsetof(struct wire_message, name), offsetof(amqp_basic_properties_t, name), flag            \
    }
    TEXT_PROPERTY(content_type, AMQP_BASIC_CONTENT_TYPE_FLAG),
    TEXT_PROPERTY(content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG),
    TEXT_PROPERTY(correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG),
    TEXT_PROPERTY(reply_to, AMQP_BASIC_REPLY_TO_FLAG),
    TEXT_PROPERTY(expiration, AMQP_BASIC_EXPIRATION_FLAG),
    TEXT_PROPERTY(message_id, AMQP_BASIC_MESSAGE_ID_FLAG),
    TEXT_PROPERTY(type, AMQP_BASIC_TYPE_FLAG),
    TEXT_PROPERTY(user_id, AMQP_BASIC_USER_ID_FLAG),
    TEXT_PROPERTY(app_id, AMQP_BASIC_APP_ID_FLAG),
#undef TEXT_PROPERTY
};
#define TEXT_PROPERTIES (sizeof text_properties / sizeof text_properties[0])

static char **field_of(const struct wire_message *message, const struct text_property *property)
{
    return (char **)((char *)message + property->field);
}

/* ---- out ---- */

static bool check_text(const char *name, const char *text, size_t *size, struct error *error)
{
    size_t length = text == NULL ? 0 : strlen(text);
    if (length > 255)
        return error_set(error, ERROR_INVALID, "%s of more than 255 bytes", name);
    *size += text == NULL ? 0 : 1 + length;
    return true;
}

/* Bytes of properties and headers; 0 when they cannot be sent. */
static size_t properties_size(const struct wire_message *message, struct error *error)
{
    size_t size = 8 + 1 + 1, ignored = 0; /* timestamp, delivery mode, priority */
    for (size_t i = 0; i < TEXT_PROPERTIES; i++)
        if (!check_text(text_properties[i].name, *field_of(message, &text_properties[i]), &size, error))
            return 0;
    if (!check_text("exchange", message->exchange, &ignored, error) ||
        !check_text("routing key", message->routing_key, &ignored, error))
        return 0;
    if (message->headers != NULL && !json_is_object(message->headers)) {
        error_set(error, ERROR_INVALID, "headers that are no object");
        return 0;
    }
    size_t table = table_wire_size(message->headers, error);
    return table == 0 ? 0 : size + table;
}

bool content_check(const struct wire_message *message, struct error *error)
{
    if (message->priority < -1 || message->priority > 255)
        return error_set(error, ERROR_INVALID, "priority %d: 0 to 255", message->priority);
    if (message->delivery_mode < 0 || message->delivery_mode > 2)
        return error_set(error, ERROR_INVALID, "delivery mode %d: 1 or 2", message->delivery_mode);
    if (message->body == NULL && message->body_size > 0)
        return error_set(error, ERROR_INVALID, "message with a size and no body");
    size_t size = properties_size(message, error);
    if (size == 0)
        return false;
    if (size > PROPERTIES_MOST)
        return error_set(error, ERROR_LIMIT, "properties and headers of %zu bytes: at most %d", size,
                         PROPERTIES_MOST);
    return true;
}

static bool fill_properties(const struct wire_message *message, amqp_pool_t *pool,
                            amqp_basic_properties_t *to, struct error *error)
{
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < TEXT_PROPERTIES; i++) {
        const char *text = *field_of(message, &text_properties[i]);
        if (text == NULL)
            continue;
        *(amqp_bytes_t *)((char *)to + text_properties[i].target) = amqp_cstring_bytes(text);
        to->_flags |= text_properties[i].flag;
    }
    if (message->timestamp != 0) {
        to->timestamp = message->timestamp;
        to->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    }
    if (message->delivery_mode != 0) {
        to->delivery_mode = (uint8_t)message->delivery_mode;
        to->_flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    }
    if (message->priority >= 0) {
        to->priority = (uint8_t)message->priority;
        to->_flags |= AMQP_BASIC_PRIORITY_FLAG;
    }
    if (message->headers == NULL)
        return true;
    to->_flags |= AMQP_BASIC_HEADERS_FLAG;
    return table_from_json(message->headers, pool, &to->headers, error);
}

bool content_publish(struct connection *connection, amqp_channel_t channel,
                     const struct wire_message *message, bool mandatory, amqp_pool_t *pool,
                     struct error *error)
{
    amqp_basic_properties_t properties;
    int most = amqp_get_frame_max(connection->state) - FRAME_OVERHEAD;
    /* rabbitmq-c finds out only when basic.publish is already sent, and the channel would be out of step. */
    if (most < PROPERTIES_MOST) {
        size_t size = properties_size(message, error);
        if (size == 0 || size > (size_t)most)
            return error_set(error, ERROR_LIMIT, "properties and headers of %zu bytes: this broker takes %d",
                             size, most);
    }
    if (!fill_properties(message, pool, &properties, error))
        return error_set(error, ERROR_LIMIT, "headers that cannot be sent");
    amqp_bytes_t body = {message->body_size, message->body};
    int status = amqp_basic_publish(
        connection->state, channel, amqp_cstring_bytes(message->exchange == NULL ? "" : message->exchange),
        amqp_cstring_bytes(message->routing_key == NULL ? "" : message->routing_key), mandatory, 0,
        &properties, body);
    if (status != AMQP_STATUS_OK)
        return error_set(error, ERROR_UNAVAILABLE, "connection to the broker lost: %s",
                         amqp_error_string2(status));
    return true;
}

/* ---- in ---- */

bool content_begin(struct content_assembly *assembly, amqp_bytes_t exchange, amqp_bytes_t routing_key)
{
    content_clear(assembly);
    assembly->message.exchange = table_text(exchange);
    assembly->message.routing_key = table_text(routing_key);
    assembly->wants_header = true;
    return assembly->message.exchange != NULL && assembly->message.routing_key != NULL;
}

void content_clear(struct content_assembly *assembly)
{
    wire_message_clear(&assembly->message);
    assembly->wants_header = assembly->wants_body = assembly->skip = false;
    assembly->left = 0;
    assembly->refusal.code = ERROR_NONE;
}

static void refuse(struct content_assembly *assembly)
{
    assembly->skip = true;
    free(assembly->message.body);
    assembly->message.body = NULL;
}

static bool read_properties(struct content_assembly *assembly, const amqp_basic_properties_t *from)
{
    struct wire_message *message = &assembly->message;
    for (size_t i = 0; i < TEXT_PROPERTIES; i++) {
        if ((from->_flags & text_properties[i].flag) == 0)
            continue;
        char *text = table_text(*(const amqp_bytes_t *)((const char *)from + text_properties[i].target));
        if (text == NULL)
            return error_set(&assembly->refusal, ERROR_MEMORY, "no memory for a property");
        *field_of(message, &text_properties[i]) = text;
    }
    if (from->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
        message->timestamp = from->timestamp;
    if (from->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG)
        message->delivery_mode = from->delivery_mode;
    if (from->_flags & AMQP_BASIC_PRIORITY_FLAG)
        message->priority = from->priority;
    if (from->_flags & AMQP_BASIC_HEADERS_FLAG) {
        message->headers = table_to_json(&from->headers, &assembly->refusal);
        return message->headers != NULL;
    }
    return true;
}

static enum content_progress add_header(struct content_assembly *assembly, const amqp_frame_t *frame,
                                        size_t limit)
{
    uint64_t size = frame->payload.properties.body_size;
    if (frame->frame_type != AMQP_FRAME_HEADER || frame->payload.properties.class_id != AMQP_BASIC_CLASS)
        return CONTENT_UNEXPECTED;
    assembly->wants_header = false;
    assembly->left = size;
    if (!read_properties(assembly, frame->payload.properties.decoded))
        refuse(assembly);
    if (size > limit) {
        error_set(&assembly->refusal, ERROR_LIMIT, "body of %llu bytes: at most %zu",
                  (unsigned long long)size, limit);
        refuse(assembly);
    }
    if (!assembly->skip) {
        assembly->message.body =
            malloc((size_t)size + 1); /* with a NUL behind it, for those who parse it as text */
        if (assembly->message.body == NULL) {
            error_set(&assembly->refusal, ERROR_MEMORY, "no memory for a body of %llu bytes",
                      (unsigned long long)size);
            refuse(assembly);
        } else {
            assembly->message.body[size] = '\0';
        }
    }
    assembly->wants_body = size > 0;
    return size > 0 ? CONTENT_MORE : CONTENT_COMPLETE;
}

enum content_progress content_add(struct content_assembly *assembly, const amqp_frame_t *frame, size_t limit)
{
    if (assembly->wants_header)
        return add_header(assembly, frame, limit);
    if (!assembly->wants_body || frame->frame_type != AMQP_FRAME_BODY)
        return CONTENT_UNEXPECTED;
    amqp_bytes_t piece = frame->payload.body_fragment;
    if (piece.len > assembly->left)
        return CONTENT_UNEXPECTED;
    if (!assembly->skip && piece.len > 0) {
        memcpy(assembly->message.body + assembly->message.body_size, piece.bytes, piece.len);
        assembly->message.body_size += piece.len;
    }
    assembly->left -= piece.len;
    assembly->wants_body = assembly->left > 0;
    return assembly->left > 0 ? CONTENT_MORE : CONTENT_COMPLETE;
}
