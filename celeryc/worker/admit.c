/* Admitting: between its receipt and the pool, a request may turn out to be revoked, expired or the
 * redelivery of a run that goes on here; it may have to wait for its ETA, its task's rate limit, its lease.
 */
#include "celeryc/message/task_message.h"
#include "celeryc/results/lease.h"
#include "celeryc/worker/stamps.h"
#include "celeryc/worker/worker.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"

#include <stdlib.h>
#include <string.h>

/* What a waiting request waits for: a moment, or its turn in the line of its task's rate limit. */
struct hold {
    struct worker *worker;
    struct request *request;
    ev_periodic at;           /* the ETA, on the wall clock: it follows when that is set anew */
    struct registered *entry; /* whose rate limit; NULL: it waits for the ETA */
    struct hold *next, *previous;
};

static void take_lease(struct worker *worker, struct request *request);

static void make_ready(struct worker *worker, struct request *request)
{
    requests_move(&worker->requests, request, REQUEST_READY);
}

static struct hold *hold_new(struct worker *worker, struct request *request)
{
    struct hold *hold = calloc(1, sizeof *hold);
    if (hold == NULL) {
        log_write(LOG_ERROR, request->id, "no memory to let a task wait; it goes back to its queue");
        settle_give_back(worker, request);
        return NULL;
    }
    hold->worker = worker;
    hold->request = request;
    request->hold = hold;
    return hold;
}

static void hold_free(struct hold *hold)
{
    struct worker *worker = hold->worker;
    if (hold->entry == NULL) {
        ev_periodic_stop(worker->loop, &hold->at);
        worker->eta_held--;
    } else {
        if (hold->previous != NULL)
            hold->previous->next = hold->next;
        else
            hold->entry->first = hold->next;
        if (hold->next != NULL)
            hold->next->previous = hold->previous;
        else
            hold->entry->last = hold->previous;
    }
    hold->request->hold = NULL;
    free(hold);
}

/* ---- rate limits ---- */

static void serve_line(struct worker *worker, struct registered *entry);

static void on_token(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct registered *entry = (struct registered *)((char *)timer - offsetof(struct registered, timer));
    serve_line(timer->data, entry);
}

/* Lets go on whom there is a token for; the timer comes back for the next. */
static void serve_line(struct worker *worker, struct registered *entry)
{
    double now = clock_monotonic();
    ev_timer_stop(worker->loop, &entry->timer);
    while (entry->first != NULL && rate_take(&entry->rate, now)) {
        struct request *request = entry->first->request;
        hold_free(entry->first);
        take_lease(worker, request);
    }
    if (entry->first == NULL)
        return;
    double wait = rate_wait(&entry->rate, now);
    ev_timer_init(&entry->timer, on_token, wait > 0.001 ? wait : 0.001, 0);
    entry->timer.data = worker;
    ev_timer_start(worker->loop, &entry->timer);
}

static void join_line(struct worker *worker, struct request *request)
{
    struct registered *entry = registry_of(&worker->registry, request->type);
    if (entry->first == NULL && rate_take(&entry->rate, clock_monotonic())) {
        take_lease(worker, request);
        return;
    }
    struct hold *hold = hold_new(worker, request);
    if (hold == NULL)
        return;
    hold->entry = entry;
    hold->previous = entry->last;
    if (entry->last != NULL)
        entry->last->next = hold;
    else
        entry->first = hold;
    entry->last = hold;
    if (!ev_is_active(&entry->timer))
        serve_line(worker, entry);
}

void admit_recheck_rate(struct worker *worker, struct registered *entry)
{
    serve_line(worker, entry);
}

/* ---- leases ---- */

static void on_lease(void *context, enum lease_state state)
{
    struct request *request = context;
    struct worker *worker = request->worker;
    switch (state) {
    case LEASE_HELD:
        if (request->state == REQUEST_WAITING)
            make_ready(worker, request);
        break;
    case LEASE_BUSY:
        log_write(LOG_INFO, request->id,
                  "Task %s[%s] runs in another worker; it waits here until that has ended",
                  task_message_name(request->message), request->id);
        break;
    case LEASE_LOST:
        log_write(LOG_WARNING, request->id, "Task %s[%s]: its lease ran out and was taken by another worker",
                  task_message_name(request->message), request->id);
        if (request->state == REQUEST_READY) { /* nothing has begun: it waits for the other */
            lease_release(request->lease);
            request->lease = NULL;
            requests_move(&worker->requests, request, REQUEST_WAITING);
            take_lease(worker, request);
        }
        break;
    }
}

