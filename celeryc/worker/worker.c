/* The worker's main(): reads the options, starts the parts in the order in which they need one another, runs
 * the loop, and takes everything down again. The steps of a request are in receive.c, admit.c, dispatch.c and
 * settle.c. */
#include "celeryc/worker/worker.h"

#include "celeryc/control/mailbox.h"
#include "celeryc/events/dispatcher.h"
#include "celeryc/results/backend_async.h"
#include "celeryc/results/rpc.h"
#include "celeryc/worker/banner.h"
#include "celeryc/worker/builtins.h"
#include "celeryc/worker/child.h"
#include "celeryc/worker/fate.h"
#include "celeryc/worker/fork_server.h"
#include "celeryc/worker/manual.h"
#include "celeryc/worker/pidfile.h"
#include "celeryc/worker/ping.h"
#include "celeryc/worker/statedb.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define DONE_MOST 20000       /* runs remembered, see ids.h */
#define REVOKED_MOST 50000    /* celery/worker/state.py REVOKES_MAX */
#define REVOKED_EXPIRES 10800 /* seconds; REVOKE_EXPIRES */
#define TURN_MOST 512         /* messages looked at in one turn of the loop, so that timers are never late */

/* ---- a turn of the loop ---- */

static void on_more(struct ev_loop *loop, ev_idle *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events; /* it only keeps the loop from sleeping: on_before_sleep() goes on with the backlog */
}

static void on_deliveries(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = watcher->data;
    struct consumer_event **end = &worker->backlog;
    while (*end != NULL)
        end = &(*end)->next;
    *end = consumer_take(worker->consumer);
}

static void work_off_backlog(struct worker *worker)
{
    for (int i = 0; i < TURN_MOST && worker->backlog != NULL; i++) {
        struct consumer_event *event = worker->backlog;
        worker->backlog = event->next;
        receive_event(worker, event);
        consumer_event_free(event);
    }
    if (worker->backlog != NULL)
        ev_idle_start(worker->loop, &worker->more);
    else
        ev_idle_stop(worker->loop, &worker->more);
}

static void on_stored(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = watcher->data;
    backend_async_turn(worker->backend);
}

static void on_mail(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = watcher->data;
    mailbox_turn(worker->mailbox);
}

static void on_events_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events; /* flush_events() sees that it is time */
}

/* Events may wait a little, so that many go out as one list. */
static void flush_events(struct worker *worker)
{
    double since = events_pending(worker->events);
    if (since == 0)
        return;
    double left = since + EVENTS_FLUSH_AFTER - clock_monotonic();
    if (left <= 0) {
        events_flush(worker->events);
    } else if (!ev_is_active(&worker->events_due)) {
        ev_timer_set(&worker->events_due, left, 0);
        ev_timer_start(worker->loop, &worker->events_due);
    }
}

/* What the turn brought goes out together. */
void worker_flush(struct worker *worker)
{
    dispatch_ready(worker);
    pool_flush(worker->pool);
    consume_update_prefetch(worker);
    consumer_flush(worker->consumer);
    flush_events(worker);
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = watcher->data;
    work_off_backlog(worker);
    worker_flush(worker);
    shutdown_advance(worker);
}

/* ---- up ---- */

static void watch(struct worker *worker, ev_io *watcher, void (*call)(struct ev_loop *, ev_io *, int), int fd)
{
    ev_io_init(watcher, call, fd, EV_READ);
    watcher->data = worker;
    ev_io_start(worker->loop, watcher);
}

static const char *purpose(struct worker *worker, size_t which, const char *what)
{
    (void)snprintf(worker->purposes[which], sizeof worker->purposes[which], "celeryc %s: %s",
                   worker->options.hostname, what);
    return worker->purposes[which];
}

/* Redis: with rpc:// nothing is stored. */
static bool has_backend(const struct worker_options *options)
{
    return !rpc_is_url(options->result_backend) && options->result_backend != NULL &&
           options->result_backend[0] != '\0' && strcmp(options->result_backend, "disabled://") != 0;
}

