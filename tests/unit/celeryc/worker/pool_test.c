/* The pool with real children, without broker and Redis (results are disabled): what the parent hears. */
#include "celeryc/message/encode.h"
#include "celeryc/worker/child.h"
#include "celeryc/worker/fork_server.h"
#include "celeryc/worker/pool.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 120.0
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
    return celery_reject(task, requeue);
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

enum { ADD, NAP, SOFT, FAIL, DIE, DAEMON, LEAVE, AGAIN, REFUSE, IGNORE, BIG };
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

struct seen { /* what became of one request */
    struct request request;
    int started, finished, lost, returned;
    pid_t pid;
    enum run_outcome outcome;
    enum loss_reason reason;
    int status;
    bool requeue, reject;
    char text[512]; /* the result's or the exception's repr */
    int retries;    /* of the retry's message */
    double retry_eta;
};

struct parent {
    struct ev_loop *loop;
    struct fork_server *server;
    struct pool *pool;
    struct seen *all;
    size_t count, submitted, ended;
    bool broken;
};

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

static void parent_start(struct parent *parent, int children, struct pool_options options)
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

/* One more request; `args` is JSON. */
static struct seen *parent_add(struct parent *parent, int type, const char *args)
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

/* Turns the loop once, or for a twentieth of a second. */
static void turn(struct parent *parent)
{
    ev_timer timer;
    ev_timer_init(&timer, on_timer, 0.05, 0);
    ev_timer_start(parent->loop, &timer);
    submit_what_fits(parent);
    ev_run(parent->loop, EVRUN_ONCE);
    ev_timer_stop(parent->loop, &timer);
}

#define UNTIL(parent, condition)                                                                             \
    do {                                                                                                     \
        double deadline = clock_monotonic() + PATIENCE;                                                      \
        while (!(condition) && clock_monotonic() < deadline)                                                 \
            turn(parent);                                                                                    \
        CU_ASSERT(condition);                                                                                \
    } while (0)

static void parent_run(struct parent *parent)
{
    UNTIL(parent, parent->ended == parent->count);
}

static void parent_end(struct parent *parent)
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

/* ---- tests ---- */

static void a_thousand_short_tasks_run_once_each(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    for (int i = 0; i < 1000; i++) {
        char args[32];
        (void)snprintf(args, sizeof args, "[%d, 1]", i);
        parent_add(&parent, ADD, args);
    }
    parent_run(&parent);
    for (int i = 0; i < 1000; i++) {
        const struct seen *seen = &parent.all[i];
        CU_ASSERT(seen->started == 1 && seen->finished == 1 && seen->lost == 0 && seen->returned == 0);
        CU_ASSERT_EQUAL(seen->outcome, RUN_SUCCESS);
        CU_ASSERT_EQUAL(atoi(seen->text), i + 1);
    }
    parent_end(&parent);
}

static void each_way_to_end_is_told(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *failed = parent_add(&parent, FAIL, "[]"), *unfit = parent_add(&parent, ADD, "[1]");
    struct seen *rejected = parent_add(&parent, REFUSE, "[true]"),
                *dropped = parent_add(&parent, REFUSE, "[false]");
    struct seen *ignored = parent_add(&parent, IGNORE, "[]"), *retried = parent_add(&parent, AGAIN, "[]");
    parent_run(&parent);
    CU_ASSERT_EQUAL(failed->outcome, RUN_FAILURE);
    CU_ASSERT_STRING_EQUAL(failed->text, "ValueError('deliberate')");
    CU_ASSERT_EQUAL(unfit->outcome, RUN_FAILURE);
    CU_ASSERT_STRING_EQUAL(unfit->text, "TypeError(\"add() missing 1 required positional argument: 'y'\")");
    CU_ASSERT(rejected->outcome == RUN_REJECTED && rejected->requeue);
    CU_ASSERT(dropped->outcome == RUN_REJECTED && !dropped->requeue);
    CU_ASSERT_EQUAL(ignored->outcome, RUN_IGNORED);
    CU_ASSERT_EQUAL(retried->outcome, RUN_RETRY);
    CU_ASSERT_EQUAL(retried->retries, 1);
    CU_ASSERT_STRING_EQUAL(retried->text, "OSError('away')");
    CU_ASSERT(retried->retry_eta > clock_wall() - PATIENCE);
    parent_end(&parent);
}

static void a_body_that_does_not_decode_is_acknowledged_or_rejected(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *broken = parent_add(&parent, ADD, "[1, 2]"), *foreign = parent_add(&parent, ADD, "[1, 2]");
    broken->request.wire.body[0] = '{';
    free(foreign->request.wire.content_type);
    foreign->request.wire.content_type = strdup("application/x-python-serialize");
    parent_run(&parent);
    CU_ASSERT(broken->outcome == RUN_UNDECODABLE && !broken->reject);
    CU_ASSERT(foreign->outcome == RUN_UNDECODABLE && foreign->reject);
    parent_end(&parent);
}

