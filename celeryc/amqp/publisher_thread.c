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

#define FIRST_CHANNEL                                                                                        \
    3 /* a number is used again only five openings later: late frames of the last are known */
#define CHANNELS 5
#define FRAMES_A_TURN 4096
#define BYTES_A_LOOK 16384 /* bytes written before the socket is looked at again */
#define EXPIRY_STEP 0.01   /* seconds between two searches for expired messages */
#define EXCHANGES_KNOWN_MOST 256
#define RETURNED_BODY_MOST ((size_t)1 << 30)

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

static void finish_settled(struct publisher *publisher, struct outgoing_list *list)
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

static void forget_exchanges(struct publisher *publisher)
{
    while (publisher->exchanges != NULL) {
        struct known_exchange *next = publisher->exchanges->next;
        free(publisher->exchanges->name);
        free(publisher->exchanges);
        publisher->exchanges = next;
    }
    publisher->exchange_count = 0;
}

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
    finish_settled(publisher, &settled);
    /* The guilty are out: the others need not wait for the channel. */
    if (!found || !publisher->confirm)
        publisher->retry_at =
            clock_monotonic() + connection_backoff(&publisher->connection, publisher->channel_failures++);
}

static void lose_channel(struct publisher *publisher, const struct error *reason)
{
    log_warning("channel of '%s' closed, opening another: %s", publisher->connection.options.purpose,
                reason->message);
    forget_exchanges(publisher);
    end_channel(publisher, reason->code == ERROR_UNAVAILABLE ? NULL : reason);
}

static void lose_connection(struct publisher *publisher, const struct error *reason)
{
    if (connection_is_up(&publisher->connection, NULL))
        log_warning("connection '%s' lost: %s", publisher->connection.options.purpose, reason->message);
    connection_set_reason(&publisher->connection, reason);
    connection_close(&publisher->connection, false);
    forget_exchanges(publisher);
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
        lose_connection(publisher, &reason);
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
        lose_connection(publisher, &reason);
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
            each->banned = reason.code != ERROR_UNAVAILABLE && reason.code != ERROR_TIMEOUT;
            lose_connection(publisher, &reason);
            return false;
        }
    }
    return true;
}

/* ---- exchanges ---- */

static bool is_known(const struct publisher *publisher, const char *exchange)
{
    for (const struct known_exchange *each = publisher->exchanges; each != NULL; each = each->next)
        if (strcmp(each->name, exchange) == 0)
            return true;
    return false;
}

static void learn_exchange(struct publisher *publisher, const char *exchange)
{
    if (publisher->exchange_count == EXCHANGES_KNOWN_MOST)
        forget_exchanges(publisher);
    struct known_exchange *known = malloc(sizeof *known);
    char *name = strdup(exchange);
    if (known == NULL || name == NULL) { /* it is asked for again */
        free(known);
        free(name);
        return;
    }
    *known = (struct known_exchange){name, publisher->exchanges};
    publisher->exchanges = known;
    publisher->exchange_count++;
}

/* Publishing to an exchange that does not exist closes the channel, and what others sent on it would have to
 * be sent again. So each exchange is asked for once, on another channel. */
static enum connection_reply check_exchange(struct publisher *publisher, const char *exchange,
                                            struct error *reason)
{
    if (exchange == NULL || exchange[0] == '\0' || is_known(publisher, exchange))
        return CONNECTION_REPLY_OK;
    enum connection_reply reply = declare_check_exchange(&publisher->connection, exchange, reason);
    if (reply == CONNECTION_REPLY_REFUSED && reason->code != ERROR_NOT_FOUND)
        reply = CONNECTION_REPLY_OK; /* there, but not for us to declare */
    if (reply == CONNECTION_REPLY_OK)
        learn_exchange(publisher, exchange);
    return reply;
}

/* ---- writing ---- */

static size_t wire_size(const struct outgoing *outgoing)
{
    return outgoing->message.body_size + 512;
}

/* Under the mutex: whether there is a message that may go now. */
static bool may_send(const struct publisher *publisher)
{
    if (publisher->waiting.first == NULL || publisher->channel == 0 || publisher->connection.blocked ||
        publisher->stalled)
        return false;
    if (publisher->sent.first == NULL)
        return true;
    return publisher->careful == 0 && publisher->sent.count < PUBLISHER_SENT_MOST &&
           publisher->sent_bytes + wire_size(publisher->waiting.first) <= PUBLISHER_BYTES_MOST;
}