static struct backend_options backend_settings(const struct worker_options *options)
{
    return (struct backend_options){
        .url = has_backend(options) ? options->result_backend : NULL,
        .key_prefix = options->key_prefix,
        .expires = options->result_expires > 0 ? options->result_expires : -1,
    };
}

static bool start_pool(struct worker *worker, struct error *error)
{
    const struct worker_options *options = &worker->options;
    const struct pool_options pool = {
        .types = worker->types,
        .concurrency = (int)options->concurrency,
        .max_tasks_per_child = (int)options->max_tasks_per_child,
        .soft_time_limit = options->soft_time_limit,
        .time_limit = options->time_limit,
    };
    worker->pool = pool_new(&pool, worker->fork_server, worker->loop, &dispatch_pool_events, worker, error);
    return worker->pool != NULL;
}

static bool start_publishers(struct worker *worker, struct error *error)
{
    const struct publisher_options confirmed = {
        .broker = worker_broker(worker, purpose(worker, 1, "publish")), .confirm = true};
    const struct publisher_options told = {.broker = worker_broker(worker, purpose(worker, 2, "events")),
                                           .capacity = 20000};
    worker->publisher = publisher_new(&confirmed, error);
    worker->teller = worker->publisher ? publisher_new(&told, error) : NULL;
    worker->confirms = worker->teller ? confirms_new(worker->publisher, worker->loop, error) : NULL;
    if (worker->confirms == NULL)
        return false;
    worker->events = events_new(worker->teller, worker->options.hostname, &worker->clock,
                                worker->options.task_events, error);
    return worker->events != NULL;
}

static bool start_mailbox(struct worker *worker, struct error *error)
{
    view_init(worker);
    const struct mailbox_options mailbox = {
        .broker = worker_broker(worker, purpose(worker, 3, "control")),
        .worker = &worker->view,
        .replies = worker->teller,
    };
    worker->mailbox = mailbox_new(&mailbox, error);
    return worker->mailbox != NULL && neighbours_start(worker, error);
}

/* What Celery too reads from the environment alone; nonsense counts as not said. */
static double number_from(const char *variable, double otherwise)
{
    const char *text = getenv(variable);
    double number = text != NULL ? atof(text) : 0;
    return number >= 1 && number <= 1e6 ? number : otherwise;
}

static bool start(struct worker *worker, struct error *error)
{
    worker->loop = ev_loop_new(EVFLAG_AUTO);
    worker->done = id_ring_new(DONE_MOST, error);
    worker->revoked = worker->done
                          ? id_ring_new((size_t)number_from("CELERY_WORKER_REVOKES_MAX", REVOKED_MOST), error)
                          : NULL;
    worker->revoked_expires = number_from("CELERY_WORKER_REVOKE_EXPIRES", REVOKED_EXPIRES);
    if (worker->revoked == NULL || !requests_init(&worker->requests, error))
        return false;
    if (worker->loop == NULL)
        return error_set(error, ERROR_SYSTEM, "no event loop");
    if (worker->options.statedb != NULL) {
        /* Written at once too: that it cannot be is better known now than when the ids are lost. */
        if (!statedb_load(worker->options.statedb, worker->revoked, &worker->clock, error) ||
            !statedb_save(worker->options.statedb, worker->revoked, &worker->clock, error))
            return false;
        worker->anything_revoked = true;
    }
    ev_init(&worker->events_due, on_events_due);
    ev_idle_init(&worker->more, on_more);
    ev_init(&worker->deadline, NULL);
    shutdown_watch_signals(worker);
    if (!start_pool(worker, error) || !start_publishers(worker, error))
        return false;
    if (has_backend(&worker->options)) {
        struct backend_options backend = backend_settings(&worker->options);
        worker->backend = backend_async_new(&backend, 0, error);
        if (worker->backend == NULL)
            return false;
        watch(worker, &worker->stored, on_stored, backend_async_fd(worker->backend));
    }
    (void)purpose(worker, 0, "consume");
    if (!consume_start(worker, error) || !start_mailbox(worker, error))
        return false;
    watch(worker, &worker->deliveries, on_deliveries, consumer_fd(worker->consumer));
    watch(worker, &worker->mail, on_mail, mailbox_fd(worker->mailbox));
    ev_prepare_init(&worker->before_sleep, on_before_sleep);
    worker->before_sleep.data = worker;
    ev_prepare_start(worker->loop, &worker->before_sleep);
    beat_start(worker);
    return true;
}

