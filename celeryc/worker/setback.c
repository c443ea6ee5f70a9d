#include "celeryc/worker/setback.h"

#include "celeryc/message/task_message.h"
#include "common/log.h"

#include <stdlib.h>

#define PAUSE_MOST 60.0
#define DOUBLINGS_MOST 6
#define REMEMBERED 10000

struct setback {
    struct worker *worker;
    struct request *request;
    ev_timer pause;
};

void setback_release(struct request *request)
{
    struct setback *setback = request->setback;
    if (setback == NULL)
        return;
    ev_timer_stop(setback->worker->loop, &setback->pause);
    request->setback = NULL;
    free(setback);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct setback *setback = timer->data;
    struct request *request = setback->request;
    struct worker *worker = setback->worker;
    setback_release(request);
    if (request->state == REQUEST_WAITING) /* else it was revoked, and ends as such */
        admit_again(worker, request);
}

/* How often this run was set back, this time included. */
static unsigned count(struct worker *worker, const struct request *request)
{
    uint32_t times = 0;
    int retries = request->message->retries;
    if (worker->set_back == NULL)
        worker->set_back = id_ring_new(REMEMBERED, NULL);
    if (worker->set_back == NULL)
        return DOUBLINGS_MOST;
    if (id_ring_has(worker->set_back, request->id, retries, &times))
        id_ring_mark(worker->set_back, request->id, retries, ++times);
    else
        id_ring_add(worker->set_back, request->id, retries, ++times);
    return times;
}

void setback_forget(struct worker *worker, const struct request *request)
{
    if (worker->set_back != NULL)
        id_ring_forget(worker->set_back, request->id, request->message->retries);
}

bool setback_begin(struct worker *worker, struct request *request)
{
    bool ours = !request->acknowledged && worker->connected && request->epoch == worker->epoch;
    if (!ours || worker->phase != PHASE_RUNNING)
        return false;
    struct setback *setback = calloc(1, sizeof *setback);
    if (setback == NULL)
        return false;
    unsigned times = count(worker, request);
    double pause = times <= DOUBLINGS_MOST ? (double)(1U << (times - 1)) : PAUSE_MOST;
    log_write(LOG_ERROR, request->id,
              "Task %s[%s] runs again in %.0f s: its result could not be stored (%u times so far)",
              task_message_name(request->message), request->id, pause, times);
    setback->worker = worker;
    setback->request = request;
    ev_timer_init(&setback->pause, on_pause_over, pause, 0);
    setback->pause.data = setback;
    ev_timer_start(worker->loop, &setback->pause);
    request->setback = setback;
    request->redelivered = true;
    admit_release(request); /* a lease could be lost in so long a pause, and is taken anew */
    requests_move(&worker->requests, request, REQUEST_WAITING);
    return true;
}
