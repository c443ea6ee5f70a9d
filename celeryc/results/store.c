#include "celeryc/include/celeryc/store.h"

#include "celeryc/results/connection.h"
#include "common/clock.h"
#include "common/condition.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 32
#define TIMEOUT 5.0
#define UNBOUNDED 1e6 /* seconds: each call has a deadline for all of it */
#define KEYS_MOST 16

struct pooled {
    struct redis_connection connection;
    struct pooled *next;
};

struct celery_store {
    struct redis_endpoint endpoint;
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    struct pooled
        *idle; /* the one used last first, so that the others may be closed by Redis's own timeout */
    size_t made, most;
};

struct celery_store *celery_store_new(const struct celery_store_options *options, struct error *error)
{
    struct celery_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    const char *url = options->url != NULL ? options->url : "redis://localhost:6379/0";
    bool parsed = redis_endpoint_parse(url, &store->endpoint, error);
    if (!parsed || store->endpoint.disabled) {
        if (parsed)
            error_set(error, ERROR_INVALID, "result backend: it is disabled, but a store is needed");
        free(store);
        return NULL;
    }
    store->most = options->connections > 0 ? options->connections : CONNECTIONS;
    pthread_mutex_init(&store->mutex, NULL);
    condition_init(&store->returned);
    return store;
}

void celery_store_free(struct celery_store *store)
{
    if (store == NULL)
        return;
    while (store->idle != NULL) {
        struct pooled *pooled = store->idle;
        store->idle = pooled->next;
        redis_connection_clear(&pooled->connection);
        free(pooled);
    }
    pthread_mutex_destroy(&store->mutex);
    pthread_cond_destroy(&store->returned);
    free(store);
}

/* A connection of the caller's own until pool_return(). */
static struct pooled *pool_take(struct celery_store *store, double deadline, struct error *error)
{
    struct pooled *pooled = NULL;
    bool in_time = true;
    pthread_mutex_lock(&store->mutex);
    while (store->idle == NULL && store->made == store->most && in_time)
        in_time = condition_wait_until(&store->returned, &store->mutex, deadline);
    if (store->idle != NULL) {
        pooled = store->idle;
        store->idle = pooled->next;
    } else if (store->made < store->most) {
        pooled = calloc(1, sizeof *pooled);
        if (pooled != NULL) {
            redis_connection_init(&pooled->connection, &store->endpoint, UNBOUNDED, UNBOUNDED);
            pooled->connection.quiet = true; /* the caller says what went wrong */
            store->made++;
        } else {
            error_set(error, ERROR_MEMORY, "out of memory");
        }
    } else {
        error_set(error, ERROR_TIMEOUT, "Redis at %s: all %zu connections are busy", store->endpoint.name,
                  store->most);
    }
    pthread_mutex_unlock(&store->mutex);
    return pooled;
}

static void pool_return(struct celery_store *store, struct pooled *pooled)
{
    pthread_mutex_lock(&store->mutex);
    pooled->next = store->idle;
    store->idle = pooled;
    pthread_cond_signal(&store->returned);
    pthread_mutex_unlock(&store->mutex);
}

/* One command, twice where a kept connection turns out to be dead, unless `repeated` is NULL: then *repeated
 * is true, and the first may have been done. False with the reason; `command` is to be cleared in any case.
 */
static bool run(struct celery_store *store, struct redis_command *command, double timeout, bool *repeated,
                struct error *error)
{
    double deadline = clock_monotonic() + (timeout > 0 ? timeout : TIMEOUT);
    struct error fault = {.code = ERROR_NONE};
    struct pooled *pooled = pool_take(store, deadline, error);
    if (pooled == NULL)
        return false;
    bool kept = redis_connection_is_open(&pooled->connection);
    bool answered = redis_attempt(&pooled->connection, &command, 1, deadline, &fault);
    bool again = repeated != NULL && !answered && kept && fault.code == ERROR_UNAVAILABLE;
    if (repeated != NULL)
        *repeated = again;
    if (again)
        answered = redis_attempt(&pooled->connection, &command, 1, deadline, &fault);
    pool_return(store, pooled);
    if (!answered)
        return error_set(error, fault.code, "%s", fault.message);
    return command->state == REDIS_DONE ||
           error_set(error, command->error.code, "%s", command->error.message);
}

/* The same for a command whose answer is not looked at. */
static bool run_plainly(struct celery_store *store, struct redis_command *command, double timeout,
                        struct error *error)
{
    bool repeated, done = run(store, command, timeout, &repeated, error);
    redis_command_clear(command);
    return done;
}

bool celery_store_ping(struct celery_store *store, double timeout, struct error *error)
{
    struct redis_command command;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "PING");
    return run_plainly(store, &command, timeout, error);
}

