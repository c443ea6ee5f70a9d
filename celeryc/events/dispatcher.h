/* Events: what a worker tells monitors (Flower, `celery events`) of itself and of each task.
 *
 * Task events are collected and go out as one list (routing key "task.multi") when EVENTS_LIST of them are
 * there or when the caller flushes; worker events go out at once, alone. Exchange `celeryev`, topic,
 * transient messages. An event is printed as JSON into one buffer, with no value made of it; switched off it
 * costs a branch.
 *
 * They go through a publisher without confirms: at most once, and while the broker is away only the latest
 * are kept. One thread (the worker's event loop) owns it. Text is borrowed for the call and may be any UTF-8.
 * Source: celery/events/dispatcher.py, celery/worker/{request,strategy,heartbeat}.py. */
#ifndef CELERYC_EVENTS_DISPATCHER_H
#define CELERYC_EVENTS_DISPATCHER_H

#include "celeryc/amqp/publisher.h"
#include "celeryc/events/clock.h"

#define EVENTS_LIST 100          /* task events in one message at most */
#define EVENTS_FLUSH_AFTER 0.010 /* seconds that a caller may let them wait */

struct events;

/* Declares the exchange at the publisher, which must outlive it, as must the clock. `tasks`: whether task
 * events are on from the start (-E); worker events are always sent. NULL and ERROR_MEMORY, ERROR_INVALID (the
 * name). */
struct events *events_new(struct publisher *publisher, const char *hostname, struct lamport_clock *clock,
                          bool tasks, struct error *error);
void events_free(struct events *events); /* drops what was not flushed; NULL is allowed */

/* Remote control's enable_events and disable_events. */
bool events_tasks_enabled(const struct events *events);
void events_enable_tasks(struct events *events, bool tasks);

/* Sends what is collected. events_pending(): since when (clock_monotonic) something waits, 0: nothing does.
 */
void events_flush(struct events *events);
double events_pending(const struct events *events);

/* ---- tasks ---- */
struct event_received {
    const char *id, *name, *argsrepr, *kwargsrepr;
    const char *root_id, *parent_id; /* or NULL */
    int retries;
    double eta, expires; /* clock_wall, 0: none */
};
void events_task_received(struct events *events, const struct event_received *task);
void events_task_started(struct events *events, const char *id);
void events_task_succeeded(struct events *events, const char *id, const char *result,
                           double runtime); /* Python's repr; NAN: it was not run */
void events_task_failed(struct events *events, const char *id, const char *exception, const char *traceback);
void events_task_retried(struct events *events, const char *id, const char *exception, const char *traceback);
void events_task_rejected(struct events *events, const char *id, bool requeue);
void events_task_revoked(struct events *events, const char *id, bool terminated, int signal,
                         bool expired); /* 0: null */
void events_task_cancelled(struct events *events, const char *id);

/* ---- the worker ---- */
struct event_worker {
    double freq;        /* seconds between two heartbeats; 0: 2 */
    size_t active;      /* tasks that run */
    uint64_t processed; /* tasks accepted since the start */
};
void events_worker_online(struct events *events, const struct event_worker *worker);
void events_worker_heartbeat(struct events *events, const struct event_worker *worker);
void events_worker_offline(struct events *events, const struct event_worker *worker);
/* The heartbeat that remote control asks for: without figures, freq 5. */
void events_worker_heartbeat_asked(struct events *events);
/* A claim in an election, and that one was seen (celery/worker/consumer/gossip.py). `action`: any JSON, or
 * NULL.
 */
void events_worker_elect(struct events *events, const char *id, const char *topic, const json_t *action);
void events_worker_elect_seen(struct events *events, const char *id);

#endif
