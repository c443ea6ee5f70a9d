/* What a consumer consumes from: the owner's orders, and declaring and consuming on the channel that is open.
 */
#include "celeryc/amqp/consumer_state.h"
#include "celeryc/amqp/declare.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENEWAL_PAUSE 0.1 /* seconds between two times that queues are consumed from anew */

/* ---- subscriptions ---- */

static void refuse(struct consumer *consumer, struct subscription *subscription, const struct error *reason)
{
    subscription->retry_at =
        clock_monotonic() + connection_backoff(&consumer->connection, ++subscription->failures);
    if (strncmp(subscription->refusal, reason->message, sizeof subscription->refusal - 1) == 0)
        return;
    snprintf(subscription->refusal, sizeof subscription->refusal, "%.255s", reason->message);
    log_warning("queue '%s' cannot be consumed from%s: %s", subscription->spec->name,
                subscription->banned ? "" : ", trying again", reason->message);
    consumer_report(consumer, CONSUMER_QUEUE_REFUSED, subscription->spec->name, reason->message);
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

static enum connection_reply consume(struct consumer *consumer, struct subscription *subscription,
                                     struct error *reason)
{
    const struct queue_spec *spec = subscription->spec;
    amqp_connection_state_t state = consumer->connection.state;
    char what[320];
    subscription->number = ++consumer->tags_made;
    subscription->count = consumer->prefetch;
    subscription->unsettled = 0;
    if (spec->consumer_tag != NULL)
        snprintf(subscription->tag, sizeof subscription->tag, "%s", spec->consumer_tag);
    else
        snprintf(subscription->tag, sizeof subscription->tag, "c%u.%u", consumer->epoch,
                 subscription->number);
    amqp_basic_consume(state, consumer->channel, amqp_cstring_bytes(spec->name),
                       amqp_cstring_bytes(subscription->tag), 0, spec->no_ack, 0, amqp_empty_table);
    snprintf(what, sizeof what, "consuming from queue '%s'", spec->name);
    return connection_check(&consumer->connection, consumer->channel, amqp_get_rpc_reply(state), what,
                            reason);
}

/* False when channel or connection was lost in it. */
static bool subscribe(struct consumer *consumer, struct subscription *subscription)
{
    struct error reason = {0};
    enum connection_reply reply = declare_queue(&consumer->connection, subscription->spec, &reason);
    if (reply == CONNECTION_REPLY_REFUSED) {
        refuse(consumer, subscription, &reason);
        return true;
    }
    if (reply == CONNECTION_REPLY_OK)
        reply = consume(consumer, subscription, &reason);
    if (reply == CONNECTION_REPLY_GONE) {
        if (!doubt_global_prefetch(consumer, &reason) && is_to_blame(&reason)) {
            subscription->banned = true;
            refuse(consumer, subscription, &reason);
        }
        consumer_lose_connection(consumer, &reason);
        return false;
    }
    if (reply == CONNECTION_REPLY_REFUSED) {
        subscription->barred = true; /* trying again would cost the others their channel each time */
        refuse(consumer, subscription, &reason);
        consumer_lose_channel(consumer, &reason);
        return false;
    }
    subscription->active = true;
    subscription->failures = 0;
    subscription->refusal[0] = '\0';
    consumer_report(consumer, CONSUMER_QUEUE_READY, subscription->spec->name, NULL);
    return true;
}

bool consumer_is_wanted(const struct subscription *subscription)
{
    return !subscription->active && !subscription->barred && !subscription->banned;
}

bool consumer_subscribe_due(struct consumer *consumer)
{
    for (struct subscription *each = consumer->subscriptions; each != NULL; each = each->next) {
        if (owned_thread_is_stopping(&consumer->thread))
            return true;
        if (consumer_is_wanted(each) && clock_monotonic() >= each->retry_at && !subscribe(consumer, each))
            return false;
    }
    return true;
}

/* ---- consuming anew ---- */

/* What needs no settling has no count; a tag that the owner chose stays. */
static bool is_renewable(const struct subscription *subscription)
{
    return subscription->active && !subscription->cancelled && !subscription->spec->no_ack &&
           subscription->spec->consumer_tag == NULL;
}

/* What waits and was delivered to a consumer that is cancelled by now is beside the count of the present one,
 * until it is settled. So there is need only when more waits than that, and a consumer is full. */
bool consumer_wants_renewal(const struct consumer *consumer)
{
    size_t present = 0, held = settlement_held(&consumer->book);
    bool changed = false, full = false;
    if (consumer->channel == 0 || consumer_counts_globally(consumer))
        return false;
    for (const struct subscription *each = consumer->subscriptions; each != NULL; each = each->next) {
        if (!is_renewable(each))
            continue;
        present += each->unsettled;
        changed = changed || each->count != consumer->prefetch;
        full = full || (each->count > 0 && each->unsettled >= each->count);
    }
    return changed || (full && consumer->waiting + present > held);
}

/* Consumes under another tag, then cancels the old one: what needs a consumer to exist is not gone between.
 */
static bool renew(struct consumer *consumer, struct subscription *subscription)
{
    char old[sizeof subscription->tag];
    struct error reason = {0};
    memcpy(old, subscription->tag, sizeof old);
    enum connection_reply reply = consume(consumer, subscription, &reason);
    amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes(old), .nowait = 1};
    if (reply == CONNECTION_REPLY_OK) {
        if (amqp_send_method(consumer->connection.state, consumer->channel, AMQP_BASIC_CANCEL_METHOD,
                             &cancel) == AMQP_STATUS_OK)
            return true;
        error_set(&reason, ERROR_UNAVAILABLE, "connection to the broker lost");
    }
    if (reply == CONNECTION_REPLY_REFUSED) /* the queue was deleted just now: it is declared again */
        consumer_lose_channel(consumer, &reason);
    else
        consumer_lose_connection(consumer, &reason);
    return false;
}

bool consumer_renew_due(struct consumer *consumer)
{
    if (!consumer_wants_renewal(consumer) || clock_monotonic() < consumer->renew_at)
        return true;
    consumer->renew_at = clock_monotonic() + RENEWAL_PAUSE;
    for (struct subscription *each = consumer->subscriptions; each != NULL; each = each->next) {
        bool wanted = is_renewable(each) && (each->unsettled > 0 || each->count != consumer->prefetch);
        if (wanted && !renew(consumer, each))
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
        consumer_report(consumer, CONSUMER_QUEUE_REFUSED, spec->name, reason.message);
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
            consumer_send_prefetch(consumer);
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
    consumer_report(consumer, CONSUMER_QUEUE_CANCELLED, queue, NULL);
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
        consumer->waiting = order->waiting;
        if (consumer->channel != 0)
            consumer_send_prefetch(consumer);
        break;
    }
}

void consumer_take_orders(struct consumer *consumer)
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
            consumer_settle(consumer, settling->tag, settling->how);
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

bool consumer_has_orders(struct consumer *consumer)
{
    pthread_mutex_lock(&consumer->mutex);
    bool some = consumer->orders != NULL || consumer->flushed.count > 0;
    pthread_mutex_unlock(&consumer->mutex);
    return some;
}

void consumer_remove_cancelled(struct consumer *consumer, const amqp_bytes_t *tag)
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
