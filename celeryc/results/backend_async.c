#include "celeryc/results/backend_async.h"

#include "celeryc/results/async.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MOST ((size_t)64 * 1024 * 1024)
#define HELD_EACH (sizeof(struct store_job) + 128) /* bytes that a state costs beside its text */

struct backend_async {
    struct redis_thread *thread;
    struct result_keys keys;
    bool disabled;
    size_t limit, bytes, count; /* of what is held */
};

struct store_job { /* what is on its way */
    struct redis_job job;
    struct backend_async *async;
    struct result_text text;
    backend_stored *done;
    void *context;
    bool kept;
    struct error fault; /* ERROR_NONE: stored */
};

struct backend_async *backend_async_new(const struct backend_options *options, size_t limit,
                                        struct error *error)
{
    struct redis_endpoint endpoint;
    struct backend_async *async = calloc(1, sizeof *async);
    if (async == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    async->limit = limit > 0 ? limit : HELD_MOST;
    if (redis_endpoint_parse(options->url, &endpoint, error) &&
        result_keys_init(&async->keys, options, error)) {
        async->disabled = endpoint.disabled;
        async->thread = redis_thread_new(&endpoint, options->connect_timeout, options->timeout, error);
    }
    if (async->thread != NULL)
        return async;
    free(async);
    return NULL;
}

void backend_async_free(struct backend_async *async, double timeout)
{
    if (async == NULL)
        return;
    redis_thread_free(async->thread, timeout);
    free(async);
}

int backend_async_fd(const struct backend_async *async)
{
    return redis_thread_fd(async->thread);
}

void backend_async_turn(struct backend_async *async)
{
    redis_thread_turn(async->thread);
}

size_t backend_async_held(const struct backend_async *async)
{
    return async->count;
}

struct redis_thread *backend_async_thread(struct backend_async *async)
{
    return async->thread;
}

const struct result_keys *backend_async_keys(const struct backend_async *async)
{
    return &async->keys;
}

bool backend_async_disabled(const struct backend_async *async)
{
    return async->disabled;
}

static bool store_answered(struct redis_job *job, const struct error *fault)
{
    struct store_job *store = (struct store_job *)job;
    if (fault != NULL)
        store->fault = *fault;
    else if (job->command.state == REDIS_REFUSED)
        store->fault = job->command.error;
    else
        store->kept = job->command.reply->type == REDIS_REPLY_INTEGER && job->command.reply->integer == 0;
    return true;
}

static size_t store_cost(const struct store_job *store)
{
    return store->text.size + HELD_EACH;
}

static void store_free(struct store_job *store)
{
    redis_command_clear(&store->job.command);
    result_text_clear(&store->text);
    free(store);
}

static void store_report(struct redis_job *job, bool finished)
{
    struct store_job *store = (struct store_job *)job;
    struct backend_async *async = store->async;
    if (!finished)
        return;
    async->bytes -= store_cost(store);
    async->count--;
    if (store->done != NULL)
        store->done(store->context, store->kept, store->fault.code != ERROR_NONE ? &store->fault : NULL);
    store_free(store);
}

bool backend_async_store(struct backend_async *async, const struct task_meta *meta, double deadline,
                         backend_stored *done, void *context, struct error *error)
{
    struct store_job *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    *store =
        (struct store_job){.job = {.deadline = deadline, .answered = store_answered, .report = store_report},
                           .async = async,
                           .done = done,
                           .context = context};
    if (!result_text_init(&store->text, &async->keys, meta, error)) {
        free(store);
        return false;
    }
    if (async->count > 0 && async->bytes + store_cost(store) > async->limit) {
        store_free(store);
        return error_set(error, ERROR_LIMIT, "%zu states wait for Redis already, that is %zu bytes",
                         async->count, async->bytes);
    }
    result_text_command(&store->text, &store->job.command);
    async->bytes += store_cost(store);
    async->count++;
    if (async->disabled)
        redis_thread_report(async->thread, &store->job, true);
    else
        redis_thread_submit(async->thread, &store->job);
    return true;
}
