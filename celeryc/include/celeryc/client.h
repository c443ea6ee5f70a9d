/* The client: sends tasks to Celery workers, in C or Python, and reads their results.
 *
 * One struct celery_client per process; all functions are thread-safe unless said otherwise. A client owns a
 * publisher thread with one connection to the broker (confirmed, mandatory, persistent; reconnecting) and a
 * pool of Redis connections. Neither needs to be reachable when it is made. Not fork-safe: make it after the
 * fork. */
#ifndef CELERYC_CLIENT_H
#define CELERYC_CLIENT_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct celery_client;

struct celery_client_options { /* text is borrowed and must outlive the client; NULL and 0 are the defaults */
    const char *broker_url;    /* CELERY_BROKER_URL; amqp://guest:guest@localhost:5672// */
    const char *result_backend; /* redis://localhost:6379/0; NULL: results cannot be read, nor with rpc:// */
    const char *origin;         /* "gen<pid>@<host>" */
    const char *default_queue;  /* "celery" */
    json_t *queue_arguments;    /* borrowed: arguments of the default queue, which is declared; or NULL */
    bool send_events;           /* task-sent events (task_send_sent_event) */
    const char *key_prefix;     /* global_keyprefix of the result backend */
};

struct celery_client *celery_client_new(const struct celery_client_options *options, struct error *error);
void celery_client_free(struct celery_client *client); /* waits 5 s at most for confirms in flight */

/* Whether the broker (a connection is open) and the result backend (PING) answer; for health checks. */
bool celery_client_broker_ready(struct celery_client *client, struct error *error);
bool celery_client_backend_ready(struct celery_client *client, double timeout, struct error *error);

/* A task to send. Zero means absent or default, as app.send_task() has it. JSON is borrowed, text is copied.
 */
struct celery_send {
    const char *task;  /* its name; the only one that must be there */
    json_t *args;      /* array */
    json_t *kwargs;    /* object */
    const char *id;    /* NULL: a new UUID */
    const char *queue; /* NULL: the default queue */
    const char *exchange, *routing_key;
    double countdown, eta; /* seconds from now; or seconds since 1970 */
    double expires;        /* seconds from now, or since 1970 where larger than 1e9 */
    int priority;          /* 0 absent, else 1 to 255 */
    double time_limit, soft_time_limit;
    bool ignore_result;
    json_t *headers; /* further headers (object) */
    const char *root_id, *parent_id;
};

/* Publishes and waits for the broker's confirm, `timeout` seconds at most (all threads' messages are
 * confirmed together). A queue that is named is declared as Celery's clients declare it. `id` gets the task's
 * id unless NULL (cut to 36 characters where `send->id` is longer). ERROR_UNAVAILABLE or ERROR_TIMEOUT: not
 * known to be queued; ERROR_NOT_FOUND: no queue takes it; ERROR_INVALID: bad arguments. Source:
 * celery/app/amqp.py as_task_v2. */
bool celery_send(struct celery_client *client, const struct celery_send *send, double timeout, char id[37],
                 struct error *error);

/* What is stored of a task: the object that Celery stores (task_id, status, result, traceback, children,
 * date_done ...), a new reference in *meta, or NULL in *meta when nothing is stored. Members that Jansson
 * cannot hold (an integer beyond 64 bits, NaN) are null. Errors as celery_store_get() (store.h);
 * ERROR_PROTOCOL: no Celery result. */
bool celery_result_get(struct celery_client *client, const char *id, json_t **meta, double timeout,
                       struct error *error);
/* Waits until the task is ready (SUCCESS, FAILURE, REVOKED), ERROR_TIMEOUT after `timeout` seconds. A backend
 * that is away meanwhile is asked again; away at the end it is ERROR_UNAVAILABLE or ERROR_TIMEOUT. */
bool celery_result_wait(struct celery_client *client, const char *id, json_t **meta, double timeout,
                        struct error *error);
bool celery_result_forget(struct celery_client *client, const char *id, double timeout, struct error *error);

/* Broadcasts a remote control command to all workers, or to those of `destination` (array of node names, or
 * NULL); true when the broker has it, also when there is no worker. Source: celery/app/control.py,
 * kombu/pidbox.py. */
bool celery_broadcast(struct celery_client *client, const char *command, json_t *arguments,
                      json_t *destination, double timeout, struct error *error);
/* Tells all workers not to run the task, or (`terminate`) to end it with `signal` ("SIGTERM" where NULL). */
bool celery_revoke(struct celery_client *client, const char *id, bool terminate, const char *signal,
                   double timeout, struct error *error);
/* The same as celery_broadcast(), and collects the replies for `wait` seconds or until `limit` came (0: as
 * many as there are destinations, or no limit): an array of {node: reply} in *replies, a new reference. */
bool celery_inspect(struct celery_client *client, const char *command, json_t *arguments, json_t *destination,
                    double wait, size_t limit, json_t **replies, struct error *error);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
