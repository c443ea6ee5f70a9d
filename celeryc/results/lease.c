#include "celeryc/results/lease.h"

#include "celeryc/results/async.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_SECONDS 15.0
#define NEVER 1e9      /* seconds: what is lost stays lost until it is released */
#define BUSY_PAUSE 1.0 /* seconds between two attempts while another has it */

enum lease_step { STEP_HOLD, STEP_RELEASE };

struct lease {
    struct redis_job job;
    struct redis_thread *thread;
    char *key, *holder;
    double seconds;
    char milliseconds[24];
    enum lease_step step; /* what the command does */
    bool unknown;         /* no answer yet */
    bool released;
    bool refusal_logged;
    enum lease_state state; /* what Redis said */
    /* the owner's */
    bool disabled; /* there is no Redis: nothing is sent */
    bool finished; /* the thread knows it no more */
    bool told;
    enum lease_state told_state;
    lease_changed *changed;
    void *context;
};

static void set_command(struct lease *lease, enum lease_step step)
{
    struct redis_command *command = &lease->job.command;
    redis_command_clear(command);
    redis_command_init(command, step == STEP_HOLD ? &script_lease_hold : &script_lease_release);
    redis_command_add_text(command, "1");
    redis_command_add_text(command, lease->key);
    redis_command_add_text(command, lease->holder);
    if (step == STEP_HOLD)
        redis_command_add_text(command, lease->milliseconds);
    lease->step = step;
}

static void note_state(struct lease *lease, enum lease_state state)
{
    lease->job.want_report = lease->job.want_report || lease->unknown || lease->state != state;
    lease->unknown = false;
    lease->state = state;
}

/* What Redis said of a lease that is wanted. */
static void take_answer(struct lease *lease, double now)
{
    const struct redis_command *command = &lease->job.command;
    if (command->state == REDIS_REFUSED) {
        if (!lease->refusal_logged)
            log_error("%s: %s; trying again", lease->key, command->error.message);
        lease->refusal_logged = true;
        lease->job.due = now + BUSY_PAUSE;
        return;
    }
    if (command->reply->type == REDIS_REPLY_INTEGER && command->reply->integer == 1) {
        note_state(lease, LEASE_HELD);
        lease->job.due = now + lease->seconds / 3;
        return;
    }
    bool lost = !lease->unknown && lease->state != LEASE_BUSY;
    note_state(lease, lost ? LEASE_LOST : LEASE_BUSY);
    lease->job.due = lost ? now + NEVER : now + BUSY_PAUSE;
}

static bool lease_answered(struct redis_job *job, const struct error *fault)
{
    struct lease *lease = (struct lease *)job;
    if (fault != NULL || lease->step == STEP_RELEASE)
        return true;
    if (!lease->released)
        take_answer(lease, clock_monotonic());
    else
        job->due = 0;
    set_command(lease, lease->released || lease->state == LEASE_LOST ? STEP_RELEASE : STEP_HOLD);
    return false;
}

static void lease_free(struct lease *lease)
{
    redis_command_clear(&lease->job.command);
    free(lease->key);
    free(lease->holder);
    free(lease);
}

static void lease_report(struct redis_job *job, bool finished)
{
    struct lease *lease = (struct lease *)job;
    redis_thread_lock(lease->thread);
    enum lease_state state = lease->state;
    bool tell =
        !finished && !lease->released && !lease->unknown && (!lease->told || lease->told_state != state);
    redis_thread_unlock(lease->thread);
    lease->finished = finished;
    if (finished && lease->released)
        lease_free(lease);
    if (!tell)
        return;
    lease->told = true;
    lease->told_state = state;
    lease->changed(lease->context, state);
}

struct lease *lease_new(struct backend_async *async, const char *task_id, const char *holder, double seconds,
                        lease_changed *changed, void *context, struct error *error)
{
    struct lease *lease = calloc(1, sizeof *lease);
    if (lease == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    *lease = (struct lease){.job = {.answered = lease_answered, .report = lease_report},
                            .thread = backend_async_thread(async),
                            .seconds = seconds > 0 ? seconds : LEASE_SECONDS,
                            .unknown = true,
                            .changed = changed,
                            .context = context};
    lease->holder = strdup(holder);
    if (asprintf(&lease->key, "%sceleryc-lease-%s", backend_async_keys(async)->prefix, task_id) < 0)
        lease->key = NULL;
    if (lease->key == NULL || lease->holder == NULL) {
        lease_free(lease);
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    snprintf(lease->milliseconds, sizeof lease->milliseconds, "%.0f", lease->seconds * 1000);
    set_command(lease, STEP_HOLD);
    lease->disabled = backend_async_disabled(async);
    if (!lease->disabled) {
        redis_thread_submit(lease->thread, &lease->job);
        return lease;
    }
    note_state(lease, LEASE_HELD);
    redis_thread_report(lease->thread, &lease->job, false);
    return lease;
}

void lease_release(struct lease *lease)
{
    if (lease == NULL)
        return;
    if (lease->finished) {
        lease_free(lease);
        return;
    }
    redis_thread_lock(lease->thread);
    lease->released = true;
    /* Later it has run out by itself. */
    lease->job.deadline = clock_monotonic() + lease->seconds;
    lease->job.due = 0;
    if (!lease->job.in_flight)
        set_command(lease, STEP_RELEASE);
    redis_thread_wake(lease->thread);
    redis_thread_unlock(lease->thread);
    if (lease->disabled)
        redis_thread_report(lease->thread, &lease->job, true);
}
