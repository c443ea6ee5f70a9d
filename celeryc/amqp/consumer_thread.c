/* The thread of a consumer. Its state: connection closed -> connection open -> channel open (an epoch) ->
 * subscriptions active, one by one; a fault takes it back as far as the fault reaches, and the loop goes on
 * from there. */
#include "celeryc/amqp/consumer_state.h"
#include "celeryc/amqp/declare.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CHANNEL                                                                                        \
    3 /* a channel number is used again only five epochs later: late frames of the last are known */
#define CHANNELS 5
#define FRAMES_A_TURN 4096  /* frames read before settlings are looked at again */
#define SETTLINGS_A_LOOK 64 /* frames written before the socket is looked at again */

/* ---- events ---- */

static struct consumer_event *make_event(struct consumer *consumer, enum consumer_event_kind kind)
{
    struct consumer_event *event = calloc(1, sizeof *event);
    if (event == NULL)
        return NULL;
    event->kind = kind;
    event->epoch = consumer->epoch;
    wire_message_init(&event->message);
    return event;
}

static void add_event(struct consumer *consumer, struct consumer_event *event)
{
    if (consumer->batch == NULL)
        consumer->batch = event;
    else
        consumer->batch_last->next = event;
    consumer->batch_last = event;
    consumer->batch_count++;
    consumer->batch_bytes += event->message.body_size;
}

static void report(struct consumer *consumer, enum consumer_event_kind kind, const char *queue,
                   const char *reason)
{
    struct consumer_event *event = make_event(consumer, kind);
    if (event == NULL) {
        log_error("no memory to report what became of a consumer");
        return;
    }
    event->queue = queue == NULL ? NULL : strdup(queue);
    event->reason = reason == NULL ? NULL : strdup(reason);
    add_event(consumer, event);
}