static void a_child_that_dies_loses_only_what_it_ran(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    for (int i = 0; i < 40; i++) {
        parent_add(&parent, i % 4 == 1 ? DIE : i % 4 == 3 ? LEAVE : ADD, i % 2 == 0 ? "[1, 1]" : "[]");
    }
    parent_run(&parent);
    for (int i = 0; i < 40; i++) {
        const struct seen *seen = &parent.all[i];
        CU_ASSERT_EQUAL(seen->started, 1);
        CU_ASSERT_EQUAL(seen->lost, i % 2);
        CU_ASSERT_EQUAL(seen->finished, 1 - i % 2);
        if (i % 4 == 1)
            CU_ASSERT(WIFSIGNALED(seen->status) && WTERMSIG(seen->status) == SIGKILL &&
                      seen->reason == LOST_CHILD);
        if (i % 4 == 3)
            CU_ASSERT(WIFEXITED(seen->status) && WEXITSTATUS(seen->status) == 7);
    }
    parent_end(&parent);
}

static void a_daemon_that_a_task_left_holds_up_nothing(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *left = parent_add(&parent, DAEMON, "[]"), *next = parent_add(&parent, ADD, "[1, 1]");
    parent_run(&parent);
    CU_ASSERT_EQUAL(left->lost, 1);
    CU_ASSERT_EQUAL(next->finished, 1);
    parent_end(&parent);
}

static void a_hard_time_limit_kills_the_child_and_a_soft_one_tells_the_task(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *hard = parent_add(&parent, NAP, "[600]"), *soft = parent_add(&parent, SOFT, "[]");
    hard->request.time_limit = 0.3;
    soft->request.soft_time_limit = 0.2;
    parent_run(&parent);
    CU_ASSERT(hard->lost == 1 && hard->reason == LOST_TIME_LIMIT);
    CU_ASSERT_EQUAL(soft->outcome, RUN_FAILURE);
    CU_ASSERT_STRING_EQUAL(soft->text, "SoftTimeLimitExceeded()");
    parent_end(&parent);
}

static void terminate_hits_what_runs_and_takes_back_what_does_not(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *running = parent_add(&parent, NAP, "[600]");
    UNTIL(&parent, running->started == 1);
    struct seen *behind = parent_add(&parent, NAP, "[600]");
    pool_submit(parent.pool, &behind->request);
    parent.submitted++;
    CU_ASSERT(pool_terminate(parent.pool, &behind->request, SIGTERM));
    CU_ASSERT_EQUAL(behind->returned, 1);
    CU_ASSERT(pool_terminate(parent.pool, &running->request, SIGTERM));
    parent_run(&parent);
    CU_ASSERT(running->lost == 1 && running->reason == LOST_TERMINATED);
    CU_ASSERT(WIFSIGNALED(running->status));
    CU_ASSERT_EQUAL(behind->started, 0);
    parent_end(&parent);
}

static void terminates_while_tasks_change_hands_never_hit_another_one(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    enum { COUNT = 300 };
    for (int i = 0; i < COUNT; i++)
        parent_add(&parent, i % 3 == 0 ? NAP : ADD, i % 3 == 0 ? "[0.002]" : "[1, 1]");
    bool asked[COUNT] = {false};
    double deadline = clock_monotonic() + PATIENCE;
    while (parent.ended < COUNT && clock_monotonic() < deadline) {
        turn(&parent);
        for (int i = 0; i < COUNT; i += 3) {
            struct seen *seen = &parent.all[i];
            bool running = seen->started == 1 && seen->finished == 0 && seen->lost == 0;
            if (running && !asked[i])
                asked[i] = pool_terminate(parent.pool, &seen->request, SIGKILL);
        }
    }
    CU_ASSERT_EQUAL(parent.ended, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct seen *seen = &parent.all[i];
        CU_ASSERT_EQUAL(seen->lost, asked[i] ? 1 : 0);
        CU_ASSERT_EQUAL(seen->finished, asked[i] ? 0 : 1);
    }
    parent_end(&parent);
}

static void what_waits_behind_a_stalled_task_goes_to_another_child(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    /* The type is known to be short, then one run of it takes for ever. */
    for (int i = 0; i < 20; i++)
        parent_add(&parent, NAP, "[0]");
    parent_run(&parent);
    struct seen *stalled = parent_add(&parent, NAP, "[600]");
    for (int i = 0; i < 30; i++)
        parent_add(&parent, NAP, "[0]");
    UNTIL(&parent, parent.ended == parent.count - 1);
    CU_ASSERT(stalled->started == 1 && stalled->finished == 0);
    CU_ASSERT(pool_terminate(parent.pool, &stalled->request, SIGKILL));
    parent_run(&parent);
    parent_end(&parent);
}

static void a_stopped_child_keeps_nothing_that_it_has_not_begun(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *first = parent_add(&parent, ADD, "[1, 1]");
    parent_run(&parent);
    kill(first->pid, SIGSTOP);
    for (int i = 0; i < 50; i++)
        parent_add(&parent, i % 2 == 0 ? ADD : NAP, i % 2 == 0 ? "[1, 1]" : "[0.01]");
    parent_run(&parent);
    for (size_t i = 1; i < parent.count; i++)
        CU_ASSERT(parent.all[i].finished == 1 && parent.all[i].pid != first->pid);
    kill(first->pid, SIGCONT);
    parent_end(&parent);
}

