/* The client: sends tasks to Celery workers, in C or Python, and reads their results.
 *
 * One struct celery_client per process; all functions are thread-safe unless said otherwise. A client owns a publisher
 * thread with one connection to the broker (confirmed, mandatory, persistent; reconnecting) and a pool of Redis
 * connections. Not fork-safe: make it after the fork. */
#ifndef CELERYC_CLIENT_H
#define CELERYC_CLIENT_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct celery_client;

struct celery_client_options { /* text is borrowed and must outlive the client; NULL and 0 are the defaults */
    const char *broker_url;      /* CELERY_BROKER_URL; amqp://guest:guest@localhost:5672// */
    const char *result_backend;  /* redis://localhost:6379/0; NULL: results cannot be read */
    const char *origin;          /* "gen<pid>@<host>" */
    const char *default_queue;   /* "celery" */
    json_t *queue_arguments;     /* borrowed: arguments of the default queue, which is declared; or NULL */
    bool send_events;            /* task-sent events (task_send_sent_event) */
    const char *key_prefix;      /* global_keyprefix of the result backend */
};

struct celery_client *celery_client_new(const struct celery_client_options *options, struct error *error);
void celery_client_free(struct celery_client *client); /* waits 5 s at most for confirms in flight */

/* Whether the broker (a connection is open) and the result backend (PING) answer; for health checks. */
bool celery_client_broker_ready(struct celery_client *client, struct error *error);
bool celery_client_backend_ready(struct celery_client *client, double timeout, struct error *error);

/* A task to send. Zero means absent or default, as app.send_task() has it. JSON is borrowed, text is copied. */
struct celery_send {
    const char *task;      /* its name; the only one that must be there */
    json_t *args;          /* array */
    json_t *kwargs;        /* object */
    const char *id;        /* NULL: a new UUID */
    const char *queue;     /* NULL: the default queue */
    const char *exchange, *routing_key;
    double countdown, eta; /* seconds from now; or seconds since 1970 */
    double expires;        /* seconds from now, or since 1970 where larger than 1e9 */
    int priority;          /* 0 absent, else 1 to 255 */
    double time_limit, soft_time_limit;
    bool ignore_result;
    json_t *headers;       /* further headers (object) */
    const char *root_id, *parent_id;
};

/* Publishes and waits for the broker's confirm, `timeout` seconds at most (all threads' messages are confirmed together). `id` gets
 * the task's id (37 bytes) unless NULL. ERROR_UNAVAILABLE or ERROR_TIMEOUT: not known to be queued; ERROR_NOT_FOUND: no
 * queue takes it; ERROR_INVALID: bad arguments. Source: celery/app/amqp.py as_task_v2. */
bool celery_send(struct celery_client *client, const struct celery_send *send, double timeout, char id[37],
                 struct error *error);

/* What is stored of a task: the object that Celery stores (task_id, status, result, traceback, children, date_done ...), a
 * new reference in *meta, or NULL in *meta when nothing is stored. */
bool celery_result_get(struct celery_client *client, const char *id, json_t **meta, double timeout,
                       struct error *error);
/* Waits until the task is ready (SUCCESS, FAILURE, REVOKED), ERROR_TIMEOUT after `timeout` seconds. */
bool celery_result_wait(struct celery_client *client, const char *id, json_t **meta, double timeout,
                        struct error *error);
bool celery_result_forget(struct celery_client *client, const char *id, double timeout, struct error *error);

/* Broadcasts a remote control command to all workers, or to those of `destination` (array of node names, or NULL).
 * celery_client_revoke() sends the command that `app.control.revoke` sends. Source: celery/app/control.py. */
bool celery_broadcast(struct celery_client *client, const char *command, json_t *arguments, json_t *destination,
                      double timeout, struct error *error);
/* The same, and collects the replies for `wait` seconds or until `limit` came (0: no limit): an array of {node: reply}. */
bool celery_inspect(struct celery_client *client, const char *command, json_t *arguments, json_t *destination,
                    double wait, size_t limit, json_t **replies, struct error *error);

#endif
