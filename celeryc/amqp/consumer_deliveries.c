/* What goes over a consumer's channel: deliveries in, settlings out. */
#include "celeryc/amqp/consumer_state.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_A_TURN 4096  /* frames read before settlings are looked at again */
#define SETTLINGS_A_LOOK 64 /* frames written before the socket is looked at again */

/* ---- settling ---- */

void consumer_settle(struct consumer *consumer, uint64_t tag, enum settlement how)
{
    const struct settlement_entry *entry = settlement_find(&consumer->book, tag);
    for (struct subscription *each = consumer->subscriptions; entry != NULL && each != NULL;
         each = each->next)
        each->unsettled -= each->number == entry->consumer && each->unsettled > 0;
    settlement_settle(&consumer->book, tag, how);
}

bool consumer_write_settlings(struct consumer *consumer)
{
    struct settlement_frame frame;
    amqp_connection_state_t state = consumer->connection.state;
    int status = AMQP_STATUS_OK;
    if (consumer->channel == 0 || consumer->book.pending == 0)
        return true;
    connection_cork(&consumer->connection, true);
    for (size_t i = 0; status == AMQP_STATUS_OK; i++) {
        if (i % SETTLINGS_A_LOOK == 0 && !connection_is_writable(&consumer->connection))
            break;
        if (!settlement_next(&consumer->book, &frame))
            break;
        status =
            frame.how == SETTLEMENT_ACK
                ? amqp_basic_ack(state, consumer->channel, frame.tag, frame.multiple)
                : amqp_basic_reject(state, consumer->channel, frame.tag, frame.how == SETTLEMENT_REQUEUE);
    }
    connection_cork(&consumer->connection, false);
    if (status == AMQP_STATUS_OK)
        return true;
    struct error reason = {0};
    error_set(&reason, ERROR_UNAVAILABLE, "connection to the broker lost: %s", amqp_error_string2(status));
    consumer_lose_connection(consumer, &reason);
    return false;
}

/* ---- reading ---- */

static struct subscription *subscription_of(const struct consumer *consumer, amqp_bytes_t tag)
{
    for (struct subscription *each = consumer->subscriptions; each != NULL; each = each->next)
        if (strlen(each->tag) == tag.len && memcmp(each->tag, tag.bytes, tag.len) == 0)
            return each;
    return NULL;
}

static bool begin_delivery(struct consumer *consumer, const amqp_basic_deliver_t *deliver)
{
    struct consumer_event *event = consumer_make_event(consumer, CONSUMER_DELIVERY);
    if (event == NULL)
        return false;
    consumer->arriving = event;
    event->tag = deliver->delivery_tag;
    event->redelivered = deliver->redelivered;
    event->consumer_tag = strndup(deliver->consumer_tag.bytes, deliver->consumer_tag.len);
    struct subscription *subscription = subscription_of(consumer, deliver->consumer_tag);
    consumer->arriving_no_ack = subscription != NULL && subscription->spec->no_ack;
    consumer->arriving_consumer = subscription != NULL ? subscription->number : 0;
    if (subscription != NULL)
        event->queue = strdup(subscription->spec->name);
    if (subscription != NULL && !consumer->arriving_no_ack)
        subscription->unsettled++;
    return event->consumer_tag != NULL &&
           content_begin(&consumer->assembly, deliver->exchange, deliver->routing_key);
}

/* A whole message is there: into the book and to the owner, or rejected where it cannot be used. */
static bool finish_delivery(struct consumer *consumer)
{
    struct consumer_event *event = consumer->arriving;
    const struct error *refusal = &consumer->assembly.refusal;
    consumer->arriving = NULL;
    if (!consumer->arriving_no_ack &&
        !settlement_deliver(&consumer->book, event->tag, consumer->arriving_consumer)) {
        consumer_event_free(event);
        return false;
    }
    if (!consumer->assembly.skip) {
        event->message = consumer->assembly.message;
        wire_message_init(&consumer->assembly.message);
        consumer_add_event(consumer, event);
        return true;
    }
    bool requeue = refusal->code == ERROR_MEMORY;
    log_error("message from consumer %s %s: %s", event->consumer_tag, requeue ? "given back" : "rejected",
              refusal->message);
    consumer_settle(consumer, event->tag, requeue ? SETTLEMENT_REQUEUE : SETTLEMENT_REJECT);
    consumer_event_free(event);
    return true;
}

/* The broker cancelled a consumer (its queue was deleted or moved, or it held a delivery for too long). What
 * is to be settled goes out first, then a new channel starts with a new epoch. */