/* Looks at the socket now and then, so that a broker that reads no more does not stop this thread. */
static bool has_room(struct publisher *publisher)
{
    if (publisher->unlooked >= BYTES_A_LOOK || publisher->unlooked == 0) {
        publisher->unlooked = 0;
        publisher->stalled = !connection_is_writable(&publisher->connection);
    }
    return !publisher->stalled;
}

/* Moves the first waiting message to `sent`. NULL when none may go. */
static struct outgoing *next_to_send(struct publisher *publisher)
{
    struct outgoing *next = NULL;
    if (!has_room(publisher))
        return NULL;
    pthread_mutex_lock(&publisher->mutex);
    if (may_send(publisher)) {
        next = outgoing_take_first(&publisher->waiting);
        next->tag = publisher->next_tag;
        outgoing_append(&publisher->sent, next);
        publisher->sent_bytes += wire_size(next);
    }
    pthread_mutex_unlock(&publisher->mutex);
    return next;
}

/* Takes the message that next_to_send() gave out of `sent`, where it is the last. */
static void take_back(struct publisher *publisher, struct outgoing *outgoing)
{
    pthread_mutex_lock(&publisher->mutex);
    struct outgoing_list *sent = &publisher->sent;
    struct outgoing *before = NULL;
    for (struct outgoing *each = sent->first; each != outgoing; each = each->next)
        before = each;
    if (before == NULL)
        sent->first = NULL;
    else
        before->next = NULL;
    sent->last = before;
    sent->count--;
    publisher->sent_bytes -= wire_size(outgoing);
    pthread_mutex_unlock(&publisher->mutex);
}

static void refuse(struct publisher *publisher, struct outgoing *outgoing, const struct error *reason)
{
    take_back(publisher, outgoing);
    if (publisher->careful > 0)
        publisher->careful--;
    if (!publisher->confirm) {
        pthread_mutex_lock(&publisher->mutex);
        publisher->dropped++;
        pthread_mutex_unlock(&publisher->mutex);
    }
    publisher_finish(publisher, outgoing, PUBLISH_REFUSED, reason->message);
}

/* Publishes one message that is the last of `sent`. False: the connection is lost. */
static bool publish(struct publisher *publisher, struct outgoing *outgoing)
{
    struct error reason = {0};
    enum connection_reply reply = check_exchange(publisher, outgoing->message.exchange, &reason);
    if (reply == CONNECTION_REPLY_REFUSED) {
        refuse(publisher, outgoing, &reason);
        return true;
    }
    bool done = reply == CONNECTION_REPLY_OK &&
                content_publish(&publisher->connection, publisher->channel, &outgoing->message,
                                publisher->confirm, &publisher->pool, &reason);
    recycle_amqp_pool(&publisher->pool);
    if (!done && reason.code == ERROR_LIMIT) {
        refuse(publisher, outgoing, &reason);
        return true;
    }
    if (!done) {
        lose_connection(publisher, &reason);
        return false;
    }
    publisher->next_tag++;
    publisher->unlooked += wire_size(outgoing);
    if (!publisher->confirm) {
        take_back(publisher, outgoing);
        publisher_finish(publisher, outgoing, PUBLISH_CONFIRMED, NULL);
    }
    return true;
}

/* Everything that waits and may go, in as few packets as it takes. False: the connection is lost. */
static bool write_messages(struct publisher *publisher)
{
    publisher->unlooked = 0;
    publisher->stalled = false;
    struct outgoing *next = next_to_send(publisher);
    if (next == NULL)
        return true;
    connection_cork(&publisher->connection, true);
    while (next != NULL) {
        if (!publish(publisher, next))
            return false;
        next = next_to_send(publisher);
    }
    connection_cork(&publisher->connection, false);
    return true;
}

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
        publisher->sent_bytes -= wire_size(first);
        outgoing_append(&settled, first);
    }
    pthread_mutex_unlock(&publisher->mutex);
    finish_settled(publisher, &settled);
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
    lose_connection(publisher, &reason);
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
        lose_channel(publisher, &reason);
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

static void read_frames(struct publisher *publisher)
{
    amqp_frame_t frame;
    struct error reason = {0};
    for (int i = 0; i < FRAMES_A_TURN; i++) {
        enum connection_frame what = connection_read(&publisher->connection, &frame, &reason);
        if (what == CONNECTION_NOTHING)
            return;
        if (what != CONNECTION_FRAME) {
            lose_connection(publisher, &reason);
            return;
        }
        amqp_channel_t channel = frame.channel;
        if (!handle_frame(publisher, &frame) && publisher->connection.state == NULL)
            return;
        connection_release(&publisher->connection, channel);
    }
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
    bool ready = may_send(publisher);
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
    if (declare_due(publisher) && write_messages(publisher))
        read_frames(publisher);
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
