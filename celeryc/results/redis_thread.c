#include "celeryc/results/redis_thread.h"

#include "common/clock.h"
#include "common/condition.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FOREVER 1e9 /* seconds; longer than any machine runs */

struct job_list {
    struct redis_job *first, **last;
};

struct redis_thread {
    struct redis_connection connection; /* the thread's alone */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake, ended;
    int fd;
    atomic_bool cancel;
    bool stopping, stopped;
    struct job_list jobs; /* all that are not finished, in the order of submission */
    struct redis_job *reports, **last_report;
    struct redis_command **due; /* the thread's alone: what is sent now */
    size_t due_capacity;
};

static void job_list_init(struct job_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void job_list_append(struct job_list *list, struct redis_job *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
}

void redis_thread_lock(struct redis_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
}

void redis_thread_unlock(struct redis_thread *thread)
{
    pthread_mutex_unlock(&thread->mutex);
}

void redis_thread_wake(struct redis_thread *thread)
{
    pthread_cond_signal(&thread->wake);
}

/* ---- reports ---- */

/* Locked. */
static void add_report(struct redis_thread *thread, struct redis_job *job)
{
    job->want_report = false;
    if (job->in_reports)
        return;
    if (thread->reports == NULL)
        (void)eventfd_write(thread->fd, 1);
    job->in_reports = true;
    job->next_report = NULL;
    *thread->last_report = job;
    thread->last_report = &job->next_report;
}

void redis_thread_turn(struct redis_thread *thread)
{
    eventfd_t count;
    (void)eventfd_read(thread->fd, &count);
    redis_thread_lock(thread);
    struct redis_job *job = thread->reports;
    thread->reports = NULL;
    thread->last_report = &thread->reports;
    while (job != NULL) {
        struct redis_job *next = job->next_report;
        bool finished = job->finished;
        job->in_reports = false;
        redis_thread_unlock(thread);
        job->report(job, finished);
        redis_thread_lock(thread);
        job = next;
    }
    redis_thread_unlock(thread);
}

/* ---- the thread ---- */

/* Fills thread->due with the commands to be sent now; their number. `*next`: when the first of the others is
 * due. */
static size_t collect_due(struct redis_thread *thread, double now, double *next)
{
    size_t count = 0;
    *next = now + FOREVER;
    for (struct redis_job *job = thread->jobs.first; job != NULL; job = job->next) {
        if (job->due > now) {
            *next = fmin(*next, job->due);
            continue;
        }
        if (count == thread->due_capacity) {
            size_t capacity = thread->due_capacity * 2 + 64;
            struct redis_command **due = reallocarray(thread->due, capacity, sizeof *due);
            if (due == NULL)
                return count; /* the others come in the next round */
            thread->due = due;
            thread->due_capacity = capacity;
        }
        job->in_flight = true;
        thread->due[count++] = &job->command;
    }
    return count;
}

/* Whether the job has come to an end or to an answer, and if so, what comes next: true when it is finished.
 */
static bool settle(struct redis_job *job, double now, const struct error *fault)
{
    struct error late = {.code = ERROR_NONE};
    if (job->command.state != REDIS_PENDING)
        return job->answered(job, NULL);
    if (fault->code == ERROR_CANCELLED)
        return job->answered(job, fault);
    if (job->deadline == 0 || now < job->deadline)
        return false;
    late = job->command.error.code != ERROR_NONE ? job->command.error : *fault;
    if (late.code == ERROR_NONE)
        error_set(&late, ERROR_TIMEOUT, "Redis took no notice in time");
    return job->answered(job, &late);
}

/* Settles all jobs after an attempt; true when some that were sent are still pending. */
static bool settle_all(struct redis_thread *thread, double now, const struct error *fault)
{
    struct job_list kept;
    bool pending = false;
    job_list_init(&kept);
    for (struct redis_job *job = thread->jobs.first, *next; job != NULL; job = next) {
        next = job->next;
        job->in_flight = false;
        job->finished = settle(job, now, fault);
        if (!job->finished)
            job_list_append(&kept, job);
        pending = pending || (!job->finished && job->due <= now && job->command.error.code != ERROR_NONE);
        if (job->finished || job->want_report)
            add_report(thread, job);
    }
    thread->jobs = kept;
    if (kept.first == NULL)
        job_list_init(&thread->jobs);
    return pending;
}

/* Locked: waits until `until`, a wake-up (unless `deaf`), or the end. */
static void wait_until(struct redis_thread *thread, double until, bool deaf)
{
    bool woken;
    do {
        woken = condition_wait_until(&thread->wake, &thread->mutex, until);
    } while (deaf && woken && !atomic_load(&thread->cancel));
}

/* One round: sends what is due, and waits for the next. Locked. */
static void run_round(struct redis_thread *thread)
{
    double now = clock_monotonic(), next = 0;
    size_t count = collect_due(thread, now, &next);
    if (count == 0) {
        wait_until(thread, next, false);
        return;
    }
    struct error fault = {.code = ERROR_NONE};
    redis_thread_unlock(thread);
    bool answered = redis_attempt(&thread->connection, thread->due, count, now + FOREVER, &fault);
    redis_thread_lock(thread);
    now = clock_monotonic();
    if (answered)
        fault.code = ERROR_NONE;
    bool pending = settle_all(thread, now, &fault);
    if ((!answered || pending) && !atomic_load(&thread->cancel))
        wait_until(thread, now + redis_connection_pause(&thread->connection), true);
}

static void *run(void *argument)
{
    struct redis_thread *thread = argument;
    struct error cancelled = {.code = ERROR_NONE};
    redis_thread_lock(thread);
    while (!atomic_load(&thread->cancel) && (!thread->stopping || thread->jobs.first != NULL))
        run_round(thread);
    error_set(&cancelled, ERROR_CANCELLED, "stopped before Redis answered");
    settle_all(thread, clock_monotonic(), &cancelled);
    thread->stopped = true;
    pthread_cond_signal(&thread->ended);
    redis_thread_unlock(thread);
    return NULL;
}

/* ---- life cycle ---- */

/* Signals are the owner's business: the thread takes none. */
static bool start(struct redis_thread *thread, struct error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread->thread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 || error_set(error, ERROR_SYSTEM, "cannot start the thread for Redis");
}

struct redis_thread *redis_thread_new(const struct redis_endpoint *endpoint, double connect_timeout,
                                      double timeout, struct error *error)
{
    struct redis_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    redis_connection_init(&thread->connection, endpoint, connect_timeout, timeout);
    thread->connection.cancel = &thread->cancel;
    job_list_init(&thread->jobs);
    thread->last_report = &thread->reports;
    thread->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&thread->mutex, NULL);
    condition_init(&thread->wake);
    condition_init(&thread->ended);
    if (thread->fd >= 0 ? start(thread, error) : error_set_errno(error, "no eventfd"))
        return thread;
    if (thread->fd >= 0)
        close(thread->fd);
    free(thread);
    return NULL;
}

