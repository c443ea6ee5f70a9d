/* The thread of a consumer. Its state: connection closed -> connection open -> channel open (an epoch) ->
 * subscriptions active, one by one; a fault takes it back as far as the fault reaches, and the loop goes on
 * from there. */
#include "celeryc/amqp/consumer_state.h"
#include "celeryc/amqp/declare.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A channel number is used again only five epochs later, so that late frames of the last one are known. */
#define FIRST_CHANNEL 3
#define CHANNELS 5

/* ---- events ---- */

struct consumer_event *consumer_make_event(struct consumer *consumer, enum consumer_event_kind kind)
{
    struct consumer_event *event = calloc(1, sizeof *event);
    if (event == NULL)
        return NULL;
    event->kind = kind;
    event->epoch = consumer->epoch;
    wire_message_init(&event->message);
    return event;
}

void consumer_add_event(struct consumer *consumer, struct consumer_event *event)
{
    if (consumer->batch == NULL)
        consumer->batch = event;
    else
        consumer->batch_last->next = event;
    consumer->batch_last = event;
    consumer->batch_count++;
    consumer->batch_bytes += event->message.body_size;
}

void consumer_report(struct consumer *consumer, enum consumer_event_kind kind, const char *queue,
                     const char *reason)
{
    struct consumer_event *event = consumer_make_event(consumer, kind);
    if (event == NULL) {
        log_error("no memory to report what became of a consumer");
        return;
    }
    event->queue = queue == NULL ? NULL : strdup(queue);
    event->reason = reason == NULL ? NULL : strdup(reason);
    consumer_add_event(consumer, event);
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
    consumer_remove_cancelled(consumer, NULL);
    for (struct subscription *each = consumer->subscriptions; each != NULL; each = each->next) {
        each->active = false;
        each->unsettled = 0;
    }
    consumer_report(consumer, CONSUMER_LOST, NULL, reason);
}

void consumer_lose_channel(struct consumer *consumer, const struct error *reason)
{
    log_warning("channel of '%s' closed, opening another: %s", consumer->connection.options.purpose,
                reason->message);
    end_epoch(consumer, reason->message);
    consumer->retry_at =
        clock_monotonic() + connection_backoff(&consumer->connection, consumer->channel_failures++);
}

void consumer_lose_connection(struct consumer *consumer, const struct error *reason)
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

bool consumer_counts_globally(const struct consumer *consumer)
{
    return consumer->prefetch_global && consumer->connection.server_major < 4;
}

bool consumer_send_prefetch(struct consumer *consumer)
{
    bool global = consumer_counts_globally(consumer);
    unsigned count = consumer->prefetch;
    if (global && count > 0)
        count = consumer->waiting < CONSUMER_PREFETCH_MOST - count ? count + consumer->waiting
                                                                   : CONSUMER_PREFETCH_MOST;
    amqp_basic_qos_t qos = {.prefetch_count = (uint16_t)count, .global = global};
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
    consumer_lose_connection(consumer, &reason);
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
        !consumer_send_prefetch(consumer)) {
        if (reason.code == ERROR_NONE)
            error_set(&reason, ERROR_UNAVAILABLE, "connection to the broker lost");
        consumer->channel = 0; /* this epoch was never announced */
        consumer_lose_connection(consumer, &reason);
        return false;
    }
    return true;
}

/* ---- the loop ---- */

static double next_timer(const struct consumer *consumer)
{
    double next = consumer->channel == 0 ? consumer->retry_at : -1;
    for (const struct subscription *each = consumer->subscriptions; consumer->channel != 0 && each != NULL;
         each = each->next)
        if (consumer_is_wanted(each) && (next < 0 || each->retry_at < next))
            next = each->retry_at;
    if (consumer_wants_renewal(consumer) && (next < 0 || consumer->renew_at < next))
        next = consumer->renew_at;
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
    double timeout = consumer_has_orders(consumer) || owned_thread_is_stopping(&consumer->thread)
                         ? 0
                         : next_timer(consumer);
    connection_wait(&consumer->connection, consumer->thread.wake_fd, !paused, write, timeout);
    owned_thread_slept(&consumer->thread);
}

static void work(struct consumer *consumer)
{
    consumer_take_orders(consumer);
    if (consumer->connection.state == NULL && !open_connection(consumer))
        return;
    bool opened = consumer->channel == 0;
    if (opened && !open_channel(consumer))
        return;
    if (opened) /* what was asked for while that took its time belongs to this epoch, too */
        consumer_take_orders(consumer);
    if (!consumer_subscribe_due(consumer) || !consumer_renew_due(consumer))
        return;
    if (opened)
        consumer_report(consumer, CONSUMER_CONNECTED, NULL, NULL);
    if (consumer_write_settlings(consumer) && !is_paused(consumer))
        consumer_read_frames(consumer);
}

/* Settles what was asked for, as far as the broker takes it in time, and says goodbye. */
static void finish(struct consumer *consumer)
{
    consumer_take_orders(consumer);
    while (consumer->connection.state != NULL && consumer->channel != 0 && consumer->book.pending > 0 &&
           owned_thread_stop_time(&consumer->thread) > 0) {
        if (!consumer_write_settlings(consumer) || consumer->book.pending == 0)
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
