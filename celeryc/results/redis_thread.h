/* A thread with one connection to Redis, that runs jobs for an owner who may not wait (an event loop's
 * thread).
 *
 * A job is a command that is sent again and again until it is answered. The thread takes all jobs that are
 * due, sends them in one pipeline, and asks each (`answered`) what is next: it is finished, or is to be sent
 * again later. What the owner must hear (`report`) is called on the owner's thread, from redis_thread_turn().
 * A finished job belongs to its `report`, which frees it.
 *
 * Fields of a job are touched under redis_thread_lock(), or before it is submitted, or in its last report. */
#ifndef CELERYC_RESULTS_REDIS_THREAD_H
#define CELERYC_RESULTS_REDIS_THREAD_H

#include "celeryc/results/connection.h"

struct redis_job {
    struct redis_command command;
    double due;      /* clock_monotonic(): not before this; 0: at once */
    double deadline; /* clock_monotonic(): given up after it; 0: never */
    /* On the thread, locked: the command is done or refused, or `fault` says why it is given up. True:
     * finished, to be reported for the last time. False: again at `due`, with the command set anew; sets
     * want_report as it likes. */
    bool (*answered)(struct redis_job *job, const struct error *fault);
    /* On the owner's thread, not locked. */
    void (*report)(struct redis_job *job, bool finished);
    bool want_report;
    bool in_flight; /* sent, or about to be: the command must not be touched */
    /* the thread's own */
    bool finished, in_reports;
    struct redis_job *next, *next_report;
};

struct redis_thread;

struct redis_thread *redis_thread_new(const struct redis_endpoint *endpoint, double connect_timeout,
                                      double timeout, struct error *error);
/* Goes on for `timeout` seconds at most, gives up what is left (ERROR_CANCELLED), and makes the last reports.
 * A name that is being looked up then is waited for. */
void redis_thread_free(struct redis_thread *thread, double timeout);

int redis_thread_fd(const struct redis_thread *thread); /* readable when redis_thread_turn() has work */
void redis_thread_turn(struct redis_thread *thread);

void redis_thread_submit(struct redis_thread *thread, struct redis_job *job);
/* Reports a job that is not submitted from the next turn, for the last time or not. */
void redis_thread_report(struct redis_thread *thread, struct redis_job *job, bool finished);
/* Looks at the jobs again, because one is due earlier now. Locked by the caller. */
void redis_thread_wake(struct redis_thread *thread);

void redis_thread_lock(struct redis_thread *thread);
void redis_thread_unlock(struct redis_thread *thread);

#endif
