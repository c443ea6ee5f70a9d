#include "celeryc/amqp/publisher_state.h"

#include "common/clock.h"
#include "common/condition.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

void outgoing_append(struct outgoing_list *list, struct outgoing *outgoing)
{
    outgoing->next = NULL;
    if (list->first == NULL)
        list->first = outgoing;
    else
        list->last->next = outgoing;
    list->last = outgoing;
    list->count++;
}

struct outgoing *outgoing_take_first(struct outgoing_list *list)
{
    struct outgoing *first = list->first;
    if (first == NULL)
        return NULL;
    list->first = first->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    first->next = NULL;
    return first;
}

static void outgoing_free(struct outgoing *outgoing)
{
    wire_message_clear(&outgoing->message);
    free(outgoing->returned);
    free(outgoing);
}

void publisher_tell(struct publisher *publisher, struct outgoing *outgoing, enum publish_outcome outcome,
                    const char *reason)
{
    pthread_mutex_lock(&publisher->mutex);
    publish_done *done = outgoing->done;
    outgoing->done = NULL;
    pthread_mutex_unlock(&publisher->mutex);
    if (done != NULL)
        done(outgoing->context, outcome, reason);
}

void publisher_finish(struct publisher *publisher, struct outgoing *outgoing, enum publish_outcome outcome,
                      const char *reason)
{
    publisher_tell(publisher, outgoing, outcome, reason);
    outgoing_free(outgoing);
}

/* ---- life cycle ---- */

struct publisher *publisher_new(const struct publisher_options *options, struct error *error)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a publisher");
        return NULL;
    }
    publisher->confirm = options->confirm;
    publisher->capacity = options->capacity != 0 ? options->capacity : 100000;
    wire_message_init(&publisher->returning.message);
    if (!connection_init(&publisher->connection, &options->broker, error)) {
        free(publisher);
        return NULL;
    }
    if (!owned_thread_init(&publisher->thread, error)) {
        connection_clear(&publisher->connection);
        free(publisher);
        return NULL;
    }
    pthread_mutex_init(&publisher->mutex, NULL);
    init_amqp_pool(&publisher->pool, 16384);
    if (owned_thread_start(&publisher->thread, "amqp-publish", publisher_run, publisher_dispose, publisher,
                           error))
        return publisher;
    publisher_dispose(publisher);
    return NULL;
}

void publisher_dispose(void *context)
{
    struct publisher *publisher = context;
    struct outgoing *outgoing;
    while ((outgoing = outgoing_take_first(&publisher->sent)) ||
           (outgoing = outgoing_take_first(&publisher->waiting)))
        outgoing_free(outgoing);
    while (publisher->declarations != NULL) {
        struct declaration *next = publisher->declarations->next;
        queue_spec_free(publisher->declarations->spec);
        free(publisher->declarations);
        publisher->declarations = next;
    }
    while (publisher->exchanges != NULL) {
        struct known_exchange *next = publisher->exchanges->next;
        free(publisher->exchanges->name);
        free(publisher->exchanges);
        publisher->exchanges = next;
    }
    content_clear(&publisher->returning);
    empty_amqp_pool(&publisher->pool);
    connection_clear(&publisher->connection);
    owned_thread_clear(&publisher->thread);
    pthread_mutex_destroy(&publisher->mutex);
    free(publisher);
}

/* Tells all whose message is still held. Messages stay in their lists: the thread may be using them. */
static void report_stopped(struct publisher *publisher)
{
    for (;;) {
        publish_done *done = NULL;
        void *context = NULL;
        pthread_mutex_lock(&publisher->mutex);
        struct outgoing *lists[] = {publisher->sent.first, publisher->waiting.first};
        for (size_t i = 0; i < 2 && done == NULL; i++) {
            for (struct outgoing *each = lists[i]; each != NULL && done == NULL; each = each->next) {
                done = each->done;
                context = each->context;
                each->done = NULL;
            }
        }
        pthread_mutex_unlock(&publisher->mutex);
        if (done == NULL)
            return;
        done(context, PUBLISH_STOPPED, "the publisher was stopped");
    }
}