/* Shows the owner what came in this turn, with one wake-up. */
static void announce(struct consumer *consumer)
{
    uint64_t one = 1;
    if (consumer->batch == NULL)
        return;
    pthread_mutex_lock(&consumer->mutex);
    bool was_empty = consumer->first == NULL;
    if (was_empty)
        consumer->first = consumer->batch;
    else
        consumer->last->next = consumer->batch;
    consumer->last = consumer->batch_last;
    consumer->event_count += consumer->batch_count;
    consumer->event_bytes += consumer->batch_bytes;
    consumer->paused =
        consumer->event_count > CONSUMER_EVENTS_MOST || consumer->event_bytes > CONSUMER_BYTES_MOST;
    if (was_empty)
        while (write(consumer->event_fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
    pthread_mutex_unlock(&consumer->mutex);
    consumer->batch = consumer->batch_last = NULL;
    consumer->batch_count = consumer->batch_bytes = 0;
}

static bool is_paused(struct consumer *consumer)
{
    pthread_mutex_lock(&consumer->mutex);
    bool paused = consumer->paused;
    pthread_mutex_unlock(&consumer->mutex);
    return paused;
}

/* ---- faults ---- */

static void remove_cancelled(struct consumer *consumer, const amqp_bytes_t *tag)
{
    struct subscription **at = &consumer->subscriptions;
    while (*at != NULL) {
        struct subscription *each = *at;
        bool meant =
            tag == NULL || (strlen(each->tag) == tag->len && memcmp(each->tag, tag->bytes, tag->len) == 0);
        if (!each->cancelled || !meant) {
            at = &each->next;
            continue;
        }
        *at = each->next;
        queue_spec_free(each->spec);
        free(each);
    }
}

/* The epoch is over: what was delivered in it cannot be settled any more. */
static void end_epoch(struct consumer *consumer, const char *reason)
{
    if (consumer->channel == 0)
        return;
    consumer->channel = 0;
    if (clock_monotonic() - consumer->channel_opened_at >= CONNECTION_STEADY)
        consumer->channel_failures = 0;
    settlement_clear(&consumer->book);
    content_clear(&consumer->assembly);
    consumer_event_free(consumer->arriving);
    consumer->arriving = NULL;
    remove_cancelled(consumer, NULL);
    for (struct subscription *each = consumer->subscriptions; each != NULL; each = each->next)
        each->active = false;
    report(consumer, CONSUMER_LOST, NULL, reason);
}

static void lose_channel(struct consumer *consumer, const struct error *reason)
{
    log_warning("channel of '%s' closed, opening another: %s", consumer->connection.options.purpose,
                reason->message);
    end_epoch(consumer, reason->message);
    consumer->retry_at =
        clock_monotonic() + connection_backoff(&consumer->connection, consumer->channel_failures++);
}

static void lose_connection(struct consumer *consumer, const struct error *reason)
{
    if (connection_is_up(&consumer->connection, NULL))
        log_warning("connection '%s' lost: %s", consumer->connection.options.purpose, reason->message);
    connection_set_reason(&consumer->connection, reason);
    connection_close(&consumer->connection, false);
    for (struct subscription *each = consumer->subscriptions; each != NULL; each = each->next)
        each->barred = false;
    end_epoch(consumer, reason->message);
    consumer->retry_at = clock_monotonic() + connection_delay(&consumer->connection);
}

/* ---- opening ---- */

static bool send_prefetch(struct consumer *consumer)
{
    bool global = consumer->prefetch_global && consumer->connection.server_major < 4;
    amqp_basic_qos_t qos = {.prefetch_count = (uint16_t)consumer->prefetch, .global = global};
    return amqp_send_method(consumer->connection.state, consumer->channel, AMQP_BASIC_QOS_METHOD, &qos) ==
           AMQP_STATUS_OK;
}

static bool open_connection(struct consumer *consumer)
{
    struct error reason = {0};
    if (clock_monotonic() < consumer->retry_at)
        return false;
    bool open = connection_open(&consumer->connection, &reason);
    if (open &&
        connection_open_channel(&consumer->connection, DECLARE_CHANNEL, &reason) != CONNECTION_REPLY_OK)
        open = false;
    if (open) {
        consumer->retry_at = 0;
        return true;
    }
    if (!owned_thread_is_stopping(&consumer->thread))
        log_warning("connection '%s': %s", consumer->connection.options.purpose, reason.message);
    lose_connection(consumer, &reason);
    return false;
}

/* A new channel is a new epoch. */
static bool open_channel(struct consumer *consumer)
{
    struct error reason = {0};
    if (clock_monotonic() < consumer->retry_at)
        return false;
    consumer->epoch++;
    consumer->channel = (amqp_channel_t)(FIRST_CHANNEL + consumer->epoch % CHANNELS);
    consumer->channel_opened_at = clock_monotonic();
    if (connection_open_channel(&consumer->connection, consumer->channel, &reason) != CONNECTION_REPLY_OK ||
        !send_prefetch(consumer)) {
        if (reason.code == ERROR_NONE)
            error_set(&reason, ERROR_UNAVAILABLE, "connection to the broker lost");
        consumer->channel = 0; /* this epoch was never announced */
        lose_connection(consumer, &reason);
        return false;
    }
    return true;
}

/* ---- subscriptions ---- */

static void refuse(struct consumer *consumer, struct subscription *subscription, const struct error *reason)
{
    subscription->retry_at =
        clock_monotonic() + connection_backoff(&consumer->connection, ++subscription->failures);
    if (strncmp(subscription->refusal, reason->message, sizeof subscription->refusal - 1) == 0)
        return;
    snprintf(subscription->refusal, sizeof subscription->refusal, "%.255s", reason->message);
    log_warning("queue '%s' cannot be consumed from, trying again: %s", subscription->spec->name,
                reason->message);
    report(consumer, CONSUMER_QUEUE_REFUSED, subscription->spec->name, reason->message);
}

/* Whether the broker closed the connection over what it was asked (an unknown type of exchange, a feature
 * that it has not), and would do so again. */
static bool is_to_blame(const struct error *reason)
{
    return reason->code != ERROR_UNAVAILABLE && reason->code != ERROR_TIMEOUT;
}

/* RabbitMQ answers a consumer of a quorum queue under a global prefetch by closing the connection (540). */
static bool doubt_global_prefetch(struct consumer *consumer, const struct error *reason)
{
    if (strstr(reason->message, "global qos") == NULL || !consumer->prefetch_global)
        return false;
    log_warning("global prefetch is not possible with these queues, counting by consumer instead");
    consumer->prefetch_global = false;
    return true;
}

/* False when channel or connection was lost in it. */
static bool subscribe(struct consumer *consumer, struct subscription *subscription)
{
    struct error reason = {0};
    const struct queue_spec *spec = subscription->spec;
    enum connection_reply reply = declare_queue(&consumer->connection, spec, &reason);
    if (reply == CONNECTION_REPLY_REFUSED) {
        refuse(consumer, subscription, &reason);
        return true;
    }
    if (reply == CONNECTION_REPLY_OK) {
        if (spec->consumer_tag != NULL)
            snprintf(subscription->tag, sizeof subscription->tag, "%s", spec->consumer_tag);
        else
            snprintf(subscription->tag, sizeof subscription->tag, "c%u.%u", consumer->epoch,
                     ++consumer->tags_made);
        amqp_connection_state_t state = consumer->connection.state;
        amqp_basic_consume(state, consumer->channel, amqp_cstring_bytes(spec->name),
                           amqp_cstring_bytes(subscription->tag), 0, spec->no_ack, 0, amqp_empty_table);
        char what[320];
        snprintf(what, sizeof what, "consuming from queue '%s'", spec->name);
        reply = connection_check(&consumer->connection, consumer->channel, amqp_get_rpc_reply(state), what,
                                 &reason);
    }
    if (reply == CONNECTION_REPLY_GONE) {
        if (!doubt_global_prefetch(consumer, &reason) && is_to_blame(&reason)) {
            subscription->banned = true;
            refuse(consumer, subscription, &reason);
        }
        lose_connection(consumer, &reason);
        return false;
    }
    if (reply == CONNECTION_REPLY_REFUSED) {
        subscription->barred = true; /* trying again would cost the others their channel each time */
        refuse(consumer, subscription, &reason);
        lose_channel(consumer, &reason);
        return false;
    }
    subscription->active = true;
    subscription->failures = 0;
    subscription->refusal[0] = '\0';
    report(consumer, CONSUMER_QUEUE_READY, spec->name, NULL);
    return true;
}

static bool is_wanted(const struct subscription *subscription)
{
    return !subscription->active && !subscription->barred && !subscription->banned;
}

static bool subscribe_due(struct consumer *consumer)
{
    for (struct subscription *each = consumer->subscriptions; each != NULL; each = each->next) {
        if (owned_thread_is_stopping(&consumer->thread))
            return true;
        if (!each->active && !each->barred && clock_monotonic() >= each->retry_at &&
            !subscribe(consumer, each))
            return false;
    }
    return true;
}

/* ---- orders ---- */

/* Where the subscription to the queue hangs; the end of the list when there is none. */
static struct subscription **find_subscription(struct consumer *consumer, const char *queue)
{
    struct subscription **at = &consumer->subscriptions;
    while (*at != NULL && ((*at)->cancelled || strcmp((*at)->spec->name, queue) != 0))
        at = &(*at)->next;
    return at;
}

static void add_subscription(struct consumer *consumer, struct queue_spec *spec)
{
    struct subscription **at = find_subscription(consumer, spec->name);
    struct error reason = {0};
    if (!queue_spec_check(spec, &reason)) {
        report(consumer, CONSUMER_QUEUE_REFUSED, spec->name, reason.message);
        queue_spec_free(spec);
        return;
    }
    if (*at != NULL) { /* consumed from already: the new way of declaring counts from the next channel on */
        queue_spec_free((*at)->spec);
        (*at)->spec = spec;
        (*at)->banned = false;
        (*at)->retry_at = 0;
        return;
    }
    *at = calloc(1, sizeof **at);
    if (*at == NULL) {
        log_error("no memory to consume from queue '%s'", spec->name);
        queue_spec_free(spec);
        return;
    }
    (*at)->spec = spec;
    if (queue_spec_is_quorum(spec) && consumer->prefetch_global) {
        consumer->prefetch_global = false;
        if (consumer->channel != 0)
            send_prefetch(consumer);
    }
}

static void cancel_subscription(struct consumer *consumer, const char *queue)
{
    struct subscription **at = find_subscription(consumer, queue), *found = *at;
    if (found != NULL && found->active) {
        /* Not amqp_basic_cancel(): nothing hangs on the answer, and deliveries that cross it are valid. */
        amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes(found->tag), .nowait = 0};
        amqp_send_method(consumer->connection.state, consumer->channel, AMQP_BASIC_CANCEL_METHOD, &cancel);
        found->cancelled = true;
    } else if (found != NULL) {
        *at = found->next;
        queue_spec_free(found->spec);
        free(found);
    }
    report(consumer, CONSUMER_QUEUE_CANCELLED, queue, NULL);
}

static void follow_order(struct consumer *consumer, struct order *order)
{
    switch (order->kind) {
    case ORDER_ADD:
        add_subscription(consumer, order->spec);
        break;
    case ORDER_CANCEL:
        cancel_subscription(consumer, order->queue);
        break;
    case ORDER_PREFETCH:
        consumer->prefetch = order->prefetch;
        if (consumer->channel != 0)
            send_prefetch(consumer);
        break;
    }
}

static void take_orders(struct consumer *consumer)
{
    pthread_mutex_lock(&consumer->mutex);
    struct order *order = consumer->orders;
    struct settlings empty = consumer->taken;
    consumer->orders = consumer->last_order = NULL;
    consumer->taken = consumer->flushed;
    consumer->flushed = empty;
    pthread_mutex_unlock(&consumer->mutex);

    for (size_t i = 0; i < consumer->taken.count; i++) {
        const struct settling *settling = &consumer->taken.items[i];
        if (consumer->channel != 0 && settling->epoch == consumer->epoch)
            settlement_settle(&consumer->book, settling->tag, settling->how);
    }
    consumer->taken.count = 0;
    while (order != NULL) {
        struct order *next = order->next;
        follow_order(consumer, order);
        free(order->queue);
        free(order);
        order = next;
    }
}

static bool has_orders(struct consumer *consumer)
{
    pthread_mutex_lock(&consumer->mutex);
    bool some = consumer->orders != NULL || consumer->flushed.count > 0;
    pthread_mutex_unlock(&consumer->mutex);
    return some;
}

/* ---- settling ---- */

/* Writes what is to be settled while the socket takes it. False: the connection is lost. */
static bool write_settlings(struct consumer *consumer)
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
    lose_connection(consumer, &reason);
    return false;
}

