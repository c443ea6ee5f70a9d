/* Stopping, as Celery's worker stops (celery/apps/worker.py, "shutdown"). What each signal does:
 *
 * - TERM: warm. Consumes no more, gives back what has not begun, finishes what runs, tells everybody, exit 0.
 *   Again: ignored. With REMAP_SIGTERM=SIGQUIT in the environment it is QUIT.
 * - INT: the first as TERM but for the exit code, 1 (so in Celery); the second as QUIT.
 * - QUIT: cold. Running tasks are ended (after --soft-shutdown-timeout, which with
 *   --enable-soft-shutdown-on-idle passes though nothing runs); late-acknowledged ones go back to their
 * queues; exit 1. Again: without the soft timeout.
 * - HUP: warm, then the program is executed anew, from the path it was started by; at a terminal it is TERM.
 * - USR1: says in the log what the worker is at.
 *
 * Nothing waits: each turn of the loop looks whether what the phase waits for has come. When nothing runs any
 * more, what the parent still has to store or publish can hold the end up for LAST_WAIT seconds, not longer.
 * Tasks that have ended but whose children cannot store the result, or publish what follows it, get the soft
 * shutdown's time, or LAST_WAIT, once no other runs any more. Then the shutdown is a cold one: they are
 * ended, and those that acknowledge late go back to their queues. */
#include "celeryc/worker/worker.h"
#include "common/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_WAIT 60.0
#define COLD_WAIT 10.0

static size_t count_of(const struct worker *worker, enum request_state state)
{
    return worker->requests.states[state].count;
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events);

static void set_deadline(struct worker *worker, double seconds)
{
    ev_timer_stop(worker->loop, &worker->deadline);
    ev_timer_init(&worker->deadline, on_deadline, seconds, 0);
    worker->deadline.data = worker;
    ev_timer_start(worker->loop, &worker->deadline);
}

/* Cold: ends what runs. Each end is reported as a lost child and settled. */
static void shoot_children(struct worker *worker)
{
    if (worker->children_shot)
        return;
    worker->children_shot = true;
    pool_kill(worker->pool);
    set_deadline(worker, COLD_WAIT);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = timer->data;
    if (worker->phase == PHASE_COLD && !worker->children_shot) {
        log_warning("The soft shutdown's time is over: %zu tasks still run and are ended",
                    count_of(worker, REQUEST_RUNNING));
        shoot_children(worker);
        return;
    }
    if (worker->phase == PHASE_WARM && !worker->pool_closing) {
        log_error("%zu tasks have ended but wait for Redis or the broker: the shutdown goes on as a cold one",
                  count_of(worker, REQUEST_RUNNING));
        worker->phase = PHASE_COLD;
        worker->exit_code = 1;
        shoot_children(worker);
        return;
    }
    log_error("Stopping though %zu states are not stored or published yet", worker->storing);
    worker->exit_code = 1;
    worker->phase = PHASE_LAST;
}

/* No new work, and back with what has not begun. */
static void stop_taking(struct worker *worker)
{
    consume_stop(worker);
    pool_take_back(worker->pool);
    const enum request_state held[] = {REQUEST_WAITING, REQUEST_READY};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        while (worker->requests.states[held[i]].first != NULL)
            settle_give_back(worker, worker->requests.states[held[i]].first);
    }
}

void shutdown_warm(struct worker *worker, const char *why)
{
    if (worker->phase != PHASE_RUNNING)
        return;
    log_warning("Warm shutdown (%s): %zu tasks run", why, count_of(worker, REQUEST_RUNNING));
    worker->phase = PHASE_WARM;
    stop_taking(worker);
}

void shutdown_cold(struct worker *worker, const char *why)
{
    if (worker->phase == PHASE_COLD) {
        shoot_children(worker);
        return;
    }
    if (worker->phase != PHASE_RUNNING && worker->phase != PHASE_WARM)
        return;
    bool taking = worker->phase == PHASE_RUNNING;
    log_warning("Cold shutdown (%s): %zu tasks run", why, count_of(worker, REQUEST_RUNNING));
    worker->phase = PHASE_COLD;
    worker->exit_code = 1;
    if (taking)
        stop_taking(worker);
    if (worker->options.soft_shutdown_timeout > 0 &&
        (count_of(worker, REQUEST_RUNNING) > 0 || worker->options.soft_shutdown_on_idle))
        set_deadline(worker, worker->options.soft_shutdown_timeout);
    else
        shoot_children(worker);
}