/* The time is over. Who waits is told now, since the thread may be left alone. */
static void give_up(void *context)
{
    struct publisher *publisher = context;
    connection_interrupt(&publisher->connection);
    report_stopped(publisher);
}

void publisher_free(struct publisher *publisher, double timeout)
{
    if (publisher == NULL)
        return;
    pthread_mutex_lock(&publisher->mutex);
    publisher->closed = true;
    pthread_mutex_unlock(&publisher->mutex);
    if (!owned_thread_stop(&publisher->thread, timeout, give_up))
        return;
    report_stopped(publisher);
    publisher_dispose(publisher);
}

/* Declared already: it is once more. */
static bool declare_again(struct publisher *publisher, const struct queue_spec *spec)
{
    pthread_mutex_lock(&publisher->mutex);
    struct declaration *each = publisher->declarations;
    while (each != NULL && !queue_spec_equal(each->spec, spec))
        each = each->next;
    if (each != NULL)
        each->done = each->banned;
    pthread_mutex_unlock(&publisher->mutex);
    return each != NULL;
}

void publisher_declare(struct publisher *publisher, const struct queue_spec *spec)
{
    struct error error;
    if (!queue_spec_check(spec, &error)) {
        log_error("declaring: %s", error.message);
        return;
    }
    struct declaration *declaration = calloc(1, sizeof *declaration);
    struct queue_spec *copy = queue_spec_copy(spec);
    if (declaration == NULL || copy == NULL) {
        free(declaration);
        queue_spec_free(copy);
        log_error("no memory to declare a queue");
        return;
    }
    if (declare_again(publisher, copy)) {
        free(declaration);
        queue_spec_free(copy);
        owned_thread_wake(&publisher->thread);
        return;
    }
    declaration->spec = copy;
    pthread_mutex_lock(&publisher->mutex);
    struct declaration **at = &publisher->declarations;
    while (*at != NULL)
        at = &(*at)->next;
    *at = declaration;
    pthread_mutex_unlock(&publisher->mutex);
    owned_thread_wake(&publisher->thread);
}

/* ---- sending ---- */

/* Under the mutex. The message that must go, where there is no room and the oldest gives way. */
static bool make_room(struct publisher *publisher, struct outgoing **oldest, struct error *error)
{
    *oldest = NULL;
    if (publisher->closed)
        return error_set(error, ERROR_CANCELLED, "the publisher is stopping");
    if (publisher->waiting.count + publisher->sent.count < publisher->capacity)
        return true;
    if (publisher->confirm)
        return error_set(error, ERROR_LIMIT, "%zu messages wait for the broker already", publisher->capacity);
    *oldest = outgoing_take_first(&publisher->waiting);
    publisher->dropped++;
    return true;
}

