#include "celeryc/amqp/consumer_state.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- life cycle ---- */

struct consumer *consumer_new(const struct consumer_options *options, struct error *error)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a consumer");
        return NULL;
    }
    consumer->message_limit = options->message_limit != 0 ? options->message_limit : (size_t)128 << 20;
    consumer->prefetch =
        options->prefetch > CONSUMER_PREFETCH_MOST ? CONSUMER_PREFETCH_MOST : options->prefetch;
    consumer->prefetch_global = options->prefetch_global;
    wire_message_init(&consumer->assembly.message);
    if (!connection_init(&consumer->connection, &options->broker, error)) {
        free(consumer);
        return NULL;
    }
    if (!owned_thread_init(&consumer->thread, error)) {
        connection_clear(&consumer->connection);
        free(consumer);
        return NULL;
    }
    pthread_mutex_init(&consumer->mutex, NULL);
    consumer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool started = consumer->event_fd >= 0
                       ? owned_thread_start(&consumer->thread, "amqp-consume", consumer_run, consumer_dispose,
                                            consumer, error)
                       : error_set_errno(error, "eventfd");
    if (started)
        return consumer;
    consumer_dispose(consumer);
    return NULL;
}

static void free_orders(struct order *order)
{
    while (order != NULL) {
        struct order *next = order->next;
        queue_spec_free(order->spec);
        free(order->queue);
        free(order);
        order = next;
    }
}

static void free_events(struct consumer_event *event)
{
    while (event != NULL) {
        struct consumer_event *next = event->next;
        consumer_event_free(event);
        event = next;
    }
}

void consumer_dispose(void *context)
{
    struct consumer *consumer = context;
    while (consumer->subscriptions != NULL) {
        struct subscription *next = consumer->subscriptions->next;
        queue_spec_free(consumer->subscriptions->spec);
        free(consumer->subscriptions);
        consumer->subscriptions = next;
    }
    free_orders(consumer->orders);
    free_events(consumer->first);
    free_events(consumer->batch);
    free_events(consumer->arriving);
    content_clear(&consumer->assembly);
    settlement_clear(&consumer->book);
    free(consumer->unflushed.items);
    free(consumer->flushed.items);
    free(consumer->taken.items);
    connection_clear(&consumer->connection);
    owned_thread_clear(&consumer->thread);
    pthread_mutex_destroy(&consumer->mutex);
    if (consumer->event_fd >= 0)
        close(consumer->event_fd);
    free(consumer);
}

static void interrupt(void *context)
{
    struct consumer *consumer = context;
    connection_interrupt(&consumer->connection);
}

void consumer_free(struct consumer *consumer, double timeout)
{
    if (consumer == NULL)
        return;
    consumer_flush(consumer);
    if (owned_thread_stop(&consumer->thread, timeout, interrupt))
        consumer_dispose(consumer);
}

/* ---- what came ---- */

int consumer_fd(const struct consumer *consumer)
{
    return consumer->event_fd;
}

struct consumer_event *consumer_take(struct consumer *consumer)
{
    uint64_t count;
    pthread_mutex_lock(&consumer->mutex);
    while (read(consumer->event_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    struct consumer_event *events = consumer->first;
    bool paused = consumer->paused;
    consumer->first = consumer->last = NULL;
    consumer->event_count = consumer->event_bytes = 0;
    consumer->paused = false;
    pthread_mutex_unlock(&consumer->mutex);
    if (paused)
        owned_thread_wake(&consumer->thread);
    return events;
}

void consumer_event_free(struct consumer_event *event)
{
    if (event == NULL)
        return;
    wire_message_clear(&event->message);
    free(event->queue);
    free(event->consumer_tag);
    free(event->reason);
    free(event);
}

/* ---- orders ---- */

static void give_order(struct consumer *consumer, struct order from, bool complete)
{
    struct order *order = complete ? malloc(sizeof *order) : NULL;
    if (order == NULL) {
        log_error("an order to a consumer that has no queue, or no memory for it");
        queue_spec_free(from.spec);
        free(from.queue);
        return;
    }
    *order = from;
    pthread_mutex_lock(&consumer->mutex);
    if (consumer->orders == NULL)
        consumer->orders = order;
    else
        consumer->last_order->next = order;
    consumer->last_order = order;
    pthread_mutex_unlock(&consumer->mutex);
    owned_thread_wake(&consumer->thread);
}

void consumer_add(struct consumer *consumer, const struct queue_spec *spec)
{
    struct queue_spec *copy = queue_spec_copy(spec);
    give_order(consumer, (struct order){.kind = ORDER_ADD, .spec = copy}, copy != NULL && copy->name != NULL);
}

void consumer_cancel(struct consumer *consumer, const char *queue)
{
    char *copy = strdup(queue);
    give_order(consumer, (struct order){.kind = ORDER_CANCEL, .queue = copy}, copy != NULL);
}

void consumer_set_prefetch(struct consumer *consumer, unsigned prefetch, unsigned waiting)
{
    give_order(
        consumer,
        (struct order){.kind = ORDER_PREFETCH,
                       .prefetch = prefetch > CONSUMER_PREFETCH_MOST ? CONSUMER_PREFETCH_MOST : prefetch,
                       .waiting = waiting},
        true);
}

/* ---- settling ---- */

static bool settlings_add(struct settlings *list, const struct settling *items, size_t count)
{
    if (list->count + count > list->capacity) {
        size_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        while (capacity < list->count + count)
            capacity *= 2;
        struct settling *grown = realloc(list->items, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        list->items = grown;
        list->capacity = capacity;
    }
    memcpy(list->items + list->count, items, count * sizeof *items);
    list->count += count;
    return true;
}

static void settle(struct consumer *consumer, uint32_t epoch, uint64_t tag, enum settlement how)
{
    struct settling settling = {epoch, how, tag};
    if (!settlings_add(&consumer->unflushed, &settling, 1))
        log_error("no memory to settle a delivery: the broker will deliver it again");
}

void consumer_ack(struct consumer *consumer, uint32_t epoch, uint64_t tag)
{
    settle(consumer, epoch, tag, SETTLEMENT_ACK);
}

void consumer_reject(struct consumer *consumer, uint32_t epoch, uint64_t tag, bool requeue)
{
    settle(consumer, epoch, tag, requeue ? SETTLEMENT_REQUEUE : SETTLEMENT_REJECT);
}

void consumer_flush(struct consumer *consumer)
{
    if (consumer->unflushed.count == 0)
        return;
    pthread_mutex_lock(&consumer->mutex);
    bool done = true;
    if (consumer->flushed.count == 0) {
        struct settlings empty = consumer->flushed;
        consumer->flushed = consumer->unflushed;
        consumer->unflushed = empty;
    } else {
        done = settlings_add(&consumer->flushed, consumer->unflushed.items, consumer->unflushed.count);
    }
    pthread_mutex_unlock(&consumer->mutex);
    if (done)
        consumer->unflushed.count = 0; /* else they go out with the next flush */
    owned_thread_wake(&consumer->thread);
}

json_t *consumer_describe(struct consumer *consumer)
{
    return connection_describe(&consumer->connection);
}
