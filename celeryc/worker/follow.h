/* What follows a task, from its child: callbacks and the chain's next step, parts of chords and their bodies,
 * errbacks and the failure of what will never run. Internal to the child: all of it runs on its main thread,
 * waits for the broker and for Redis, and logs what it cannot do.
 *
 *     follow.c        after a success, after a failure; a canvas planned and sent
 *     follow_chord.c  a part of a chord returns; the last one sends the body
 *     join.c          what the parts returned
 *     errbacks.c      who is told of a failure
 *     duplicate.c     a success that comes again
 *     child_chord.c   what of it is in Redis
 *
 * Source: celery/app/trace.py, celery/backends/base.py, celery/backends/redis.py. */
#ifndef CELERYC_WORKER_FOLLOW_H
#define CELERYC_WORKER_FOLLOW_H

#include "celeryc/canvas/canvas.h"
#include "celeryc/results/chord.h"
#include "celeryc/worker/child_state.h"

/* ---- child_chord.c: Redis, each as in results/chord.h, for as long as it takes ---- */
bool child_chord_size(struct child *child, const char *group, json_int_t size, struct error *error);
bool child_chord_group(struct child *child, const char *group, const json_t *tuple, struct error *error);
bool child_chord_add(struct child *child, const char *group, struct error *error);
bool child_chord_get_group(struct child *child, const char *group, json_t **tuple, struct error *error);
bool child_chord_return(struct child *child, const struct chord_part *part, bool *claimed, char *claim,
                        struct error *error);
bool child_chord_results(struct child *child, const char *group, json_t **results, struct error *error);
bool child_chord_keep(struct child *child, const char *group, const char *claim, int seconds, bool *kept,
                      struct error *error);
bool child_chord_finish(struct child *child, const char *group, const char *claim, struct error *error);
bool child_chord_give_up(struct child *child, const char *group, struct error *error);
/* What is stored of any task; NULL in *meta: nothing. */
bool child_get_result(struct child *child, const char *id, json_t **meta, struct error *error);

/* ---- canvases ---- */

/* A canvas of what `task` sends; ended by canvas_clear(). */
void follow_canvas(struct child *child, const struct celery_task *task, struct canvas *canvas);
/* Does the steps of a planned canvas in order; the task's children grow by what it sent. False with the first
 * fault, of the plan or of a step. */
bool follow_send(struct child *child, struct celery_task *task, struct canvas *canvas, struct error *error);
/* The two with canvas_apply() between; `args` borrowed, NULL: none. `*result` (a tuple, NULL for an empty
 * chain) may be NULL. */
bool follow_apply(struct child *child, struct celery_task *task, json_t *signature, json_t *args,
                  json_t *options, json_t **result, struct error *error);

/* The Python type of what such a fault is raised as; `invalid`: for ERROR_INVALID. */
const char *follow_exception_type(const struct error *error, const char *invalid);

/* The type that is registered under a name, or NULL. */
const struct celery_task_type *follow_find_type(const struct child *child, const char *name);
/* Calls a task's function here and now, inside the run of another; NULL with `*failure` the exception
 * (a new reference). */
json_t *follow_call(struct celery_task *task, const struct celery_task_type *type, json_t *args,
                    json_t *kwargs, json_t **failure);

/* Embedded signatures, read; `*value` is NULL where there is none. ERROR_INVALID: they cannot be read. */
bool follow_read(const struct text_slice *text, const char *what, json_t **value, struct error *error);

/* ---- chords ---- */

struct ended { /* a task that has ended; borrowed */
    const char *id, *group, *status;
    long group_index; /* < 0: not said */
    json_t *chord;    /* the body's signature, or NULL */
    json_t *result;   /* its value, or exception */
};
/* A part of a chord returns: what was stored before is flushed, and the last part sends the body or fails
 * it. */
void follow_part(struct child *child, struct celery_task *task, const struct ended *ended);
/* The body will never run: it fails, whoever waits for it hears of it. `exception` is stored, `cause` (or
 * NULL) is what the tasks of a group are told. */
void follow_chord_error(struct child *child, struct celery_task *task, json_t *callback, json_t *exception,
                        json_t *cause);
/* {"exc_type": "ChordError" ...}; a new reference. */
json_t *follow_new_chord_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether a status is one that what waits for the task fails by, states.PROPAGATE_STATES; NULL: it is none.
 */
bool follow_has_failed(const char *status);
/* What the members of a group have become that are all said to have ended, nested as they are; null where
 * nothing is stored. The members of groups inside it are waited for, 3 s in all. NULL with `*failure` (a new
 * reference): one failed; NULL without: `error`. */
json_t *follow_join(struct child *child, json_t *tuple, json_t **failure, struct error *error);

/* ---- successes that come again ---- */

/* Before a task is run: what is stored of it (a new reference) when it was delivered again, has succeeded
 * before, and is not to be run again; else NULL. */
json_t *duplicate_find(struct child *child, const struct celery_task *task);
/* Sends what follows it, unless that was done. False: that failed, and the task has rejected its message. */
bool duplicate_follow(struct child *child, struct celery_task *task, const json_t *meta);

/* ---- failures ---- */

struct failure { /* borrowed */
    json_t *exception;
    const char *traceback; /* or NULL */
    bool store;            /* whether the failure of later steps is stored */
};
/* The later steps of a chain (as messages hold them) fail too. */
void follow_fail_chain(struct child *child, struct celery_task *task, json_t *chain,
                       const struct failure *failure);
/* Tells errbacks (array) of the failure of `request` (an object with "id" and what is known of it). */
void follow_errbacks(struct child *child, struct celery_task *task, json_t *errbacks, json_t *request,
                     const struct failure *failure);

#endif
