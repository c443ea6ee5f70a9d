/* What a publisher writes: each message on the wire, to an exchange that is known to exist. */
#include "celeryc/amqp/declare.h"
#include "celeryc/amqp/publisher_state.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_A_LOOK 16384   /* bytes written before the socket is looked at again */
#define MESSAGES_A_TURN 4096 /* messages written before the broker is listened to again */
#define EXCHANGES_KNOWN_MOST 256

/* ---- exchanges ---- */

void publisher_forget_exchanges(struct publisher *publisher)
{
    while (publisher->exchanges != NULL) {
        struct known_exchange *next = publisher->exchanges->next;
        free(publisher->exchanges->name);
        free(publisher->exchanges);
        publisher->exchanges = next;
    }
    publisher->exchange_count = 0;
}

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
        publisher_forget_exchanges(publisher);
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

size_t outgoing_wire_size(const struct outgoing *outgoing)
{
    return outgoing->message.body_size + 512;
}

bool publisher_may_send(const struct publisher *publisher)
{
    if (publisher->waiting.first == NULL || publisher->channel == 0 || publisher->connection.blocked ||
        publisher->stalled)
        return false;
    if (publisher->sent.first == NULL)
        return true;
    return publisher->careful == 0 && publisher->sent.count < PUBLISHER_SENT_MOST &&
           publisher->sent_bytes + outgoing_wire_size(publisher->waiting.first) <= PUBLISHER_BYTES_MOST;
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
    if (publisher_may_send(publisher)) {
        next = outgoing_take_first(&publisher->waiting);
        next->tag = publisher->next_tag;
        outgoing_append(&publisher->sent, next);
        publisher->sent_bytes += outgoing_wire_size(next);
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
    publisher->sent_bytes -= outgoing_wire_size(outgoing);
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
        publisher_lose_connection(publisher, &reason);
        return false;
    }
    publisher->next_tag++;
    publisher->unlooked += outgoing_wire_size(outgoing);
    if (!publisher->confirm) {
        take_back(publisher, outgoing);
        publisher_finish(publisher, outgoing, PUBLISH_CONFIRMED, NULL);
    }
    return true;
}

bool publisher_write_messages(struct publisher *publisher)
{
    publisher->unlooked = 0;
    publisher->stalled = false;
    struct outgoing *next = next_to_send(publisher);
    if (next == NULL)
        return true;
    connection_cork(&publisher->connection, true);
    for (int i = 1; next != NULL; i++) {
        if (!publish(publisher, next))
            return false;
        next = i < MESSAGES_A_TURN ? next_to_send(publisher) : NULL;
    }
    connection_cork(&publisher->connection, false);
    return true;
}
