/* Results in Redis, stored as Celery 5.7 stores them (celery/backends/redis.py, backends/base.py).
 *
 * `struct backend` is for a process that may wait (the children, the client): one connection, made when
 * needed, kept, made anew after a fault. `struct backend_async` (backend_async.h) is for the worker's event
 * loop and never waits. Both run the same script: unless SUCCESS is stored, SETEX and PUBLISH. Not
 * thread-safe; not fork-safe. */
#ifndef CELERYC_RESULTS_BACKEND_H
#define CELERYC_RESULTS_BACKEND_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct backend_options {
    const char *url; /* redis://user:password@host:port/db, redis+socket:///path?virtual_host=db; NULL or
                        "disabled://": none */
    const char *key_prefix; /* global_keyprefix, or NULL */
    double expires;         /* result_expires in seconds; 0: one day; < 0: never */
    double connect_timeout; /* seconds, 0: 5 */
    double timeout;         /* seconds for one command, 0: 10 */
};
bool backend_options_check(const struct backend_options *options, struct error *error);

/* A finished (or custom) state of one task. Text and JSON are borrowed. */
struct task_meta {
    const char *task_id;
    const char *status;    /* "SUCCESS", "FAILURE", "RETRY", "REVOKED", "STARTED", "PROGRESS", ... */
    json_t *result;        /* value, custom meta, or {"exc_type","exc_message","exc_module"}; NULL: null */
    const char *traceback; /* or NULL */
    json_t *children;      /* array or NULL: [] */
    const char *group_id, *parent_id; /* stored when not NULL, as Celery does */
    double date_done;                 /* wall clock; 0: date_done is null (states that are not ready) */
    bool unless_begun;                /* not over a state of a task that has begun or ended; `kept` then */
    const char *reply_to, *correlation_id; /* rpc:// only (rpc.h): where it goes; reply_to NULL: nowhere */
    /* result_extended: stored when `extended` */
    bool extended;
    const char *name, *worker, *queue;
    json_t *args, *kwargs;
    int retries;
};

/* The text that is stored and published (celery/backends/base.py _get_result_meta). A new string, freed by
 * the caller; pure. */
char *task_meta_encode(const struct task_meta *meta, size_t *size, struct error *error);
/* {"exc_type","exc_message","exc_module"} as backends/base.py prepare_exception makes it; a new reference.
 * `type` may be "module.Type"; message is its one argument, or NULL: it has none. */
json_t *task_exception(const char *type, const char *message);
/* The same of Celery's Reject(reason, requeue); `reason` may be NULL. */
json_t *task_rejection(const char *reason, bool requeue);

struct backend;
struct backend *backend_new(const struct backend_options *options,
                            struct error *error); /* does not connect */
void backend_free(struct backend *backend);

/* Stores one; retries with backoff until `deadline` (clock_monotonic; 0: tries for 60 s). True also when
 * SUCCESS was there already; *kept then tells (may be NULL). */
bool backend_store(struct backend *backend, const struct task_meta *meta, bool *kept, double deadline,
                   struct error *error);
/* Pipelined: queues encoded texts and sends them together; each outcome is known after backend_flush(). When
 * that fails because the deadline passed, what was not stored stays queued, for another flush
 * (backend_queued() is not 0); when Redis refuses some for good, the others are stored and nothing stays. */
bool backend_queue(struct backend *backend, const struct task_meta *meta, struct error *error);
bool backend_flush(struct backend *backend, double deadline, struct error *error);
size_t backend_queued(const struct backend *backend);
/* Whether the flush that emptied the queue found this place (0 was the first) refused; until the next flush.
 */
bool backend_was_refused(const struct backend *backend, size_t place);
/* What is stored: a new reference in *meta, NULL when nothing is. */
bool backend_get(struct backend *backend, const char *task_id, json_t **meta, double deadline,
                 struct error *error);

#endif
