/* The thread of a publisher: connection closed -> open -> channel open; then messages go from `waiting` to
 * the broker and to `sent`, and leave when they are confirmed. A fault puts what was sent back to the front
 * of `waiting`. */
#include "celeryc/amqp/declare.h"
#include "celeryc/amqp/publisher_state.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A channel number is used again only five openings later, so that late frames of the last one are known. */
#define FIRST_CHANNEL 3
#define CHANNELS 5
#define EXPIRY_STEP 0.01 /* seconds between two searches for expired messages */

/* ---- lists ---- */

static void prepend(struct outgoing_list *list, struct outgoing_list *front)
{
    if (front->first == NULL)
        return;
    front->last->next = list->first;
    if (list->first == NULL)
        list->last = front->last;
    list->first = front->first;
    list->count += front->count;
    *front = (struct outgoing_list){0};
}

static void finish_all(struct publisher *publisher, struct outgoing_list *list, enum publish_outcome outcome,
                       const char *reason)
{
    for (struct outgoing *each = outgoing_take_first(list); each != NULL; each = outgoing_take_first(list))
        publisher_finish(publisher, each, outcome, reason);
}

void publisher_finish_settled(struct publisher *publisher, struct outgoing_list *list)
{
    for (struct outgoing *each = outgoing_take_first(list); each != NULL; each = outgoing_take_first(list)) {
        if (publisher->careful > 0)
            publisher->careful--;
        if (each->refused)
            publisher_finish(publisher, each, PUBLISH_REFUSED, "the broker answered basic.nack");
        else if (each->returned != NULL)
            publisher_finish(publisher, each, PUBLISH_RETURNED, each->returned);
        else
            publisher_finish(publisher, each, PUBLISH_CONFIRMED, NULL);
    }
}

/* ---- faults ---- */

/* Whether the broker's words name the exchange of the message: "NOT_FOUND - no exchange 'x' in vhost '/'
 * (404)". */
static bool is_named(const struct outgoing *outgoing, const struct error *reason)
{
    char quoted[300];
    const char *exchange = outgoing->message.exchange;
    if (exchange == NULL || exchange[0] == '\0' || reason->code != ERROR_NOT_FOUND)
        return false;
    snprintf(quoted, sizeof quoted, "no exchange '%s' in vhost", exchange);
    return strstr(reason->message, quoted) != NULL;
}

/* Sorts what was sent on a channel that is gone: `blamed` for its closing, settled, or to be sent again. */
static void sort_sent(struct publisher *publisher, const struct error *blame, struct outgoing_list *blamed,
                      struct outgoing_list *settled)
{
    struct outgoing_list again = {0};
    pthread_mutex_lock(&publisher->mutex);
    bool alone = publisher->sent.count == 1;
    for (struct outgoing *each = outgoing_take_first(&publisher->sent); each != NULL;
         each = outgoing_take_first(&publisher->sent)) {
        if (each->confirmed || each->refused || each->over)
            outgoing_append(settled, each);
        else if (blame != NULL && (alone || is_named(each, blame)))
            outgoing_append(blamed, each);
        else
            outgoing_append(&again, each);
    }
    publisher->sent_bytes = 0;
    for (struct outgoing *each = again.first; each != NULL; each = each->next) {
        free(each->returned);
        each->returned = NULL;
    }
    /* Nobody named: the next time one by one, so that the guilty one is alone with the fault. */
    if (blame != NULL && blamed->first == NULL)
        publisher->careful = again.count;
    prepend(&publisher->waiting, &again);
    pthread_mutex_unlock(&publisher->mutex);
}

/* `blame`: the broker's reason for closing the channel, where a message may be the cause. */
static void end_channel(struct publisher *publisher, const struct error *blame)
{
    struct outgoing_list blamed = {0}, settled = {0};
    publisher->channel = 0;
    publisher->is_returning = false;
    content_clear(&publisher->returning);
    if (clock_monotonic() - publisher->channel_opened_at >= CONNECTION_STEADY)
        publisher->channel_failures = 0;
    if (publisher->confirm) {
        sort_sent(publisher, blame, &blamed, &settled);
    } else {
        pthread_mutex_lock(&publisher->mutex);
        publisher->dropped += publisher->sent.count;
        blamed = publisher->sent;
        publisher->sent = (struct outgoing_list){0};
        publisher->sent_bytes = 0;
        pthread_mutex_unlock(&publisher->mutex);
    }
    bool found = blamed.first != NULL;
    finish_all(publisher, &blamed, PUBLISH_REFUSED,
               blame != NULL ? blame->message : "the connection was lost");
    publisher_finish_settled(publisher, &settled);
    /* The guilty are out: the others need not wait for the channel. */
    if (!found || !publisher->confirm)
        publisher->retry_at =
            clock_monotonic() + connection_backoff(&publisher->connection, publisher->channel_failures++);
}

