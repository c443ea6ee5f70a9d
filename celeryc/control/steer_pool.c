/* Commands that change the pool, and the one that ends the worker. */
#include "celeryc/control/command.h"
#include "common/log.h"

#define STEP_MOST 512 /* children that one command may add or take */

static json_t *resize(struct control_call *call, int direction, const char *word)
{
    json_t *scaled = call->worker->autoscaler(call->worker->context);
    json_decref(scaled);
    if (scaled != NULL)
        return control_error("pool_%s is not supported with autoscale. Adjust autoscale range instead.",
                             word);
    long by = control_integer(call, "n", json_object_get(call->arguments, "n") == NULL ? 1 : -1);
    if (by < 0 || by > STEP_MOST)
        return control_raise(call, "ValueError", "n must be a number from 0 to %d", STEP_MOST);
    call->worker->pool_grow(call->worker->context, direction * (int)by);
    return control_ok("pool will %s", word);
}

static json_t *pool_grow(struct control_call *call)
{
    return resize(call, 1, "grow");
}

static json_t *pool_shrink(struct control_call *call)
{
    return resize(call, -1, "shrink");
}

/* An integer from 0 on, or null: as it is (-1). False when it is neither. */
static bool read_bound(const struct control_call *call, const char *name, long *bound)
{
    const json_t *value = json_object_get(call->arguments, name);
    *bound = value == NULL || json_is_null(value) ? -1 : control_integer(call, name, -2);
    return *bound >= -1 && *bound <= STEP_MOST;
}

static json_t *autoscale(struct control_call *call)
{
    long most, least;
    if (!read_bound(call, "max", &most) || !read_bound(call, "min", &least))
        return control_raise(call, "ValueError", "max and min must be numbers from 0 to %d", STEP_MOST);
    if (!call->worker->autoscale(call->worker->context, &most, &least))
        return control_raise(call, "ValueError", "Autoscale not enabled");
    return control_ok("autoscale now max=%ld min=%ld", most, least);
}

/* What a restart is for, code that has changed, a program in C cannot load. */
static json_t *pool_restart(struct control_call *call)
{
    return control_raise(call, "ValueError", "Pool restarts not enabled");
}

static json_t *shutdown_worker(struct control_call *call)
{
    const char *message = control_text(call, "msg");
    log_warning("%s", message != NULL ? message : "Got shutdown from remote");
    call->silent = true;
    call->worker->shutdown(call->worker->context);
    return NULL;
}

const struct control_command steer_pool_commands[] = {
    {.name = "pool_grow",
     .kind = CONTROL_STEER,
     .optional = {"n"},
     .any_keyword = true,
     .signature = "[N=1]",
     .help = "Grow pool by n processes/threads.",
     .run = pool_grow},
    {.name = "pool_shrink",
     .kind = CONTROL_STEER,
     .optional = {"n"},
     .any_keyword = true,
     .signature = "[N=1]",
     .help = "Shrink pool by n processes/threads.",
     .run = pool_shrink},
    {.name = "pool_restart",
     .kind = CONTROL_STEER,
     .optional = {"modules", "reload", "reloader"},
     .any_keyword = true,
     .help = "Restart execution pool.",
     .run = pool_restart},
    {.name = "autoscale",
     .kind = CONTROL_STEER,
     .optional = {"max", "min"},
     .signature = "[max [min]]",
     .help = "Modify autoscale settings.",
     .run = autoscale},
    {.name = "shutdown",
     .kind = CONTROL_STEER,
     .optional = {"msg"},
     .any_keyword = true,
     .help = "Shutdown worker(s).",
     .run = shutdown_worker},
    {.name = NULL},
};