/* ---- down ---- */

static void release_leases(struct worker *worker)
{
    for (size_t state = 0; state < REQUEST_STATES; state++) {
        for (struct request *request = worker->requests.states[state].first; request != NULL;
             request = request->next)
            admit_release(request);
    }
}

static void save_state(struct worker *worker)
{
    struct error error = {0};
    if (worker->options.statedb == NULL || worker->revoked == NULL || !worker->was_ready)
        return;
    steer_expire_revoked(worker);
    if (!statedb_save(worker->options.statedb, worker->revoked, &worker->clock, &error))
        log_error("%s", error.message);
}

/* What the loop has not seen ended (a deadline passed) ends here: what is not stored goes back to the broker.
 */
static void stop(struct worker *worker)
{
    worker->phase = PHASE_OVER;
    neighbours_stop(worker);
    mailbox_free(worker->mailbox, 2);
    /* Redis first: a retry whose state is stored now, or given up, is published after that. */
    if (worker->loop != NULL && worker->requests.buckets != NULL) {
        release_leases(worker);
        backend_async_free(worker->backend, worker->storing > 0 ? 0.1 : 5);
        worker->backend = NULL;
    }
    fate_abandon_all(worker);
    publisher_free(worker->publisher, 5);
    worker->publisher = NULL;
    confirms_free(worker->confirms);
    if (worker->pool != NULL)
        pool_free(worker->pool);
    requests_clear(&worker->requests);
    while (worker->backlog != NULL) {
        struct consumer_event *event = worker->backlog;
        worker->backlog = event->next;
        consumer_event_free(event);
    }
    if (worker->consumer != NULL)
        consumer_free(worker->consumer, 10);
    consume_clear(worker);
    if (worker->events != NULL)
        events_flush(worker->events);
    events_free(worker->events);
    if (worker->teller != NULL)
        publisher_free(worker->teller, 2);
    save_state(worker);
    id_ring_free(worker->done);
    id_ring_free(worker->set_back);
    id_ring_free(worker->revoked);
    json_decref(worker->revoked_stamps);
    if (worker->loop != NULL) {
        beat_stop(worker);
        shutdown_unwatch(worker);
        ev_loop_destroy(worker->loop);
    }
}

/* ---- the program ---- */

/* By the path it was started by, as Celery's execv of sys.argv: what lies there now may be a newer one. Where
 * there is none any more, what ran so far runs on. Returns when neither can be. */
static void run_again(char **argv)
{
    const char *path = (const char *)getauxval(AT_EXECFN); /* of argv[0] nobody says that it is a path */
    log_warning("Running %s again", path);
    (void)execv(path, argv);
    log_error("Cannot run %s: %s; running the program as it was", path, strerror(errno));
    (void)execv("/proc/self/exe", argv);
    log_error("Cannot run %s again: %s", argv[0], strerror(errno));
}

static int complain(const struct celery_worker_program *program, const struct error *error, int code)
{
    fprintf(stderr, "%s: %s\n", program->app, error->message);
    return code;
}

