#include "tests/unit/celeryc/worker/pool_parent.h"

#include "celeryc/message/encode.h"
#include "celeryc/worker/child.h"
#include "celeryc/worker/fork_server.h"
#include "common/log.h"
#include "common/uuid.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS_MOST 4096

/* ---- tasks ---- */

static json_t *add(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t x, y;
    if (!celery_args(task, args, kwargs, "x:I y:I", &x, &y))
        return NULL;
    return json_integer(x + y);
}

static json_t *nap(struct celery_task *task, json_t *args, json_t *kwargs)
{
    double seconds;
    if (!celery_args(task, args, kwargs, "seconds:d", &seconds))
        return NULL;
    struct timespec wait = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&wait, &wait) != 0)
        continue;
    return json_null();
}

static json_t *until_soft_limit(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    while (!celery_should_stop(task))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return NULL;
}

static json_t *fail(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    return celery_fail(task, "ValueError", "deliberate");
}

static json_t *die(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)task;
    (void)args;
    (void)kwargs;
    kill(getpid(), SIGKILL);
    return NULL;
}

/* A daemon that left the group keeps the child's socket open. */
static json_t *die_but_leave_a_daemon(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (fork() == 0) {
        setsid();
        nanosleep(&(struct timespec){.tv_sec = 3}, NULL);
        _exit(0);
    }
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    return die(task, args, kwargs);
}

static json_t *leave(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)task;
    (void)args;
    (void)kwargs;
    _exit(7);
}

static json_t *again(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    return celery_retry(task, &(struct celery_retry){.countdown = 30, .type = "OSError", .message = "away"});
}

static json_t *refuse(struct celery_task *task, json_t *args, json_t *kwargs)
{
    bool requeue;
    if (!celery_args(task, args, kwargs, "requeue:b", &requeue))
        return NULL;
    return celery_reject(task, "no", requeue);
}

static json_t *ignore(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    return celery_ignore(task);
}

static json_t *big(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *text;
    if (!celery_args(task, args, kwargs, "text:s", &text))
        return NULL;
    return json_integer((json_int_t)strlen(text));
}

static const struct celery_task_type types[] = {
    [ADD] = {.name = "demo.add", .run = add},
    [NAP] = {.name = "demo.nap", .run = nap},
    [SOFT] = {.name = "demo.soft", .run = until_soft_limit},
    [FAIL] = {.name = "demo.fail", .run = fail},
    [DIE] = {.name = "demo.die", .run = die},
    [DAEMON] = {.name = "demo.daemon", .run = die_but_leave_a_daemon},
    [LEAVE] = {.name = "demo.leave", .run = leave},
    [AGAIN] = {.name = "demo.again", .run = again},
    [REFUSE] = {.name = "demo.refuse", .run = refuse},
    [IGNORE] = {.name = "demo.ignore", .run = ignore},
    [BIG] = {.name = "demo.big", .run = big},
    {.name = NULL},
};
static const struct child_options child_options = {.app = "demo", .hostname = "celery@test", .types = types};

/* ---- a parent ---- */

static struct seen *seen_of(struct request *request)
{
    return (struct seen *)request;
}

static void on_started(void *context, struct request *request)
{
    (void)context;
    CU_ASSERT(request->pid > 0);
    seen_of(request)->started++;
    seen_of(request)->pid = request->pid;
}

static void on_finished(void *context, struct request *request, const struct run_result *result)
{
    struct parent *parent = context;
    struct seen *seen = seen_of(request);
    const char *text = result->result != NULL ? result->result : result->exception;
    parent->ended++;
    seen->finished++;
    seen->outcome = result->outcome;
    seen->requeue = result->requeue;
    seen->reject = result->reject;
    (void)snprintf(seen->text, sizeof seen->text, "%s", text == NULL ? "" : text);
    if (result->retry != NULL) {
        seen->retries = (int)json_integer_value(json_object_get(result->retry->headers, "retries"));
        seen->retry_eta = result->retry_eta;
    }
}

static void on_lost(void *context, struct request *request, enum loss_reason reason, int status)
{
    struct parent *parent = context;
    parent->ended++;
    seen_of(request)->lost++;
    seen_of(request)->reason = reason;
    seen_of(request)->status = status;
}

static void on_returned(void *context, struct request *request)
{
    struct parent *parent = context;
    parent->ended++;
    seen_of(request)->returned++;
}

static void submit_what_fits(struct parent *parent)
{
    while (parent->submitted < parent->count && pool_room(parent->pool) > 0)
        pool_submit(parent->pool, &parent->all[parent->submitted++].request);
    pool_flush(parent->pool);
}

static void on_room(void *context)
{
    submit_what_fits(context);
}

static void on_broken(void *context, const char *reason)
{
    (void)reason;
    ((struct parent *)context)->broken = true;
}

static const struct pool_events events = {.started = on_started,
                                          .finished = on_finished,
                                          .lost = on_lost,
                                          .returned = on_returned,
                                          .room = on_room,
                                          .broken = on_broken};

void parent_start(struct parent *parent, int children, struct pool_options options)
{
    struct error error;
    *parent = (struct parent){.all = calloc(REQUESTS_MOST, sizeof *parent->all)};
    log_set_level(LOG_CRITICAL);
    parent->server = fork_server_start(child_main, &child_options, &error);
    parent->loop = ev_loop_new(EVFLAG_AUTO);
    options.types = types;
    options.concurrency = children;
    parent->pool = pool_new(&options, parent->server, parent->loop, &events, parent, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parent->pool);
}

struct seen *parent_add(struct parent *parent, int type, const char *args)
{
    struct error error;
    char id[UUID_SIZE];
    struct seen *seen = &parent->all[parent->count++];
    struct task_draft draft;
    task_draft_init(&draft);
    uuid_make(id);
    draft.id = id;
    draft.task = types[type].name;
    draft.args = json_loads(args, 0, NULL);
    draft.routing_key = "celery";
    bool encoded = task_encode(&draft, &seen->request.wire, &error);
    json_decref(draft.args);
    CU_ASSERT_FATAL(encoded);
    seen->request.id = strdup(id);
    seen->request.type = &types[type];
    seen->request.state = REQUEST_READY;
    return seen;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)timer;
    (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

void parent_turn(struct parent *parent)
{
    ev_timer timer;
    ev_timer_init(&timer, on_timer, 0.05, 0);
    ev_timer_start(parent->loop, &timer);
    submit_what_fits(parent);
    ev_run(parent->loop, EVRUN_ONCE);
    ev_timer_stop(parent->loop, &timer);
}

void parent_run(struct parent *parent)
{
    UNTIL(parent, parent->ended == parent->count);
}

void parent_end(struct parent *parent)
{
    pool_close(parent->pool);
    UNTIL(parent, pool_is_gone(parent->pool));
    pool_free(parent->pool);
    fork_server_stop(parent->server);
    ev_loop_destroy(parent->loop);
    for (size_t i = 0; i < parent->count; i++) {
        wire_message_clear(&parent->all[i].request.wire);
        free(parent->all[i].request.id);
    }
    free(parent->all);
}
