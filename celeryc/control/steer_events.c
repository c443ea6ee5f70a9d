/* Commands that switch events, and that concern neighbours. */
#include "celeryc/control/command.h"
#include "celeryc/control/gossip.h"
#include "common/log.h"

static json_t *switch_events(struct control_call *call, bool tasks, const char *word)
{
    struct events *events = call->worker->events;
    if (events == NULL)
        return control_error("event dispatcher unavailable");
    if (events_tasks_enabled(events) == tasks)
        return control_ok("task events already %s", word);
    events_enable_tasks(events, tasks);
    log_info("Events of group {task} %s by remote.", word);
    return control_ok("task events %s", word);
}

static json_t *enable_events(struct control_call *call)
{
    return switch_events(call, true, "enabled");
}

static json_t *disable_events(struct control_call *call)
{
    return switch_events(call, false, "disabled");
}

static json_t *heartbeat(struct control_call *call)
{
    if (call->worker->events != NULL)
        events_worker_heartbeat_asked(call->worker->events);
    return NULL;
}

/* Elections are held among workers that gossip; one that does not takes no part, as in Celery. */
static json_t *election(struct control_call *call)
{
    if (call->worker->gossip != NULL)
        gossip_hold_election(call->worker->gossip, control_text(call, "id"), control_text(call, "topic"),
                             json_object_get(call->arguments, "action"));
    return NULL;
}

const struct control_command steer_events_commands[] = {
    {.name = "enable_events",
     .kind = CONTROL_STEER,
     .help = "Tell worker(s) to send task-related events.",
     .run = enable_events},
    {.name = "disable_events",
     .kind = CONTROL_STEER,
     .help = "Tell worker(s) to stop sending task-related events.",
     .run = disable_events},
    {.name = "heartbeat",
     .kind = CONTROL_STEER,
     .help = "Tell worker(s) to send event heartbeat immediately.",
     .run = heartbeat},
    {.name = "election",
     .kind = CONTROL_STEER,
     .required = {"id", "topic"},
     .optional = {"action"},
     .any_keyword = true,
     .help = "Hold election.",
     .run = election},
    {.name = NULL},
};
