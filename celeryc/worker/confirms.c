#include "celeryc/worker/confirms.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ticket {
    struct ticket *next;
    struct confirms *confirms;
    confirms_done *done;
    void *context;
    enum publish_outcome outcome;
    char *reason; /* owned or NULL */
};

struct confirms {
    struct publisher *publisher;
    struct ev_loop *loop;
    ev_async wake;
    size_t pending;
    pthread_mutex_t lock; /* of the list below */
    struct ticket *first, *last;
};

/* On the publisher's thread. */
static void outcome_is_known(void *context, enum publish_outcome outcome, const char *reason)
{
    struct ticket *ticket = context;
    struct confirms *confirms = ticket->confirms;
    ticket->outcome = outcome;
    ticket->reason = reason ? strdup(reason) : NULL;
    ticket->next = NULL;
    pthread_mutex_lock(&confirms->lock);
    if (confirms->last != NULL)
        confirms->last->next = ticket;
    else
        confirms->first = ticket;
    confirms->last = ticket;
    pthread_mutex_unlock(&confirms->lock);
    ev_async_send(confirms->loop, &confirms->wake);
}

static void deliver(struct confirms *confirms)
{
    pthread_mutex_lock(&confirms->lock);
    struct ticket *ticket = confirms->first;
    confirms->first = confirms->last = NULL;
    pthread_mutex_unlock(&confirms->lock);
    while (ticket != NULL) {
        struct ticket *next = ticket->next;
        confirms->pending--;
        ticket->done(ticket->context, ticket->outcome, ticket->reason);
        free(ticket->reason);
        free(ticket);
        ticket = next;
    }
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)loop;
    (void)events;
    deliver(watcher->data);
}

struct confirms *confirms_new(struct publisher *publisher, struct ev_loop *loop, struct error *error)
{
    struct confirms *confirms = calloc(1, sizeof *confirms);
    if (confirms == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the publisher's outcomes");
        return NULL;
    }
    confirms->publisher = publisher;
    confirms->loop = loop;
    pthread_mutex_init(&confirms->lock, NULL);
    ev_async_init(&confirms->wake, on_wake);
    confirms->wake.data = confirms;
    ev_async_start(loop, &confirms->wake);
    return confirms;
}

void confirms_free(struct confirms *confirms)
{
    if (confirms == NULL)
        return;
    deliver(confirms);
    ev_async_stop(confirms->loop, &confirms->wake);
    pthread_mutex_destroy(&confirms->lock);
    free(confirms);
}

bool confirms_send(struct confirms *confirms, struct wire_message *take, double deadline, confirms_done *done,
                   void *context, struct error *error)
{
    struct ticket *ticket = calloc(1, sizeof *ticket);
    if (ticket == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to publish a message");
    ticket->confirms = confirms;
    ticket->done = done;
    ticket->context = context;
    if (!publisher_send(confirms->publisher, take, deadline, outcome_is_known, ticket, error)) {
        free(ticket);
        return false;
    }
    confirms->pending++;
    return true;
}

size_t confirms_pending(const struct confirms *confirms)
{
    return confirms->pending;
}