static bool copy_value(const redisReply *reply, struct celery_value *value, struct error *error)
{
    if (reply->type != REDIS_REPLY_STRING) /* nil; MGET says so of other types as well */
        return true;
    value->data = malloc(reply->len + 1);
    if (value->data == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    memcpy(value->data, reply->str, reply->len);
    value->data[reply->len] = '\0';
    value->size = reply->len;
    return true;
}

static bool copy_values(const redisReply *reply, struct celery_value *values, size_t count,
                        struct error *error)
{
    bool done = reply->type == REDIS_REPLY_ARRAY && reply->elements == count;
    if (!done)
        error_set(error, ERROR_PROTOCOL, "Redis answers MGET of %zu keys with something else", count);
    for (size_t i = 0; done && i < count; i++)
        done = copy_value(reply->element[i], &values[i], error);
    for (size_t i = 0; !done && i < count; i++) {
        free(values[i].data);
        values[i] = (struct celery_value){.data = NULL};
    }
    return done;
}

bool celery_store_get(struct celery_store *store, const char *const *keys, struct celery_value *values,
                      size_t count, double timeout, struct error *error)
{
    struct redis_command command;
    bool repeated;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct celery_value){.data = NULL};
    if (count == 0 || count > KEYS_MOST)
        return error_set(error, ERROR_LIMIT, "%zu keys at once; 1 to %d are possible", count, KEYS_MOST);
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "MGET");
    for (size_t i = 0; i < count; i++)
        redis_command_add_text(&command, keys[i]);
    bool done =
        run(store, &command, timeout, &repeated, error) && copy_values(command.reply, values, count, error);
    redis_command_clear(&command);
    return done;
}

/* SET key value [NX] [PX milliseconds]; `milliseconds` is the text's room. */
static void set_command(struct redis_command *command, const char *key, const void *value, size_t size,
                        bool absent, double expires, char milliseconds[24])
{
    redis_command_init(command, NULL);
    redis_command_add_text(command, "SET");
    redis_command_add_text(command, key);
    redis_command_add(command, value, size);
    if (absent)
        redis_command_add_text(command, "NX");
    if (expires <= 0)
        return;
    snprintf(milliseconds, 24, "%.0f", fmin(fmax(expires, 1), 3e9) * 1000);
    redis_command_add_text(command, "PX");
    redis_command_add_text(command, milliseconds);
}

bool celery_store_set(struct celery_store *store, const char *key, const void *value, size_t size,
                      double expires, double timeout, struct error *error)
{
    struct redis_command command;
    char milliseconds[24];
    set_command(&command, key, value, size, false, expires, milliseconds);
    return run_plainly(store, &command, timeout, error);
}

/* Whether the key holds this value. */
static bool holds(struct celery_store *store, const char *key, const void *value, size_t size, bool *same,
                  double timeout, struct error *error)
{
    struct celery_value found;
    *same = false;
    if (!celery_store_get(store, &key, &found, 1, timeout, error))
        return false;
    *same = found.data != NULL && found.size == size && memcmp(found.data, value, size) == 0;
    free(found.data);
    return true;
}

bool celery_store_set_if_absent(struct celery_store *store, const char *key, const void *value, size_t size,
                                double expires, bool *stored, double timeout, struct error *error)
{
    struct redis_command command;
    char milliseconds[24];
    bool repeated;
    *stored = false;
    set_command(&command, key, value, size, true, expires, milliseconds);
    bool done = run(store, &command, timeout, &repeated, error);
    if (done)
        *stored = command.reply->type == REDIS_REPLY_STATUS;
    redis_command_clear(&command);
    /* What a repeated command finds there may be what its first sending left. */
    if (done && repeated && !*stored)
        done = holds(store, key, value, size, stored, timeout, error);
    return done;
}

bool celery_store_push(struct celery_store *store, const char *key, const void *value, size_t size,
                       double timeout, struct error *error)
{
    struct redis_command command;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "RPUSH");
    redis_command_add_text(&command, key);
    redis_command_add(&command, value, size);
    bool done = run(store, &command, timeout, NULL, error);
    redis_command_clear(&command);
    return done;
}

bool celery_store_increment(struct celery_store *store, const char *key, long long *number, double timeout,
                            struct error *error)
{
    struct redis_command command;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "INCR");
    redis_command_add_text(&command, key);
    bool done = run(store, &command, timeout, NULL, error);
    if (done && number != NULL)
        *number = command.reply->integer;
    redis_command_clear(&command);
    return done;
}

bool celery_store_delete(struct celery_store *store, const char *key, double timeout, struct error *error)
{
    struct redis_command command;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "DEL");
    redis_command_add_text(&command, key);
    return run_plainly(store, &command, timeout, error);
}
