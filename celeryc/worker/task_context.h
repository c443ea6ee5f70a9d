/* The context of one run: what celeryc/task.h hands out as struct celery_task, seen from inside. */
#ifndef CELERYC_WORKER_TASK_CONTEXT_H
#define CELERYC_WORKER_TASK_CONTEXT_H

#include "celeryc/include/celeryc/task.h"
#include "celeryc/message/task_message.h"
#include "celeryc/worker/pool_order.h"

/* How it ends, unless it returns a value. What is set first stays, but that a failure may become a retry. */
enum task_fate { FATE_NONE, FATE_FAILED, FATE_RETRY, FATE_REJECTED, FATE_IGNORED };

/* What a running task needs of its child; NULL in tests of what does not need it. */
struct task_keeper {
    const char *hostname;
    const char *result_backend; /* its URL, or NULL */
    bool (*update)(void *context, struct celery_task *task, const char *state, json_t *meta); /* borrows */
    void *context;
};

struct celery_task {
    const struct celery_task_type *type;
    const struct task_keeper *keeper;
    const struct pool_order *order;
    struct task_message *message; /* owned */
    struct task_body body;        /* owned */
    json_t *delivery_info;        /* owned */
    json_t *defaults;             /* owned: what celery_args() lent out of its format */
    json_t *children;             /* owned: results of what follows, as Celery stores them; NULL none */
    double started;               /* clock_wall() */
    double claimed;               /* clock_monotonic() */
    double soft_deadline;         /* clock_monotonic(); 0 none */

    enum task_fate fate;
    char *exc_type;                    /* owned: FATE_FAILED; FATE_RETRY: the reason, or NULL */
    char *exc_message;                 /* owned: its text; NULL where the exception has no arguments;
                                          FATE_REJECTED: the reason, or NULL */
    json_t *exc_args;                  /* owned: its arguments where they are not just the text; or NULL */
    bool requeue;                      /* FATE_REJECTED */
    double retry_countdown;            /* FATE_RETRY: seconds */
    json_t *retry_args, *retry_kwargs; /* owned: others than before, or NULL */
    double retry_expires;              /* clock_wall(); 0: as before */
};

/* Takes nothing and connects to nothing; the fields that come from the message are filled by execute.c. */
void task_context_init(struct celery_task *task, const struct celery_task_type *type,
                       const struct task_keeper *keeper);
void task_context_clear(struct celery_task *task);

/* The last part of the task's name: what Python's messages call the function. Borrowed. */
const char *task_function_name(const struct celery_task *task);

/* Fails it with one argument, or none (`message` NULL). Replaces an earlier failure. */
void task_set_failure(struct celery_task *task, const char *type, const char *message);

/* Turns a failure into a retry where the type's autoretry_for says so (celery/app/autoretry.py). */
void task_autoretry(struct celery_task *task);

/* The delay of the n-th retry: factor x 2^retries, at most `most`; with jitter a random whole number of
 * seconds from 0 to that. Source: celery/utils/time.py get_exponential_backoff_interval. */
double task_backoff(double factor, int retries, double most, bool jitter);

/* What is stored of its failure, {"exc_type", "exc_message", "exc_module"}: a new reference. */
json_t *task_failure_value(const struct celery_task *task);

/* Python's repr of it, "ValueError('x', 2)": a new string, freed by the caller. */
char *task_failure_repr(const struct celery_task *task, struct error *error);

/* "Traceback (most recent call last):" and so on, in the shape of Python's, since that is what Flower and
 * clients print; a new string, NULL when memory is out. */
char *task_traceback(const struct celery_task *task);

#endif
