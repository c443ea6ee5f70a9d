/* The view: what remote control sees of the worker and may tell it to do (control/worker_view.h). */
#include "celeryc/worker/banner.h"
#include "celeryc/worker/worker.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static void each_request(void *context, request_visitor *visit, void *visitor)
{
    struct worker *worker = context;
    for (size_t state = 0; state < REQUEST_DONE; state++) {
        for (struct request *request = worker->requests.states[state].first; request != NULL;
             request = request->next)
            visit(visitor, request);
    }
}

static const struct request *find_request(void *context, const char *id)
{
    struct worker *worker = context;
    return requests_find(&worker->requests, id, NULL);
}

static void each_queue(void *context, queue_visitor *visit, void *visitor)
{
    struct worker *worker = context;
    for (size_t i = 0; i < worker->queue_count; i++)
        visit(visitor, worker->queues[i]);
}

static json_t *totals(void *context)
{
    struct worker *worker = context;
    json_t *all = json_object();
    for (size_t i = 0; all != NULL && i < worker->registry.count; i++) {
        const struct registered *entry = &worker->registry.entries[i];
        if (entry->total > 0)
            (void)json_object_set_new(all, entry->type->name, json_integer((json_int_t)entry->total));
    }
    return all;
}

static uint64_t processed(void *context)
{
    struct worker *worker = context;
    return worker->total;
}

static size_t active(void *context)
{
    struct worker *worker = context;
    return worker->requests.states[REQUEST_RUNNING].count;
}

static unsigned prefetch_count(void *context)
{
    return consume_prefetch(context);
}

static json_t *pool(void *context)
{
    struct worker *worker = context;
    return pool_describe(worker->pool);
}

static json_t *broker(void *context)
{
    struct worker *worker = context;
    return consumer_describe(worker->consumer);
}

static void put(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new(object, name, value);
}

static json_t *configuration(void *context)
{
    const struct worker *worker = context;
    const struct worker_options *options = &worker->options;
    json_t *conf = json_object();
    char url[1024];
    banner_redact(options->broker, url, sizeof url);
    put(conf, "broker_url", json_string(url));
    if (options->result_backend != NULL) {
        banner_redact(options->result_backend, url, sizeof url);
        put(conf, "result_backend", json_string(url));
    }
    put(conf, "broker_heartbeat", json_integer(options->broker_heartbeat));
    put(conf, "accept_content", json_pack("[s]", "json"));
    put(conf, "enable_utc", json_true());
    put(conf, "timezone", json_string("UTC"));
    put(conf, "include", json_array());
    put(conf, "deprecated_settings", json_null());
    put(conf, "worker_hijack_root_logger", json_false());
    put(conf, "worker_log_color", json_false());
    put(conf, "worker_concurrency", json_integer(options->concurrency));
    put(conf, "worker_prefetch_multiplier", json_integer(options->prefetch_multiplier));
    if (options->task_events)
        put(conf, "worker_send_task_events", json_true());
    if (options->result_extended)
        put(conf, "result_extended", json_true());
    if (options->track_started)
        put(conf, "task_track_started", json_true());
    if (options->time_limit > 0)
        put(conf, "task_time_limit", json_real(options->time_limit));
    if (options->soft_time_limit > 0)
        put(conf, "task_soft_time_limit", json_real(options->soft_time_limit));
    if (options->max_tasks_per_child > 0)
        put(conf, "worker_max_tasks_per_child", json_integer(options->max_tasks_per_child));
    if (options->max_memory_per_child > 0)
        put(conf, "worker_max_memory_per_child", json_integer(options->max_memory_per_child));
    if (options->reject_on_worker_lost)
        put(conf, "task_reject_on_worker_lost", json_true());
    if (strcmp(options->default_queue, "celery") != 0)
        put(conf, "task_default_queue", json_string(options->default_queue));
    if (strcmp(options->queue_type, "classic") != 0)
        put(conf, "task_default_queue_type", json_string(options->queue_type));
    if (options->queue_priorities > 0)
        put(conf, "task_queue_max_priority", json_integer(options->queue_priorities));
    return conf;
}

static json_t *revoked(void *context)
{
    struct worker *worker = context;
    json_t *ids = json_array();
    size_t at = 0;
    const char *id = id_ring_next(worker->revoked, &at);
    while (ids != NULL && id != NULL) {
        (void)json_array_append_new(ids, json_string(id));
        id = id_ring_next(worker->revoked, &at);
    }
    return ids;
}

static void shut_down(void *context)
{
    shutdown_warm(context, "remote control asks for it");
}

static void revoke_id(void *context, const char *id)
{
    struct worker *worker = context;
    log_info("Task %s is revoked", id);
    worker->anything_revoked = true;
    if (!id_ring_has(worker->revoked, id, 0, NULL))
        id_ring_add(worker->revoked, id, 0, 0);
    /* One that is in a child's hands and has not begun is taken back, and found revoked when it is dispatched
     * anew. */
    for (struct request *request = requests_find(&worker->requests, id, NULL); request != NULL;
         request = requests_find(&worker->requests, id, request)) {
        if (request->state == REQUEST_HANDED) {
            pool_take_back(worker->pool);
            return;
        }
    }
}

static bool terminate(void *context, const char *id, int signal)
{
    struct worker *worker = context;
    bool found = false;
    for (struct request *request = requests_find(&worker->requests, id, NULL); request != NULL;
         request = requests_find(&worker->requests, id, request)) {
        if (request->state == REQUEST_SETTLING)
            continue;
        found = true;
        request->terminate_signal = signal;
        if (request->state ==
            REQUEST_RUNNING) /* one that is handed over only is hit when it begins (dispatch.c) */
            (void)pool_terminate(worker->pool, request, signal);
    }
    return found;
}

static void pool_grow(void *context, int by)
{
    struct worker *worker = context;
    int wanted = pool_concurrency(worker->pool) + by;
    pool_resize(worker->pool, wanted < 1 ? 1 : wanted > 512 ? 512 : wanted);
}

static void add_queue(void *context, const struct queue_spec *queue)
{
    struct worker *worker = context;
    struct error error = {0};
    if (worker->phase == PHASE_RUNNING && !consume_add(worker, queue, &error))
        log_error("Cannot consume from %s: %s", queue->name, error.message);
}

static void cancel_queue(void *context, const char *name)
{
    consume_cancel(context, name);
}

void view_init(struct worker *worker)
{
    char *results = worker->results_shown;
    if (worker->options.result_backend != NULL)
        banner_redact(worker->options.result_backend, results, sizeof worker->results_shown);
    else
        (void)snprintf(results, sizeof worker->results_shown, "disabled://");
    worker->view = (struct control_worker){
        .context = worker,
        .app = worker->program->app,
        .version = worker->program->version,
        .hostname = worker->options.hostname,
        .transport = "amqp",
        .results = results,
        .types = worker->program->tasks,
        .clock = &worker->clock,
        .events = worker->events,
        .started = worker->begun,
        .each_request = each_request,
        .find_request = find_request,
        .each_queue = each_queue,
        .totals = totals,
        .processed = processed,
        .active = active,
        .prefetch_count = prefetch_count,
        .pool = pool,
        .broker = broker,
        .configuration = configuration,
        .revoked = revoked,
        .shutdown = shut_down,
        .revoke = revoke_id,
        .terminate = terminate,
        .pool_grow = pool_grow,
        .add_queue = add_queue,
        .cancel_queue = cancel_queue,
    };
}