/* Which number of children "auto" has become, and why; in Celery's words (worker/worker.py). */
static void say_concurrency(const struct worker_options *options)
{
    char quota[64] = "no cgroup cpu quota found";
    if (options->cpus.quota > 0)
        (void)snprintf(quota, sizeof quota, "cgroup cpu quota=%.2f", options->cpus.quota);
    if (options->concurrency_is_auto)
        log_info("worker_concurrency='auto' resolved to %ld (pool=%s, %s, available cpus=%ld).",
                 options->concurrency, options->pool, quota, options->cpus.available);
}

static int run(struct worker *worker, char **argv)
{
    struct error error = {0};
    const struct celery_worker_program *program = worker->program;
    const struct worker_options *options = &worker->options;
    worker->types = builtins_join(program->tasks);
    struct child_options child = {
        .app = program->app,
        .hostname = options->hostname,
        .types = worker->types,
        .backend = backend_settings(options),
        .rpc = rpc_is_url(options->result_backend),
        .broker = worker_broker(worker, NULL),
        .default_queue = options->default_queue,
        .result_extended = options->result_extended,
        .result_persistent = options->result_persistent,
        .track_started = options->track_started,
        .deduplicate = options->deduplicate,
        .max_memory = (size_t)options->max_memory_per_child * 1024,
        .child_start = program->child_start,
    };
    if (worker->types == NULL || !registry_init(&worker->registry, worker->types, &error))
        return complain(program, &error, 1);
    worker->fork_server = fork_server_start(child_main, &child, &error);
    if (worker->fork_server == NULL)
        return complain(program, &error, 1);
    if (!options->quiet)
        banner_print(options, program, stdout);
    say_concurrency(options);
    if (start(worker, &error)) {
        ev_run(worker->loop, 0);
    } else {
        worker->exit_code = 1;
        log_error("Cannot start: %s", error.message);
    }
    stop(worker);
    fork_server_stop(worker->fork_server);
    registry_clear(&worker->registry);
    free(worker->types);
    log_info("%s has stopped, exit code %d", options->hostname, worker->exit_code);
    if (worker->restart && worker->exit_code == 0) {
        if (options->pidfile != NULL)
            pidfile_remove(options->pidfile);
        run_again(argv);
        return 1;
    }
    return worker->exit_code;
}

static int prepare_and_run(struct worker *worker, char **argv)
{
    struct error error = {0};
    const struct worker_options *options = &worker->options;
    const struct celery_worker_program *program = worker->program;
    log_set_level(options->level);
    log_set_json(options->json_log);
    signal(SIGPIPE, SIG_IGN);
    if (options->logfile != NULL && !log_open(options->logfile, &error))
        return complain(program, &error, 1);
    if (program->prepare != NULL && !program->prepare(&error))
        return complain(program, &error, error.code == ERROR_INVALID ? EXIT_USAGE : 1);
    if (options->pidfile != NULL && !pidfile_write(options->pidfile, &error))
        return complain(program, &error, 1);
    int code = run(worker, argv);
    if (options->pidfile != NULL)
        pidfile_remove(options->pidfile);
    return code;
}

int celery_worker_main(int argc, char **argv, const struct celery_worker_program *program)
{
    struct error error = {0};
    struct worker worker = {.program = program, .begun = clock_monotonic()};
    int code;
    if (!worker_options_read(&worker.options, program, argc, argv, &error)) {
        worker_options_clear(&worker.options);
        return complain(program, &error, error.code == ERROR_INVALID ? EXIT_USAGE : 1);
    }
    switch (worker.options.action) {
    case WORKER_HELP:
        worker_options_print_help(&worker.options, program, stdout);
        code = 0;
        break;
    case WORKER_MANUAL:
        worker_manual_print(&worker.options, program, argv[0], stdout);
        code = 0;
        break;
    case WORKER_VERSION:
        printf("%s\n", program->version ? program->version : "0");
        code = 0;
        break;
    case WORKER_PING:
        code = worker_ping(&worker.options, program);
        break;
    default:
        code = prepare_and_run(&worker, argv);
        break;
    }
    worker_options_clear(&worker.options);
    return code;
}