static void handle_cancel(struct consumer *consumer, const amqp_basic_cancel_t *cancel)
{
    struct error reason = {0};
    const struct subscription *subscription = subscription_of(consumer, cancel->consumer_tag);
    if (subscription == NULL || subscription->cancelled)
        return;
    amqp_channel_t channel = consumer->channel;
    amqp_connection_state_t state = consumer->connection.state;
    error_set(&reason, ERROR_UNAVAILABLE, "the broker cancelled the consumer of queue '%s'",
              subscription->spec->name);
    if (!cancel->nowait) {
        amqp_basic_cancel_ok_t ok = {.consumer_tag = cancel->consumer_tag};
        amqp_send_method(state, channel, AMQP_BASIC_CANCEL_OK_METHOD, &ok);
    }
    consumer_take_orders(consumer);
    if (consumer->channel == 0 || !consumer_write_settlings(consumer))
        return;
    consumer_lose_channel(consumer, &reason);
    enum connection_reply reply = connection_check(&consumer->connection, channel,
                                                   amqp_channel_close(state, channel, AMQP_REPLY_SUCCESS),
                                                   "closing a channel", &reason);
    if (reply == CONNECTION_REPLY_GONE)
        consumer_lose_connection(consumer, &reason);
}

static bool protocol_error(struct consumer *consumer, const char *what)
{
    struct error reason = {0};
    error_set(&reason, ERROR_PROTOCOL, "%s", what);
    consumer_lose_connection(consumer, &reason);
    return false;
}

/* False when the channel or connection that it came on is gone. */
static bool handle_method(struct consumer *consumer, const amqp_method_t *method)
{
    struct error reason = {0};
    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD:
        if (consumer->arriving != NULL)
            return protocol_error(consumer, "a delivery inside another");
        if (begin_delivery(consumer, method->decoded))
            return true;
        return protocol_error(consumer, "no memory for a delivery");
    case AMQP_BASIC_CANCEL_METHOD:
        handle_cancel(consumer, method->decoded);
        return consumer->channel != 0;
    case AMQP_CHANNEL_CLOSE_METHOD:
        connection_answer_close(&consumer->connection, consumer->channel, method->decoded, &reason);
        consumer_lose_channel(consumer, &reason);
        return false;
    case AMQP_BASIC_CANCEL_OK_METHOD:
        consumer_remove_cancelled(consumer, &((const amqp_basic_cancel_ok_t *)method->decoded)->consumer_tag);
        return true;
    default: /* qos-ok, which is not waited for */
        return true;
    }
}

static bool handle_frame(struct consumer *consumer, const amqp_frame_t *frame)
{
    if (frame->channel != consumer->channel) /* of an epoch that is over */
        return true;
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_method(consumer, &frame->payload.method);
    if (consumer->arriving == NULL)
        return protocol_error(consumer, "content without a delivery");
    switch (content_add(&consumer->assembly, frame, consumer->message_limit)) {
    case CONTENT_MORE:
        return true;
    case CONTENT_COMPLETE:
        return finish_delivery(consumer) || protocol_error(consumer, "no memory for a delivery");
    default:
        return protocol_error(consumer, "frames in an order that AMQP does not have");
    }
}

/* The header of a delivery that rabbitmq-c cannot decode would come again with each connection, for ever. Its
 * delivery tag is known, so it is rejected before the connection is given up. */
static void reject_unreadable(struct consumer *consumer)
{
    if (consumer->channel == 0 || consumer->arriving == NULL || consumer->arriving_no_ack)
        return;
    log_error("message from consumer %s rejected: its properties cannot be read",
              consumer->arriving->consumer_tag);
    amqp_basic_reject(consumer->connection.state, consumer->channel, consumer->arriving->tag, 0);
    connection_abandon(&consumer->connection);
}

void consumer_read_frames(struct consumer *consumer)
{
    amqp_frame_t frame;
    struct error reason = {0};
    for (int i = 0; i < FRAMES_A_TURN && consumer->batch_bytes < CONSUMER_BYTES_MOST; i++) {
        enum connection_frame what = connection_read(&consumer->connection, &frame, &reason);
        if (what == CONNECTION_NOTHING)
            return;
        if (what != CONNECTION_FRAME) {
            if (what == CONNECTION_BROKEN)
                reject_unreadable(consumer);
            consumer_lose_connection(consumer, &reason);
            return;
        }
        amqp_channel_t channel = frame.channel;
        handle_frame(consumer, &frame);
        if (consumer->connection.state == NULL)
            return;
        connection_release(&consumer->connection, channel);
    }
}