void redis_thread_free(struct redis_thread *thread, double timeout)
{
    if (thread == NULL)
        return;
    double until = clock_monotonic() + fmax(timeout, 0);
    redis_thread_lock(thread);
    thread->stopping = true;
    pthread_cond_signal(&thread->wake);
    while (!thread->stopped && condition_wait_until(&thread->ended, &thread->mutex, until))
        continue;
    atomic_store(&thread->cancel, true);
    pthread_cond_signal(&thread->wake);
    redis_thread_unlock(thread);
    pthread_join(thread->thread, NULL);
    redis_thread_turn(thread);
    redis_connection_clear(&thread->connection);
    close(thread->fd);
    pthread_mutex_destroy(&thread->mutex);
    pthread_cond_destroy(&thread->wake);
    pthread_cond_destroy(&thread->ended);
    free(thread->due);
    free(thread);
}

int redis_thread_fd(const struct redis_thread *thread)
{
    return thread->fd;
}

void redis_thread_submit(struct redis_thread *thread, struct redis_job *job)
{
    redis_thread_lock(thread);
    /* The thread settles what it has when it comes back from Redis, and then sees this one: it need not be
     * woken. */
    job_list_append(&thread->jobs, job);
    pthread_cond_signal(&thread->wake);
    redis_thread_unlock(thread);
}

void redis_thread_report(struct redis_thread *thread, struct redis_job *job, bool finished)
{
    redis_thread_lock(thread);
    job->finished = finished;
    add_report(thread, job);
    redis_thread_unlock(thread);
}