static void a_child_is_replaced_after_so_many_tasks(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){.max_tasks_per_child = 3});
    for (int i = 0; i < 10; i++)
        parent_add(&parent, ADD, "[1, 1]");
    parent_run(&parent);
    int children = 1;
    for (int i = 1; i < 10; i++)
        children += parent.all[i].pid != parent.all[i - 1].pid;
    CU_ASSERT_EQUAL(children, 4);
    parent_end(&parent);
}

static void a_pool_grows_and_shrinks(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    pool_resize(parent.pool, 3);
    for (int i = 0; i < 3; i++)
        parent_add(&parent, NAP, "[600]");
    UNTIL(&parent, pool_running(parent.pool) == 3);
    UNTIL(&parent, parent.all[0].started + parent.all[1].started + parent.all[2].started == 3);
    pool_resize(parent.pool, 1);
    CU_ASSERT_EQUAL(pool_concurrency(parent.pool), 1);
    for (int i = 0; i < 3; i++)
        CU_ASSERT(pool_terminate(parent.pool, &parent.all[i].request, SIGKILL));
    parent_run(&parent);
    struct seen *last = parent_add(&parent, ADD, "[2, 2]");
    parent_run(&parent);
    CU_ASSERT_STRING_EQUAL(last->text, "4");
    json_t *description = pool_describe(parent.pool);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(description, "max-concurrency")), 1);
    json_decref(description);
    parent_end(&parent);
}

static void closing_gives_back_what_has_not_begun_and_waits_for_the_rest(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *running = parent_add(&parent, NAP, "[0.5]"), *waiting = parent_add(&parent, NAP, "[0]");
    UNTIL(&parent, running->started == 1);
    pool_submit(parent.pool, &waiting->request);
    parent.submitted = parent.count;
    pool_close(parent.pool);
    CU_ASSERT_EQUAL(waiting->returned, 1);
    UNTIL(&parent, pool_is_gone(parent.pool));
    CU_ASSERT_EQUAL(running->finished, 1);
    parent_end(&parent);
}

static void messages_larger_than_a_socket_buffer_arrive(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    size_t size = 9 << 20;
    char *args = malloc(size + 8);
    CU_ASSERT_PTR_NOT_NULL_FATAL(args);
    memset(args, 'x', size + 8);
    memcpy(args, "[\"", 2);
    memcpy(args + size - 2, "\"]", 3);
    for (int i = 0; i < 4; i++)
        parent_add(&parent, BIG, args);
    free(args);
    parent_run(&parent);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(atol(parent.all[i].text), (long)size - 4);
    parent_end(&parent);
}

static void a_killed_fork_server_is_told_once_and_loses_what_ran(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *running = parent_add(&parent, NAP, "[600]");
    UNTIL(&parent, running->started == 1);
    kill(fork_server_pid(parent.server), SIGKILL);
    UNTIL(&parent, parent.broken);
    CU_ASSERT(running->lost == 1 && running->reason == LOST_CHILD);
    CU_ASSERT(pool_is_gone(parent.pool));
    UNTIL(&parent, kill(running->pid, 0) != 0 && errno == ESRCH); /* the kernel took the child along */
    parent_end(&parent);
}

UNIT_MAIN("pool", {"a thousand short tasks run once each", a_thousand_short_tasks_run_once_each},
          {"each way to end is told", each_way_to_end_is_told},
          {"a body that does not decode is acknowledged or rejected",
           a_body_that_does_not_decode_is_acknowledged_or_rejected},
          {"a child that dies loses only what it ran", a_child_that_dies_loses_only_what_it_ran},
          {"a daemon that a task left holds up nothing", a_daemon_that_a_task_left_holds_up_nothing},
          {"a hard time limit kills the child, a soft one tells the task",
           a_hard_time_limit_kills_the_child_and_a_soft_one_tells_the_task},
          {"terminate hits what runs and takes back what does not",
           terminate_hits_what_runs_and_takes_back_what_does_not},
          {"terminates while tasks change hands never hit another one",
           terminates_while_tasks_change_hands_never_hit_another_one},
          {"what waits behind a stalled task goes to another child",
           what_waits_behind_a_stalled_task_goes_to_another_child},
          {"a stopped child keeps nothing that it has not begun",
           a_stopped_child_keeps_nothing_that_it_has_not_begun},
          {"a child is replaced after so many tasks", a_child_is_replaced_after_so_many_tasks},
          {"a pool grows and shrinks", a_pool_grows_and_shrinks},
          {"closing gives back what has not begun and waits for the rest",
           closing_gives_back_what_has_not_begun_and_waits_for_the_rest},
          {"messages larger than a socket buffer arrive", messages_larger_than_a_socket_buffer_arrive},
          {"a killed fork server is told once and loses what ran",
           a_killed_fork_server_is_told_once_and_loses_what_ran})
