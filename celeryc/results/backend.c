#include "celeryc/results/backend.h"

#include "celeryc/message/json_whole.h"
#include "celeryc/results/backend_state.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 60.0 /* seconds of attempts where the caller names no deadline */

struct stored {
    struct redis_command command;
    struct result_text text;
};

bool backend_options_check(const struct backend_options *options, struct error *error)
{
    struct redis_endpoint endpoint;
    struct result_keys keys;
    return redis_endpoint_parse(options->url, &endpoint, error) && result_keys_init(&keys, options, error);
}

struct backend *backend_new(const struct backend_options *options, struct error *error)
{
    struct redis_endpoint endpoint;
    struct backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    if (!redis_endpoint_parse(options->url, &endpoint, error) ||
        !result_keys_init(&backend->keys, options, error)) {
        free(backend);
        return NULL;
    }
    redis_connection_init(&backend->connection, &endpoint, options->connect_timeout, options->timeout);
    return backend;
}

static void stored_free(struct stored *stored)
{
    redis_command_clear(&stored->command);
    result_text_clear(&stored->text);
    free(stored);
}

static void queue_clear(struct backend *backend)
{
    for (size_t i = 0; i < backend->count; i++)
        stored_free(backend->queue[i]);
    backend->count = 0;
}

void backend_free(struct backend *backend)
{
    if (backend == NULL)
        return;
    queue_clear(backend);
    free(backend->queue);
    free(backend->refused);
    redis_connection_clear(&backend->connection);
    free(backend);
}

static double effective_deadline(double deadline)
{
    return deadline > 0 ? deadline : clock_monotonic() + PATIENCE;
}

bool backend_run(struct backend *backend, struct redis_command *const *commands, size_t count,
                 double deadline, struct error *error)
{
    return redis_run(&backend->connection, commands, count, effective_deadline(deadline), error);
}

static struct stored *stored_new(const struct backend *backend, const struct task_meta *meta,
                                 struct error *error)
{
    struct stored *stored = calloc(1, sizeof *stored);
    if (stored == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    if (!result_text_init(&stored->text, &backend->keys, meta, error)) {
        free(stored);
        return NULL;
    }
    result_text_command(&stored->text, &stored->command);
    return stored;
}

static bool refused(const struct redis_command *command, const char *task_id, struct error *error)
{
    return error_set(error, command->error.code, "result of task %s: %s", task_id, command->error.message);
}

bool backend_store(struct backend *backend, const struct task_meta *meta, bool *kept, double deadline,
                   struct error *error)
{
    if (kept != NULL)
        *kept = false;
    if (backend->connection.endpoint.disabled)
        return true;
    struct stored *stored = stored_new(backend, meta, error);
    if (stored == NULL)
        return false;
    struct redis_command *command = &stored->command;
    bool done = redis_run(&backend->connection, &command, 1, effective_deadline(deadline), error);
    if (!done)
        error_context(error, "result of task %s", meta->task_id);
    else if (command->state == REDIS_REFUSED)
        done = refused(command, meta->task_id, error);
    else if (kept != NULL)
        *kept = command->reply->type == REDIS_REPLY_INTEGER && command->reply->integer == 0;
    stored_free(stored);
    return done;
}

bool backend_queue(struct backend *backend, const struct task_meta *meta, struct error *error)
{
    if (backend->connection.endpoint.disabled)
        return true;
    if (backend->count == backend->capacity) {
        size_t capacity = backend->capacity * 2 + 16;
        struct stored **queue = reallocarray(backend->queue, capacity, sizeof *queue);
        if (queue != NULL)
            backend->queue = queue;
        size_t *refused = reallocarray(backend->refused, capacity, sizeof *refused);
        if (refused != NULL)
            backend->refused = refused;
        if (queue == NULL || refused == NULL)
            return error_set(error, ERROR_MEMORY, "out of memory");
        backend->capacity = capacity;
    }
    struct stored *stored = stored_new(backend, meta, error);
    if (stored == NULL)
        return false;
    backend->queue[backend->count++] = stored;
    return true;
}

bool backend_flush(struct backend *backend, double deadline, struct error *error)
{
    backend->refused_count = 0;
    if (backend->count == 0)
        return true;
    /* Each command is the first member of what is queued. */
    if (!redis_run(&backend->connection, (struct redis_command *const *)backend->queue, backend->count,
                   effective_deadline(deadline), error))
        return false; /* what was not answered is pending still, the next flush goes on with it */
    for (size_t i = 0; i < backend->count; i++) {
        const struct stored *stored = backend->queue[i];
        if (stored->command.state != REDIS_REFUSED)
            continue;
        if (backend->refused_count == 0)
            error_set(error, stored->command.error.code, "%s: %s", stored->text.key,
                      stored->command.error.message);
        backend->refused[backend->refused_count++] = i;
    }
    queue_clear(backend);
    return backend->refused_count == 0;
}

bool backend_was_refused(const struct backend *backend, size_t place)
{
    for (size_t i = 0; i < backend->refused_count; i++) {
        if (backend->refused[i] == place)
            return true;
    }
    return false;
}

size_t backend_queued(const struct backend *backend)
{
    return backend->count;
}

/* The stored text as JSON; what is no object there was not stored by Celery. */
static bool read_reply(const redisReply *reply, json_t **meta, struct error *error)
{
    struct error problem;
    if (reply->type == REDIS_REPLY_NIL)
        return true;
    if (reply->type != REDIS_REPLY_STRING)
        return error_set(error, ERROR_PROTOCOL, "Redis answers GET with type %d", reply->type);
    *meta = json_whole_load(reply->str, reply->len, &problem);
    if (*meta == NULL)
        return error_set(error, ERROR_PROTOCOL, "what is stored is not JSON: %s", problem.message);
    if (json_is_object(*meta))
        return true;
    json_decref(*meta);
    *meta = NULL;
    return error_set(error, ERROR_PROTOCOL, "what is stored is not an object");
}

bool backend_get(struct backend *backend, const char *task_id, json_t **meta, double deadline,
                 struct error *error)
{
    *meta = NULL;
    if (backend->connection.endpoint.disabled)
        return true;
    char *key = result_keys_task(&backend->keys, task_id);
    if (key == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct redis_command command, *list = &command;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "GET");
    redis_command_add_text(&command, key);
    bool done = redis_run(&backend->connection, &list, 1, effective_deadline(deadline), error);
    if (done && command.state == REDIS_REFUSED)
        done = error_set(error, command.error.code, "%s", command.error.message);
    done = done && read_reply(command.reply, meta, error);
    if (!done)
        error_context(error, "result of task %s", task_id);
    redis_command_clear(&command);
    free(key);
    return done;
}
