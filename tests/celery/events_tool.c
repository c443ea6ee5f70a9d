/* events-tool BROKER HOSTNAME [--tasks]: events as a worker sends them, a line of JSON a call on standard
 * input; for tests/celery/test_events.py. Answers "{}" to each, so that the caller knows when it is done. */
#include "celeryc/amqp/publisher.h"
#include "celeryc/events/dispatcher.h"
#include "common/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *call, const char *name)
{
    return json_string_value(json_object_get(call, name));
}

static double number_of(const json_t *call, const char *name)
{
    return json_number_value(json_object_get(call, name));
}

static bool flag_of(const json_t *call, const char *name)
{
    return json_is_true(json_object_get(call, name));
}

static void received(struct events *events, const json_t *call)
{
    const struct event_received task = {.id = text_of(call, "id"),
                                        .name = text_of(call, "name"),
                                        .argsrepr = text_of(call, "args"),
                                        .kwargsrepr = text_of(call, "kwargs"),
                                        .root_id = text_of(call, "root_id"),
                                        .parent_id = text_of(call, "parent_id"),
                                        .retries = (int)number_of(call, "retries"),
                                        .eta = number_of(call, "eta"),
                                        .expires = number_of(call, "expires")};
    events_task_received(events, &task);
}

static void started(struct events *events, const json_t *call)
{
    events_task_started(events, text_of(call, "id"));
}

static void succeeded(struct events *events, const json_t *call)
{
    events_task_succeeded(events, text_of(call, "id"), text_of(call, "result"), number_of(call, "runtime"));
}

static void failed(struct events *events, const json_t *call)
{
    events_task_failed(events, text_of(call, "id"), text_of(call, "exception"), text_of(call, "traceback"));
}

static void retried(struct events *events, const json_t *call)
{
    events_task_retried(events, text_of(call, "id"), text_of(call, "exception"), text_of(call, "traceback"));
}

static void rejected(struct events *events, const json_t *call)
{
    events_task_rejected(events, text_of(call, "id"), flag_of(call, "requeue"));
}

static void revoked(struct events *events, const json_t *call)
{
    events_task_revoked(events, text_of(call, "id"), flag_of(call, "terminated"),
                        (int)number_of(call, "signal"), flag_of(call, "expired"));
}

static void cancelled(struct events *events, const json_t *call)
{
    events_task_cancelled(events, text_of(call, "id"));
}

static struct event_worker worker_of(const json_t *call)
{
    return (struct event_worker){.active = (size_t)number_of(call, "active"),
                                 .processed = (uint64_t)number_of(call, "processed")};
}

static void online(struct events *events, const json_t *call)
{
    struct event_worker worker = worker_of(call);
    events_worker_online(events, &worker);
}

static void heartbeat(struct events *events, const json_t *call)
{
    struct event_worker worker = worker_of(call);
    events_worker_heartbeat(events, &worker);
}

static void offline(struct events *events, const json_t *call)
{
    struct event_worker worker = worker_of(call);
    events_worker_offline(events, &worker);
}

static void asked(struct events *events, const json_t *call)
{
    (void)call;
    events_worker_heartbeat_asked(events);
}

static void enable(struct events *events, const json_t *call)
{
    events_enable_tasks(events, flag_of(call, "tasks"));
}

static void flush(struct events *events, const json_t *call)
{
    (void)call;
    events_flush(events);
}

/* Events of `count` tasks, as fast as can be. */
static void flood(struct events *events, const json_t *call)
{
    for (size_t i = 0; i < (size_t)number_of(call, "count"); i++) {
        char id[40];
        snprintf(id, sizeof id, "task-%zu", i);
        events_task_started(events, id);
    }
    events_flush(events);
}

static const struct {
    const char *name;
    void (*run)(struct events *events, const json_t *call);
} calls[] = {
    {"received", received}, {"started", started},     {"succeeded", succeeded}, {"failed", failed},
    {"retried", retried},   {"rejected", rejected},   {"revoked", revoked},     {"cancelled", cancelled},
    {"online", online},     {"heartbeat", heartbeat}, {"offline", offline},     {"asked", asked},
    {"enable", enable},     {"flush", flush},         {"flood", flood},
};

int main(int argc, char **argv)
{
    static struct lamport_clock lamport;
    struct error error = {.code = ERROR_NONE};
    char *line = NULL;
    size_t room = 0;
    if (argc < 3)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    struct publisher_options options = {.broker = {.urls = argv[1],
                                                   .purpose = "events-tool",
                                                   .retry_first = 0.1,
                                                   .retry_step = 0.1,
                                                   .retry_most = 1}};
    struct publisher *publisher = publisher_new(&options, &error);
    struct events *events =
        publisher != NULL ? events_new(publisher, argv[2], &lamport, argc > 3, &error) : NULL;
    if (events == NULL) {
        fprintf(stderr, "events-tool: %s\n", error.message);
        return 2;
    }
    while (getline(&line, &room, stdin) > 0) {
        json_t *call = json_loads(line, 0, NULL);
        const char *name = text_of(call, "do");
        if (json_object_get(call, "clock") != NULL)
            lamport_adjust(&lamport, json_integer_value(json_object_get(call, "clock")));
        for (size_t i = 0; name != NULL && i < sizeof calls / sizeof calls[0]; i++) {
            if (strcmp(calls[i].name, name) == 0)
                calls[i].run(events, call);
        }
        json_decref(call);
        puts("{}");
        fflush(stdout);
    }
    free(line);
    events_free(events);
    publisher_free(publisher, 10);
    return 0;
}