/* ---- reading ---- */

static const struct subscription *subscription_of(const struct consumer *consumer, amqp_bytes_t tag)
{
    for (const struct subscription *each = consumer->subscriptions; each != NULL; each = each->next)
        if (strlen(each->tag) == tag.len && memcmp(each->tag, tag.bytes, tag.len) == 0)
            return each;
    return NULL;
}

static bool begin_delivery(struct consumer *consumer, const amqp_basic_deliver_t *deliver)
{
    struct consumer_event *event = make_event(consumer, CONSUMER_DELIVERY);
    if (event == NULL)
        return false;
    consumer->arriving = event;
    event->tag = deliver->delivery_tag;
    event->redelivered = deliver->redelivered;
    event->consumer_tag = strndup(deliver->consumer_tag.bytes, deliver->consumer_tag.len);
    const struct subscription *subscription = subscription_of(consumer, deliver->consumer_tag);
    consumer->arriving_no_ack = subscription != NULL && subscription->spec->no_ack;
    return event->consumer_tag != NULL &&
           content_begin(&consumer->assembly, deliver->exchange, deliver->routing_key);
}

/* A whole message is there: into the book and to the owner, or rejected where it cannot be used. */
static bool finish_delivery(struct consumer *consumer)
{
    struct consumer_event *event = consumer->arriving;
    const struct error *refusal = &consumer->assembly.refusal;
    consumer->arriving = NULL;
    if (!consumer->arriving_no_ack && !settlement_deliver(&consumer->book, event->tag)) {
        consumer_event_free(event);
        return false;
    }
    if (!consumer->assembly.skip) {
        event->message = consumer->assembly.message;
        wire_message_init(&consumer->assembly.message);
        add_event(consumer, event);
        return true;
    }
    bool requeue = refusal->code == ERROR_MEMORY;
    log_error("message from consumer %s %s: %s", event->consumer_tag, requeue ? "given back" : "rejected",
              refusal->message);
    settlement_settle(&consumer->book, event->tag, requeue ? SETTLEMENT_REQUEUE : SETTLEMENT_REJECT);
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
    take_orders(consumer);
    if (consumer->channel == 0 || !write_settlings(consumer))
        return;
    lose_channel(consumer, &reason);
    enum connection_reply reply = connection_check(&consumer->connection, channel,
                                                   amqp_channel_close(state, channel, AMQP_REPLY_SUCCESS),
                                                   "closing a channel", &reason);
    if (reply == CONNECTION_REPLY_GONE)
        lose_connection(consumer, &reason);
}