void publisher_lose_channel(struct publisher *publisher, const struct error *reason)
{
    log_warning("channel of '%s' closed, opening another: %s", publisher->connection.options.purpose,
                reason->message);
    publisher_forget_exchanges(publisher);
    end_channel(publisher, reason->code == ERROR_UNAVAILABLE ? NULL : reason);
}

void publisher_lose_connection(struct publisher *publisher, const struct error *reason)
{
    if (connection_is_up(&publisher->connection, NULL))
        log_warning("connection '%s' lost: %s", publisher->connection.options.purpose, reason->message);
    connection_set_reason(&publisher->connection, reason);
    connection_close(&publisher->connection, false);
    publisher_forget_exchanges(publisher);
    if (publisher->channel != 0)
        end_channel(publisher, NULL);
    publisher->retry_at = clock_monotonic() + connection_delay(&publisher->connection);
    publisher->stalled = false;
}

/* ---- opening ---- */

static bool open_connection(struct publisher *publisher)
{
    struct error reason = {0};
    if (clock_monotonic() < publisher->retry_at)
        return false;
    bool open =
        connection_open(&publisher->connection, &reason) &&
        connection_open_channel(&publisher->connection, DECLARE_CHANNEL, &reason) == CONNECTION_REPLY_OK;
    if (!open) {
        if (!owned_thread_is_stopping(&publisher->thread))
            log_warning("connection '%s': %s", publisher->connection.options.purpose, reason.message);
        publisher_lose_connection(publisher, &reason);
        return false;
    }
    pthread_mutex_lock(&publisher->mutex);
    for (struct declaration *each = publisher->declarations; each != NULL; each = each->next)
        each->done = each->banned;
    pthread_mutex_unlock(&publisher->mutex);
    publisher->retry_at = 0;
    return true;
}

static bool open_channel(struct publisher *publisher)
{
    struct error reason = {0};
    struct connection *connection = &publisher->connection;
    if (clock_monotonic() < publisher->retry_at)
        return false;
    amqp_channel_t channel = (amqp_channel_t)(FIRST_CHANNEL + ++publisher->openings % CHANNELS);
    enum connection_reply reply = connection_open_channel(connection, channel, &reason);
    if (reply == CONNECTION_REPLY_OK && publisher->confirm) {
        amqp_confirm_select(connection->state, channel);
        reply = connection_check(connection, channel, amqp_get_rpc_reply(connection->state),
                                 "asking for confirms", &reason);
    }
    if (reply != CONNECTION_REPLY_OK) {
        publisher_lose_connection(publisher, &reason);
        return false;
    }
    publisher->channel = channel;
    publisher->channel_opened_at = clock_monotonic();
    publisher->next_tag = 1;
    publisher->stalled = false;
    publisher->unlooked = 0;
    return true;
}

static struct declaration *next_declaration(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->mutex);
    struct declaration *each = publisher->declarations; /* the list only grows, at its end */
    while (each != NULL && each->done)
        each = each->next;
    if (each != NULL)
        each->done = true;
    pthread_mutex_unlock(&publisher->mutex);
    return each;
}

/* What is refused is logged; messages for it then have an outcome of their own. */
static bool declare_due(struct publisher *publisher)
{
    for (struct declaration *each = next_declaration(publisher); each != NULL;
         each = next_declaration(publisher)) {
        struct error reason = {0};
        enum connection_reply reply = declare_queue(&publisher->connection, each->spec, &reason);
        if (reply == CONNECTION_REPLY_REFUSED)
            log_error("%s", reason.message);
        if (reply == CONNECTION_REPLY_GONE) {
            pthread_mutex_lock(&publisher->mutex);
            each->banned = reason.code != ERROR_UNAVAILABLE && reason.code != ERROR_TIMEOUT;
            pthread_mutex_unlock(&publisher->mutex);
            publisher_lose_connection(publisher, &reason);
            return false;
        }
    }
    return true;
}

/* ---- deadlines ---- */

