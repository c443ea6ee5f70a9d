/* Announcing: the events of requests and of the worker, with the fields that Celery gives them
 * (celery/worker/strategy.py, request.py, heartbeat.py). */
#include "celeryc/events/dispatcher.h"
#include "celeryc/message/task_message.h"
#include "celeryc/worker/worker.h"

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

void announce_received(struct worker *worker, const struct request *request)
{
    if (!events_tasks_enabled(worker->events))
        return;
    const struct task_message *message = request->message;
    const struct event_received event = {
        .id = request->id,
        .name = task_message_name(message),
        .argsrepr = or_empty(message->argsrepr),
        .kwargsrepr = or_empty(message->kwargsrepr),
        .root_id = message->root_id,
        .parent_id = message->parent_id,
        .retries = message->retries,
        .eta = request->eta,
        .expires = request->expires,
    };
    events_task_received(worker->events, &event);
}

void announce_worker(struct worker *worker, enum announcement what)
{
    const struct event_worker event = {
        .freq = worker->options.heartbeat_interval,
        .active = worker->requests.states[REQUEST_RUNNING].count,
        .processed = worker->total,
    };
    switch (what) {
    case ANNOUNCE_ONLINE:
        events_worker_online(worker->events, &event);
        break;
    case ANNOUNCE_HEARTBEAT:
        events_worker_heartbeat(worker->events, &event);
        break;
    case ANNOUNCE_OFFLINE:
        events_worker_offline(worker->events, &event);
        break;
    }
}