static bool protocol_error(struct consumer *consumer, const char *what)
{
    struct error reason = {0};
    error_set(&reason, ERROR_PROTOCOL, "%s", what);
    lose_connection(consumer, &reason);
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
        lose_channel(consumer, &reason);
        return false;
    case AMQP_BASIC_CANCEL_OK_METHOD:
        remove_cancelled(consumer, &((const amqp_basic_cancel_ok_t *)method->decoded)->consumer_tag);
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

static void read_frames(struct consumer *consumer)
{
    amqp_frame_t frame;
    struct error reason = {0};
    for (int i = 0; i < FRAMES_A_TURN; i++) {
        enum connection_frame what = connection_read(&consumer->connection, &frame, &reason);
        if (what == CONNECTION_NOTHING)
            return;
        if (what != CONNECTION_FRAME) {
            if (what == CONNECTION_BROKEN)
                reject_unreadable(consumer);
            lose_connection(consumer, &reason);
            return;
        }
        amqp_channel_t channel = frame.channel;
        handle_frame(consumer, &frame);
        if (consumer->connection.state == NULL)
            return;
        connection_release(&consumer->connection, channel);
    }
}

/* ---- the loop ---- */

static double next_timer(const struct consumer *consumer)
{
    double next = consumer->channel == 0 ? consumer->retry_at : -1;
    for (const struct subscription *each = consumer->subscriptions; consumer->channel != 0 && each != NULL;
         each = each->next)
        if (is_wanted(each) && (next < 0 || each->retry_at < next))
            next = each->retry_at;
    if (next < 0)
        return -1;
    double left = next - clock_monotonic();
    return left > 0 ? left : 0;
}

static void sleep_until_work(struct consumer *consumer)
{
    bool write = consumer->channel != 0 && consumer->book.pending > 0;
    owned_thread_will_sleep(&consumer->thread);
    bool paused = is_paused(consumer);
    double timeout =
        has_orders(consumer) || owned_thread_is_stopping(&consumer->thread) ? 0 : next_timer(consumer);
    connection_wait(&consumer->connection, consumer->thread.wake_fd, !paused, write, timeout);
    owned_thread_slept(&consumer->thread);
}

static void work(struct consumer *consumer)
{
    take_orders(consumer);
    if (consumer->connection.state == NULL && !open_connection(consumer))
        return;
    bool opened = consumer->channel == 0;
    if (opened && !open_channel(consumer))
        return;
    if (!subscribe_due(consumer))
        return;
    if (opened)
        report(consumer, CONSUMER_CONNECTED, NULL, NULL);
    if (write_settlings(consumer) && !is_paused(consumer))
        read_frames(consumer);
}

/* Settles what was asked for, as far as the broker takes it in time, and says goodbye. */
static void finish(struct consumer *consumer)
{
    take_orders(consumer);
    while (consumer->connection.state != NULL && consumer->channel != 0 && consumer->book.pending > 0 &&
           owned_thread_stop_time(&consumer->thread) > 0) {
        if (!write_settlings(consumer) || consumer->book.pending == 0)
            break;
        connection_wait(&consumer->connection, -1, false, true, owned_thread_stop_time(&consumer->thread));
    }
    bool polite = consumer->connection.state != NULL && connection_is_writable(&consumer->connection);
    connection_close(&consumer->connection, polite);
}

void consumer_run(void *context)
{
    struct consumer *consumer = context;
    while (!owned_thread_is_stopping(&consumer->thread)) {
        work(consumer);
        announce(consumer);
        sleep_until_work(consumer);
    }
    finish(consumer);
}
