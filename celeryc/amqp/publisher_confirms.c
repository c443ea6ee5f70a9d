/* What the broker answers a publisher: confirms, and messages that no queue took. */
#include "celeryc/amqp/publisher_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_TURN 4096
#define RETURNED_BODY_MOST ((size_t)1 << 30)

/* ---- reading ---- */

/* Confirms of `tag`, or of all up to it. */
static void handle_confirm(struct publisher *publisher, uint64_t tag, bool multiple, bool refused)
{
    struct outgoing_list settled = {0};
    pthread_mutex_lock(&publisher->mutex);
    struct outgoing_list *sent = &publisher->sent;
    for (struct outgoing *each = sent->first; each != NULL && each->tag <= tag; each = each->next) {
        if (!multiple && each->tag != tag)
            continue;
        each->confirmed = !refused;
        each->refused = refused;
    }
    while (sent->first != NULL && (sent->first->confirmed || sent->first->refused)) {
        struct outgoing *first = outgoing_take_first(sent);
        publisher->sent_bytes -= outgoing_wire_size(first);
        outgoing_append(&settled, first);
    }
    pthread_mutex_unlock(&publisher->mutex);
    publisher_finish_settled(publisher, &settled);
}

static bool same_text(const char *ours, const char *theirs)
{
    return strcmp(ours == NULL ? "" : ours, theirs == NULL ? "" : theirs) == 0;
}

static bool is_the_same(const struct wire_message *ours, const struct wire_message *theirs)
{
    return same_text(ours->exchange, theirs->exchange) && same_text(ours->routing_key, theirs->routing_key) &&
           same_text(ours->correlation_id, theirs->correlation_id) &&
           same_text(ours->message_id, theirs->message_id) && ours->body_size == theirs->body_size &&
           (ours->body_size == 0 || memcmp(ours->body, theirs->body, ours->body_size) == 0);
}

/* basic.return has no number; but returns come in the order of publishing and before the confirm. So it is
 * the first message with this content that was not returned yet. */
static void handle_return(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->mutex);
    struct outgoing *each = publisher->sent.first;
    while (each != NULL && (each->returned != NULL || each->confirmed ||
                            !is_the_same(&each->message, &publisher->returning.message)))
        each = each->next;
    if (each != NULL)
        each->returned = strdup(publisher->return_reason);
    pthread_mutex_unlock(&publisher->mutex);
    content_clear(&publisher->returning);
    publisher->is_returning = false;
}

static bool protocol_error(struct publisher *publisher, const char *what)
{
    struct error reason = {0};
    error_set(&reason, ERROR_PROTOCOL, "%s", what);
    publisher_lose_connection(publisher, &reason);
    return false;
}

static bool begin_return(struct publisher *publisher, const amqp_basic_return_t *from)
{
    snprintf(publisher->return_reason, sizeof publisher->return_reason,
             "%.*s (%d), exchange '%.*s', routing key '%.*s'", (int)from->reply_text.len,
             (char *)from->reply_text.bytes, from->reply_code, (int)from->exchange.len,
             (char *)from->exchange.bytes, (int)from->routing_key.len, (char *)from->routing_key.bytes);
    publisher->is_returning = true;
    return content_begin(&publisher->returning, from->exchange, from->routing_key) ||
           protocol_error(publisher, "no memory for a returned message");
}

static bool handle_method(struct publisher *publisher, const amqp_method_t *method)
{
    struct error reason = {0};
    if (method->id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = method->decoded;
        handle_confirm(publisher, ack->delivery_tag, ack->multiple, false);
    } else if (method->id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = method->decoded;
        handle_confirm(publisher, nack->delivery_tag, nack->multiple, true);
    } else if (method->id == AMQP_BASIC_RETURN_METHOD) {
        return begin_return(publisher, method->decoded);
    } else if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        connection_answer_close(&publisher->connection, publisher->channel, method->decoded, &reason);
        publisher_lose_channel(publisher, &reason);
        return false;
    }
    return true;
}

static bool handle_frame(struct publisher *publisher, const amqp_frame_t *frame)
{
    if (frame->channel != publisher->channel)
        return true;
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_method(publisher, &frame->payload.method);
    if (!publisher->is_returning)
        return protocol_error(publisher, "content without basic.return");
    enum content_progress progress = content_add(&publisher->returning, frame, RETURNED_BODY_MOST);
    if (progress == CONTENT_COMPLETE)
        handle_return(publisher);
    return progress != CONTENT_UNEXPECTED ||
           protocol_error(publisher, "frames in an order that AMQP does not have");
}

void publisher_read_frames(struct publisher *publisher)
{
    amqp_frame_t frame;
    struct error reason = {0};
    for (int i = 0; i < FRAMES_A_TURN; i++) {
        enum connection_frame what = connection_read(&publisher->connection, &frame, &reason);
        if (what == CONNECTION_NOTHING)
            return;
        if (what != CONNECTION_FRAME) {
            publisher_lose_connection(publisher, &reason);
            return;
        }
        amqp_channel_t channel = frame.channel;
        if (!handle_frame(publisher, &frame) && publisher->connection.state == NULL)
            return;
        connection_release(&publisher->connection, channel);
    }
}