/* Warm, and something is under way: a task inside its function takes the time that it takes. */
static void bound_waiting(struct worker *worker)
{
    double most =
        worker->options.soft_shutdown_timeout > 0 ? worker->options.soft_shutdown_timeout : LAST_WAIT;
    bool waits = pool_working(worker->pool) == 0;
    if (waits && !ev_is_active(&worker->deadline))
        set_deadline(worker, most);
    else if (!waits)
        ev_timer_stop(worker->loop, &worker->deadline);
}

/* Whether a soft shutdown waits for its time, not for tasks. */
static bool waits_idle(const struct worker *worker)
{
    return worker->phase == PHASE_COLD && !worker->children_shot && worker->options.soft_shutdown_on_idle &&
           worker->options.soft_shutdown_timeout > 0;
}

void shutdown_advance(struct worker *worker)
{
    if (worker->phase == PHASE_RUNNING || worker->phase == PHASE_OVER || waits_idle(worker))
        return;
    if (worker->phase != PHASE_LAST) {
        if (count_of(worker, REQUEST_RUNNING) + count_of(worker, REQUEST_HANDED) > 0) {
            if (worker->phase == PHASE_WARM)
                bound_waiting(worker);
            return;
        }
        if (!worker->pool_closing) {
            worker->pool_closing = true;
            pool_close(worker->pool);
            if (!worker->children_shot)
                set_deadline(worker, LAST_WAIT);
        }
        if (worker->storing > 0 || !pool_is_gone(worker->pool))
            return;
        worker->phase = PHASE_LAST;
    }
    announce_worker(worker, ANNOUNCE_OFFLINE);
    worker->phase = PHASE_OVER;
    ev_timer_stop(worker->loop, &worker->deadline);
    ev_break(worker->loop, EVBREAK_ALL);
}

/* ---- signals ---- */

static void say_what_it_is_at(struct worker *worker)
{
    log_write(
        LOG_CRITICAL, NULL,
        "%s: broker %s, waiting %zu (of these for their ETA %zu), ready %zu, handed over %zu, running %zu, "
        "settling %zu; %llu tasks begun",
        worker->options.hostname, worker->connected ? "connected" : "not connected",
        count_of(worker, REQUEST_WAITING), worker->eta_held, count_of(worker, REQUEST_READY),
        count_of(worker, REQUEST_HANDED), count_of(worker, REQUEST_RUNNING),
        count_of(worker, REQUEST_SETTLING), (unsigned long long)worker->total);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = watcher->data;
    const char *remap = getenv("REMAP_SIGTERM");
    switch (watcher->signum) {
    case SIGTERM:
        if (remap != NULL && strcmp(remap, "SIGQUIT") == 0)
            shutdown_cold(worker, "SIGTERM");
        else
            shutdown_warm(worker, "SIGTERM");
        break;
    case SIGINT:
        if (worker->phase == PHASE_RUNNING) {
            worker->exit_code = 1;
            shutdown_warm(worker, "SIGINT; once more ends running tasks");
        } else {
            shutdown_cold(worker, "SIGINT");
        }
        break;
    case SIGQUIT:
        shutdown_cold(worker, "SIGQUIT");
        break;
    case SIGHUP:
        if (worker->phase == PHASE_RUNNING) /* a second one takes nothing back */
            worker->restart = !isatty(STDOUT_FILENO);
        shutdown_warm(worker, "SIGHUP");
        break;
    default:
        say_what_it_is_at(worker);
        break;
    }
}

static const int watched[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};

void shutdown_watch_signals(struct worker *worker)
{
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        ev_signal_init(&worker->signals[i], on_signal, watched[i]);
        worker->signals[i].data = worker;
        ev_signal_start(worker->loop, &worker->signals[i]);
    }
}

void shutdown_unwatch(struct worker *worker)
{
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        ev_signal_stop(worker->loop, &worker->signals[i]);
    ev_timer_stop(worker->loop, &worker->deadline);
}
