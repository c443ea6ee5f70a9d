/* Beats: what happens by the clock: heartbeat events, more or fewer children with the load (--autoscale), and
 * a pulse that measures how late the loop is. */
#include "celeryc/worker/pool_slot.h"
#include "celeryc/worker/worker.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>

#define AUTOSCALE_EVERY 1.0
#define AUTOSCALE_KEEP 30.0 /* seconds of less load before children are given up; AUTOSCALE_KEEPALIVE */

static void on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = timer->data;
    if (worker->connected)
        announce_worker(worker, ANNOUNCE_HEARTBEAT);
}

/* As celery/worker/autoscale.py: up with the load at once, down when it has been less for a while. */
static void on_autoscale(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = timer->data;
    const struct request_list *states = worker->requests.states;
    long load =
        (long)(states[REQUEST_READY].count + states[REQUEST_HANDED].count + states[REQUEST_RUNNING].count);
    long children = pool_concurrency(worker->pool);
    double now = clock_monotonic();
    if (worker->phase != PHASE_RUNNING)
        return;
    if (load > children && children < worker->options.autoscale_most) {
        long wanted = load < worker->options.autoscale_most ? load : worker->options.autoscale_most;
        log_info("Scaling up from %ld to %ld children", children, wanted);
        pool_resize(worker->pool, (int)wanted);
    }
    if (load >= children || children <= worker->options.autoscale_least) {
        worker->idle_since = now;
        return;
    }
    if (now - worker->idle_since < worker->autoscale_keep)
        return;
    long wanted = load > worker->options.autoscale_least ? load : worker->options.autoscale_least;
    log_info("Scaling down from %ld to %ld children", children, wanted);
    pool_resize(worker->pool, (int)wanted);
}

/* Whatever keeps the loop (a call that waits, a long turn) makes the pulse late. It is the pool's tick, since
 * a timer of its own would wake an idle worker twice as often. */
void beat_pulse(void *context)
{
    struct worker *worker = context;
    double now = clock_monotonic(), lag = now - worker->pulse_due;
    if (worker->pulse_due == 0)
        return;
    if (lag > worker->timer_lag)
        worker->timer_lag = lag;
    worker->pulse_due = now + POOL_TICK;
}

void beat_start(struct worker *worker)
{
    double interval = worker->options.heartbeat_interval;
    ev_timer_init(&worker->heartbeat, on_heartbeat, interval, interval);
    ev_timer_init(&worker->autoscale, on_autoscale, AUTOSCALE_EVERY, AUTOSCALE_EVERY);
    worker->heartbeat.data = worker->autoscale.data = worker;
    worker->idle_since = clock_monotonic();
    const char *keep = getenv("AUTOSCALE_KEEPALIVE");
    worker->autoscale_keep = keep != NULL && atof(keep) > 0 ? atof(keep) : AUTOSCALE_KEEP;
    if (!worker->options.without_heartbeat)
        ev_timer_start(worker->loop, &worker->heartbeat);
    if (worker->options.autoscale_most > 0)
        ev_timer_start(worker->loop, &worker->autoscale);
    worker->pulse_due = clock_monotonic() + POOL_TICK;
}

void beat_stop(struct worker *worker)
{
    ev_timer_stop(worker->loop, &worker->heartbeat);
    ev_timer_stop(worker->loop, &worker->autoscale);
}