static void take_lease(struct worker *worker, struct request *request)
{
    if (!request->type->lease || worker->backend == NULL) {
        make_ready(worker, request);
        return;
    }
    char holder[512], unique[UUID_SIZE];
    struct error error = {0};
    uuid_make(unique);
    (void)snprintf(holder, sizeof holder, "%s/%s", worker->options.hostname, unique);
    request->lease = lease_new(worker->backend, request->id, holder, worker->options.lease_time, on_lease,
                               request, &error);
    if (request->lease == NULL) {
        log_write(LOG_WARNING, request->id, "no lease for task %s[%s]: %s",
                  task_message_name(request->message), request->id, error.message);
        make_ready(worker, request);
    }
}

/* ---- ETA ---- */

static void on_eta(struct ev_loop *loop, ev_periodic *timer, int events)
{
    (void)loop;
    (void)events;
    struct hold *hold = timer->data;
    struct worker *worker = hold->worker;
    struct request *request = hold->request;
    hold_free(hold);
    join_line(worker, request);
}

static void wait_for_eta(struct worker *worker, struct request *request)
{
    struct hold *hold = hold_new(worker, request);
    if (hold == NULL)
        return;
    ev_periodic_init(&hold->at, on_eta, request->eta, 0, NULL);
    hold->at.data = hold;
    ev_periodic_start(worker->loop, &hold->at);
    worker->eta_held++;
}

/* ---- revoked and expired ---- */

bool admit_is_revoked(struct worker *worker, struct request *request)
{
    bool expired = request->message->expires_text != NULL && clock_wall() > request->expires;
    bool revoked = worker->anything_revoked && id_ring_has(worker->revoked, request->id, 0, NULL);
    const char *stamp =
        stamps_revoke(worker->revoked_stamps, request->message->stamped_headers, request->message->stamps);
    if (!expired && !revoked && stamp == NULL)
        return false;
    log_write(LOG_INFO, request->id, "Discarding revoked task: %s[%s]", task_message_name(request->message),
              request->id);
    settle_revoked(worker, request, expired ? "expired" : "revoked", false, 0, expired);
    return true;
}

/* ---- redeliveries ---- */

bool admit_adopt(struct worker *worker, const struct task_message *message,
                 const struct consumer_event *event)
{
    if (!event->redelivered) {
        id_ring_forget(worker->done, message->id,
                       message->retries); /* sent anew under an old id: it shall run */
        return false;
    }
    /* What was acknowledged on this very channel is never delivered again: then it is another message. */
    uint32_t epoch = 0;
    if (id_ring_has(worker->done, message->id, message->retries, &epoch) && epoch != worker->epoch) {
        log_write(LOG_INFO, message->id, "Task %s[%s] has ended here already; its redelivery is acknowledged",
                  task_message_name(message), message->id);
        consumer_ack(worker->consumer, event->epoch, event->tag);
        return true;
    }
    struct request *request = requests_find(&worker->requests, message->id, NULL);
    /* One whose delivery is still good is another message with the same id. */
    while (request != NULL &&
           (request->epoch == worker->epoch || request->message->retries != message->retries))
        request = requests_find(&worker->requests, message->id, request);
    if (request == NULL)
        return false;
    request->epoch = event->epoch;
    request->tag = event->tag;
    request->adopted = true;
    log_write(LOG_INFO, request->id, "Task %s[%s] was delivered again while it runs here; the run goes on",
              task_message_name(message), request->id);
    if (request->acknowledged)
        consumer_ack(worker->consumer, event->epoch, event->tag);
    return true;
}

/* ---- the way in and out ---- */

void admit(struct worker *worker, struct request *request)
{
    if (admit_is_revoked(worker, request))
        return;
    announce_received(worker, request);
    if (request->message->eta_overflows)
        settle_bad_eta(worker, request);
    else if (request->message->eta_text != NULL && request->eta > clock_wall())
        wait_for_eta(worker, request);
    else
        join_line(worker, request);
}

void admit_again(struct worker *worker, struct request *request)
{
    take_lease(worker, request);
}

void admit_release(struct request *request)
{
    if (request->hold != NULL)
        hold_free(request->hold);
    if (request->lease != NULL)
        lease_release(request->lease);
    request->lease = NULL;
}
