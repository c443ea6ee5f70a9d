#include "celeryc/worker/pool_order.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The text fields of a wire message, in the order in which they go. */
enum { WIRE_TEXTS = 11 };
static void wire_texts(struct wire_message *wire, char **texts[WIRE_TEXTS])
{
    char **all[WIRE_TEXTS] = {&wire->exchange,         &wire->routing_key,    &wire->content_type,
                              &wire->content_encoding, &wire->correlation_id, &wire->reply_to,
                              &wire->expiration,       &wire->message_id,     &wire->type,
                              &wire->user_id,          &wire->app_id};
    memcpy(texts, all, sizeof all);
}

void frame_put_wire(struct frame_writer *writer, const struct wire_message *wire)
{
    struct wire_message copy = *wire; /* shallow, for the table of its fields */
    char **texts[WIRE_TEXTS];
    wire_texts(&copy, texts);
    for (size_t i = 0; i < WIRE_TEXTS; i++)
        frame_put_text(writer, *texts[i]);
    frame_put_i64(writer, (int64_t)wire->timestamp);
    frame_put_u8(writer, (uint8_t)wire->delivery_mode);
    frame_put_i64(writer, wire->priority);
    frame_put_json(writer, wire->headers);
    frame_put_bytes(writer, wire->body, wire->body_size);
}

/* Everything but the headers is lent by the frame. */
static bool get_borrowed(struct frame_reader *reader, struct wire_message *wire)
{
    char **texts[WIRE_TEXTS];
    wire_message_init(wire);
    wire_texts(wire, texts);
    for (size_t i = 0; i < WIRE_TEXTS; i++)
        *texts[i] = (char *)frame_get_text(reader);
    wire->timestamp = (uint64_t)frame_get_i64(reader);
    wire->delivery_mode = frame_get_u8(reader);
    int64_t priority = frame_get_i64(reader);
    wire->priority = priority < -1 || priority > 255 ? -1 : (int)priority;
    wire->headers = frame_get_json(reader);
    wire->body = (char *)frame_get_bytes(reader, &wire->body_size);
    return !reader->failed;
}

static bool make_owned(struct wire_message *wire)
{
    struct wire_message borrowed = *wire;
    char **from[WIRE_TEXTS], **to[WIRE_TEXTS];
    bool whole = true;
    wire_texts(&borrowed, from);
    wire_texts(wire, to);
    for (size_t i = 0; i < WIRE_TEXTS; i++) {
        *to[i] = *from[i] == NULL ? NULL : strdup(*from[i]);
        whole = whole && (*from[i] == NULL) == (*to[i] == NULL);
    }
    wire->body = malloc(borrowed.body_size + 1);
    if (wire->body == NULL)
        return false;
    if (borrowed.body_size > 0)
        memcpy(wire->body, borrowed.body, borrowed.body_size);
    wire->body[borrowed.body_size] = '\0';
    return whole;
}

bool frame_get_wire(struct frame_reader *reader, struct wire_message *wire)
{
    bool ok = get_borrowed(reader, wire);
    if (!ok) {
        json_decref(wire->headers);
        wire_message_init(wire);
        return false;
    }
    ok = make_owned(wire);
    if (!ok) {
        wire_message_clear(wire);
        reader->failed = true;
    }
    return ok;
}

bool frame_copy_wire(const struct wire_message *from, struct wire_message *to)
{
    struct bytes bytes;
    enum frame_kind kind;
    struct frame_writer writer;
    struct frame_reader reader;
    size_t size;
    bytes_init(&bytes, 0);
    frame_begin(&writer, &bytes, FRAME_ORDER);
    frame_put_wire(&writer, from);
    bool copied = frame_end(&writer, NULL) &&
                  frame_next(bytes.data, bytes.size, &kind, &reader, &size) == FRAME_NEXT_WHOLE &&
                  frame_get_wire(&reader, to);
    bytes_clear(&bytes);
    return copied;
}

static void put_verdict(struct frame_writer *writer, const struct verdict *verdict)
{
    frame_put_text(writer, verdict->state);
    if (verdict->state == NULL)
        return;
    frame_put_json(writer, verdict->exception);
    frame_put_text(writer, verdict->traceback);
    frame_put_u8(writer, verdict->store);
    frame_put_u8(writer, (uint8_t)verdict->follow);
}

static void get_verdict(struct frame_reader *reader, struct verdict *verdict)
{
    verdict->state = frame_get_text(reader);
    if (verdict->state == NULL)
        return;
    verdict->exception = frame_get_json(reader);
    verdict->traceback = frame_get_text(reader);
    verdict->store = frame_get_u8(reader) != 0;
    uint8_t follow = frame_get_u8(reader);
    if (follow > FOLLOW_ALL)
        reader->failed = true;
    else
        verdict->follow = (enum verdict_follow)follow;
}

bool pool_order_put(struct bytes *to, const struct pool_order *order, struct error *error)
{
    struct frame_writer writer;
    frame_begin(&writer, to, FRAME_ORDER);
    frame_put_u32(&writer, order->serial);
    frame_put_u32(&writer, order->type);
    frame_put_u8(&writer, order->redelivered);
    frame_put_i64(&writer, order->lost_runs);
    frame_put_double(&writer, order->soft_time_limit);
    frame_put_double(&writer, order->time_limit);
    put_verdict(&writer, &order->verdict);
    frame_put_wire(&writer, &order->wire);
    return frame_end(&writer, error);
}

bool pool_order_get(struct frame_reader *reader, struct pool_order *order)
{
    *order = (struct pool_order){.serial = frame_get_u32(reader)};
    order->type = frame_get_u32(reader);
    order->redelivered = frame_get_u8(reader) != 0;
    int64_t lost = frame_get_i64(reader);
    order->lost_runs = lost < 0 ? 0 : lost > INT_MAX ? INT_MAX : (int)lost;
    order->soft_time_limit = frame_get_double(reader);
    order->time_limit = frame_get_double(reader);
    get_verdict(reader, &order->verdict);
    if (get_borrowed(reader, &order->wire) && frame_is_read(reader))
        return true;
    pool_order_clear(order);
    return false;
}

void pool_order_clear(struct pool_order *order)
{
    json_decref(order->wire.headers);
    wire_message_init(&order->wire);
    json_decref(order->verdict.exception);
    order->verdict = (struct verdict){.state = NULL};
}
