/* Tasks: what a C program registers, and what a running task may ask and do.
 *
 * A task is a function that gets its context and arguments and returns a JSON value (a new reference), or
 * fails: it calls one of the functions below that return NULL, and returns that. It runs in a child process
 * of the worker, one task at a time, on the child's main thread; it may use threads of its own that end
 * before it returns.
 *
 *     static json_t *add(struct celery_task *task, json_t *args, json_t *kwargs)
 *     {
 *         json_int_t x, y;
 *         if (!celery_args(task, args, kwargs, "x:I y:I", &x, &y))
 *             return NULL;
 *         return json_integer(x + y);
 *     }
 */
#ifndef CELERYC_TASK_H
#define CELERYC_TASK_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct celery_task; /* the context of one run; valid until the task's function returns */

typedef json_t *celery_task_function(struct celery_task *task, json_t *args, json_t *kwargs);

#define CELERY_UNLIMITED (-1)
#define CELERY_NEVER (-2)

/* One task. Zero means Celery's default everywhere (app/task.py, app/defaults.py). */
struct celery_task_type {
    const char *name; /* "module.function", as clients send it */
    celery_task_function *run;
    const char *const
        *parameters; /* names of its positional parameters, NULL-terminated ("*args" for any number); or
                        NULL: not said. A task of more than one is a new-style errback: as such it is called
                        at once where a task failed, with (request, exception, traceback) before its own
                        arguments: celery_task_request(), {"exc_type", "exc_message", "exc_module"}, text;
                        any other errback is sent as a task, with the id of what failed */
    void (*on_replace)(struct celery_task *task,
                       json_t *signature); /* may change (stamp) what celery_replace() sends */
    int max_retries;                       /* 0: 3; CELERY_UNLIMITED; CELERY_NEVER: none */
    double default_retry_delay;            /* seconds; 0: 180 */
    bool acks_late;                        /* acknowledge after the result is stored, not when it starts */
    bool no_ack_on_failure; /* with acks_late: reject (dead-letter) instead of acknowledging what failed */
    bool no_ack_on_timeout; /* the same for a hard time limit */
    bool reject_on_worker_lost; /* a lost child: requeue instead of failing */
    int worker_lost_limit; /* with reject_on_worker_lost: runs lost in all before it fails; 0: no limit */
    bool track_started;    /* store STARTED (or --track-started for all) */
    bool ignore_result;
    bool store_errors_even_if_ignored;
    bool lease;        /* hold a lease in Redis while running, so that no other worker runs the same id */
    double time_limit; /* seconds, hard; 0: the worker's */
    double soft_time_limit;           /* seconds; 0: the worker's */
    const char *rate_limit;           /* "10/s", "100/m", "1000/h"; NULL: none */
    const char *const *autoretry_for; /* exception types that retry, NULL-terminated; or NULL */
    double retry_backoff;     /* seconds of the first delay, doubled each time; 0: default_retry_delay */
    double retry_backoff_max; /* seconds; 0: 600 */
    bool no_retry_jitter;
};

/* ---- arguments ---- */
/* Binds args and kwargs to parameters as Python would, and converts. `format` lists them, each with a pointer
 * that gets its value: "x:I y:I=1 name:s ..." where
 *
 *     I json_int_t *   s const char **   b bool *   d double * (an integer is taken)   o json_t ** (anything)
 *
 * "=VALUE" is a default, as JSON ("=null" lets `s` be None, which is NULL); "*args:A" and "**kwargs:K" take
 * the rest (a json_t pointer each); what stands behind "*args:A" is given by keyword only. False sets the
 * TypeError that Python would raise ("add() missing 1 required positional argument: 'y'"), or one for a
 * wrong type ("add() argument 'x' must be int, not str"). Text and JSON are borrowed from args and kwargs,
 * and valid until the task's function returns. */
bool celery_args(struct celery_task *task, json_t *args, json_t *kwargs, const char *format, ...);

/* The bytes of a value that Python knows as bytes or str, a new string with a NUL behind `*size` bytes: text
 * as it is, bytes from kombu's form of them, {"__type__": "bytes" or "base64", "__value__": text}. NULL: it
 * is something else, or memory is out. Source: kombu/utils/json.py. */
char *celery_value_bytes(const json_t *value, size_t *size);

/* ---- what it is ---- */
const char *celery_task_id(const struct celery_task *task);
const char *celery_task_name(const struct celery_task *task);
int celery_task_retries(const struct celery_task *task);                /* 0 at the first run */
const char *celery_task_root_id(const struct celery_task *task);        /* or NULL */
const char *celery_task_parent_id(const struct celery_task *task);      /* or NULL */
const char *celery_task_group(const struct celery_task *task);          /* or NULL */
const char *celery_task_hostname(const struct celery_task *task);       /* the worker's node name */
const char *celery_task_result_backend(const struct celery_task *task); /* its URL, a secret; NULL: none.
                                                                         For store.h */
json_t *celery_task_headers(const struct celery_task *task);            /* borrowed: the message's headers */
/* All that Celery's own tasks find in `self.request`, under its names: id, args, kwargs, root_id,
 * group_index, eta, expires, timelimit, headers (the sender's own), properties, reply_to, stamps,
 * replaced_task_nesting ... A new reference. */
json_t *celery_task_request(const struct celery_task *task);
json_t *celery_task_delivery_info(
    const struct celery_task *task); /* borrowed: exchange, routing_key, priority, redelivered */
int celery_task_lost_runs(
    const struct celery_task *task); /* how often a worker was lost while running this */

/* ---- while it runs ---- */
/* Stores a custom state ("PROGRESS") with `meta` (taken). Failing to store is logged, not fatal: false. */
bool celery_update_state(struct celery_task *task, const char *state, json_t *meta);
/* Whether it should stop now: its soft time limit has passed. Of a shutdown it is not told: a warm one waits
 * for it, a cold one ends its process. Cheap; any thread. */
bool celery_should_stop(const struct celery_task *task);
/* The same. A task that returns NULL then, and says no more, fails with SoftTimeLimitExceeded. */
bool celery_soft_time_limit_passed(const struct celery_task *task);
/* One line in the worker's log, with the task's id. */
enum { CELERY_DEBUG, CELERY_INFO, CELERY_WARNING, CELERY_ERROR, CELERY_CRITICAL };
void celery_log(struct celery_task *task, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- how it ends; each returns NULL, to be returned ---- */
/* Fails with the exception `type` ("ValueError", "module.Error"; builtins where there is no module). */
json_t *celery_fail(struct celery_task *task, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with all of the exception's arguments (array, taken). */
json_t *celery_fail_with(struct celery_task *task, const char *type, json_t *arguments);
struct celery_retry {
    double countdown; /* seconds; 0: the type's default_retry_delay; < 0: at once */
    int max_retries;  /* 0: the type's */
    const char *type; /* the exception that is the reason, raised when retries are used up; NULL:
                         MaxRetriesExceededError */
    const char *message;
    json_t *args, *kwargs; /* others than before (borrowed), or NULL: those that were there, but for the
                              parameters (celery_task_type) that the others set */
    double expires;        /* seconds from now until it is not to be run any more; 0: as before */
};
json_t *celery_retry(struct celery_task *task, const struct celery_retry *retry);
/* Refuses the message, Celery's Reject(reason, requeue): back to its queue, or (not requeued) dead-lettered,
 * and FAILURE is stored. The reason is for the log and for what is stored; NULL: none. */
json_t *celery_reject(struct celery_task *task, const char *reason, bool requeue);
json_t *celery_ignore(struct celery_task *task);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