static void expire_waiting(struct publisher *publisher, double now, struct outgoing_list *expired,
                           double *next)
{
    struct outgoing_list kept = {0};
    for (struct outgoing *each = outgoing_take_first(&publisher->waiting); each != NULL;
         each = outgoing_take_first(&publisher->waiting)) {
        bool late = each->deadline > 0 && each->deadline <= now;
        if (!late && each->deadline > 0 && (*next <= 0 || each->deadline < *next))
            *next = each->deadline;
        outgoing_append(late ? expired : &kept, each);
    }
    publisher->waiting = kept;
}

/* What is on the wire stays in `sent`, for the order of the confirms, but its caller is told. */
static struct outgoing *next_expired_sent(struct publisher *publisher, double now, double *next)
{
    struct outgoing *found = NULL;
    pthread_mutex_lock(&publisher->mutex);
    for (struct outgoing *each = publisher->sent.first; each != NULL && found == NULL; each = each->next) {
        if (each->deadline <= 0 || each->over)
            continue;
        if (each->deadline <= now) {
            each->over = true;
            found = each;
        } else if (*next <= 0 || each->deadline < *next) {
            *next = each->deadline;
        }
    }
    pthread_mutex_unlock(&publisher->mutex);
    return found;
}

static void expire(struct publisher *publisher)
{
    struct outgoing_list expired = {0};
    double now = clock_monotonic(), next = 0;
    pthread_mutex_lock(&publisher->mutex);
    bool due = publisher->next_deadline > 0 && publisher->next_deadline <= now;
    if (due)
        expire_waiting(publisher, now, &expired, &next);
    if (due)
        publisher->next_deadline = 0;
    pthread_mutex_unlock(&publisher->mutex);
    if (!due)
        return;
    finish_all(publisher, &expired, PUBLISH_EXPIRED, "the deadline passed");
    for (struct outgoing *each = next_expired_sent(publisher, now, &next); each != NULL;
         each = next_expired_sent(publisher, now, &next))
        publisher_tell(publisher, each, PUBLISH_EXPIRED, "the deadline passed before the broker confirmed");

    if (next > 0 && next < now + EXPIRY_STEP)
        next = now + EXPIRY_STEP;
    pthread_mutex_lock(&publisher->mutex);
    if (next > 0 && (publisher->next_deadline <= 0 || next < publisher->next_deadline))
        publisher->next_deadline = next;
    pthread_mutex_unlock(&publisher->mutex);
}

/* ---- the loop ---- */

static void sleep_until_work(struct publisher *publisher)
{
    double now = clock_monotonic(), timeout = -1;
    owned_thread_will_sleep(&publisher->thread);
    pthread_mutex_lock(&publisher->mutex);
    bool ready = publisher_may_send(publisher);
    for (const struct declaration *each = publisher->declarations; each != NULL; each = each->next)
        ready = ready || (!each->done && publisher->channel != 0);
    double next = publisher->next_deadline;
    pthread_mutex_unlock(&publisher->mutex);
    if (publisher->channel == 0 && (next <= 0 || publisher->retry_at < next))
        next = publisher->retry_at;
    if (ready)
        timeout = 0;
    else if (next > 0 || publisher->channel == 0)
        timeout = next > now ? next - now : 0;
    if (owned_thread_is_stopping(&publisher->thread)) {
        double left = owned_thread_stop_time(&publisher->thread);
        timeout = timeout < 0 || timeout > left ? left : timeout;
    }
    connection_wait(&publisher->connection, publisher->thread.wake_fd, true, publisher->stalled, timeout);
    owned_thread_slept(&publisher->thread);
}

static void work(struct publisher *publisher)
{
    expire(publisher);
    if (publisher->connection.state == NULL && !open_connection(publisher))
        return;
    if (publisher->channel == 0 && !open_channel(publisher))
        return;
    if (declare_due(publisher) && publisher_write_messages(publisher))
        publisher_read_frames(publisher);
}

/* Once told to stop: whether something is left that there is hope and time for. */
static bool has_left(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->mutex);
    size_t left = publisher->waiting.count + publisher->sent.count;
    pthread_mutex_unlock(&publisher->mutex);
    if (left == 0 || owned_thread_stop_time(&publisher->thread) <= 0)
        return false;
    return publisher->confirm || publisher->channel != 0;
}

void publisher_run(void *context)
{
    struct publisher *publisher = context;
    while (!owned_thread_is_stopping(&publisher->thread) || has_left(publisher)) {
        work(publisher);
        if (!owned_thread_is_stopping(&publisher->thread) || has_left(publisher))
            sleep_until_work(publisher);
    }
    bool polite = publisher->connection.state != NULL && connection_is_writable(&publisher->connection);
    connection_close(&publisher->connection, polite);
}