bool publisher_send(struct publisher *publisher, struct wire_message *take, double deadline,
                    publish_done *done, void *context, struct error *error)
{
    struct outgoing *oldest;
    if (!content_check(take, error))
        return error_context(error, "publishing");
    struct outgoing *outgoing = calloc(1, sizeof *outgoing);
    if (outgoing == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a message");
    outgoing->deadline = deadline;
    outgoing->done = done;
    outgoing->context = context;

    pthread_mutex_lock(&publisher->mutex);
    bool accepted = make_room(publisher, &oldest, error);
    if (accepted) {
        outgoing->message = *take;
        wire_message_init(take);
        outgoing_append(&publisher->waiting, outgoing);
        if (deadline > 0 && (publisher->next_deadline <= 0 || deadline < publisher->next_deadline))
            publisher->next_deadline = deadline;
    }
    pthread_mutex_unlock(&publisher->mutex);
    if (!accepted) {
        free(outgoing);
        return false;
    }
    if (oldest != NULL)
        publisher_finish(publisher, oldest, PUBLISH_REFUSED,
                         "dropped: too many messages wait for the broker");
    owned_thread_wake(&publisher->thread);
    return true;
}

/* ---- sending and waiting ---- */

/* Shared by the caller and the thread; freed by whoever leaves last, since either may be late. */
struct publishing {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool told, abandoned;
    double timeout, until; /* seconds; clock_monotonic() */
    enum publish_outcome outcome;
    char reason[512];
};

static void publishing_free(struct publishing *publishing)
{
    pthread_cond_destroy(&publishing->changed);
    pthread_mutex_destroy(&publishing->mutex);
    free(publishing);
}

static void tell_publishing(void *context, enum publish_outcome outcome, const char *reason)
{
    struct publishing *publishing = context;
    pthread_mutex_lock(&publishing->mutex);
    publishing->told = true;
    publishing->outcome = outcome;
    snprintf(publishing->reason, sizeof publishing->reason, "%s", reason == NULL ? "" : reason);
    bool abandoned = publishing->abandoned;
    pthread_cond_signal(&publishing->changed);
    pthread_mutex_unlock(&publishing->mutex);
    if (abandoned)
        publishing_free(publishing);
}

static struct publishing *publishing_new(void)
{
    struct publishing *publishing = calloc(1, sizeof *publishing);
    if (publishing == NULL)
        return NULL;
    pthread_mutex_init(&publishing->mutex, NULL);
    condition_init(&publishing->changed);
    return publishing;
}

static bool report_expired(struct publisher *publisher, double timeout, struct error *error)
{
    struct error reason;
    if (!connection_is_up(&publisher->connection, &reason))
        return error_set(error, ERROR_UNAVAILABLE, "not published within %.1f s: %s", timeout,
                         reason.message);
    return error_set(error, ERROR_TIMEOUT, "the broker did not confirm the message within %.1f s", timeout);
}

static bool report_outcome(struct publisher *publisher, const struct publishing *publishing, double timeout,
                           struct error *error)
{
    switch (publishing->outcome) {
    case PUBLISH_CONFIRMED:
        return true;
    case PUBLISH_RETURNED:
        return error_set(error, ERROR_NOT_FOUND, "no queue takes the message: %s", publishing->reason);
    case PUBLISH_REFUSED:
        return error_set(error, ERROR_LIMIT, "the broker refused the message: %s", publishing->reason);
    case PUBLISH_EXPIRED:
        return report_expired(publisher, timeout, error);
    default:
        return error_set(error, ERROR_CANCELLED, "%s", publishing->reason);
    }
}

struct publishing *publisher_begin(struct publisher *publisher, struct wire_message *take, double timeout,
                                   struct error *error)
{
    struct publishing *publishing = publishing_new();
    if (publishing == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a message");
        return NULL;
    }
    double deadline = clock_monotonic() + timeout;
    publishing->timeout = timeout;
    /* The thread tells at the deadline, unless it is waiting for the broker itself. */
    publishing->until = deadline + 0.25;
    if (publisher_send(publisher, take, deadline, tell_publishing, publishing, error))
        return publishing;
    publishing_free(publishing);
    return NULL;
}

bool publisher_await(struct publisher *publisher, struct publishing *publishing, struct error *error)
{
    double timeout = publishing->timeout;
    pthread_mutex_lock(&publishing->mutex);
    while (!publishing->told &&
           condition_wait_until(&publishing->changed, &publishing->mutex, publishing->until))
        continue;
    bool told = publishing->told;
    publishing->abandoned = !told;
    pthread_mutex_unlock(&publishing->mutex);
    if (!told)
        return report_expired(publisher, timeout, error);
    bool confirmed = report_outcome(publisher, publishing, timeout, error);
    publishing_free(publishing);
    return confirmed;
}

bool publisher_publish(struct publisher *publisher, struct wire_message *take, double timeout,
                       struct error *error)
{
    struct publishing *publishing = publisher_begin(publisher, take, timeout, error);
    return publishing != NULL && publisher_await(publisher, publishing, error);
}

/* ---- state ---- */

bool publisher_is_connected(struct publisher *publisher, struct error *error)
{
    return connection_is_up(&publisher->connection, error);
}

uint64_t publisher_dropped(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->mutex);
    uint64_t dropped = publisher->dropped;
    pthread_mutex_unlock(&publisher->mutex);
    return dropped;
}
