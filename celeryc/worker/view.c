/* The view: what remote control sees of the worker and may tell it to do (control/worker_view.h). */
#include "celeryc/worker/banner.h"
#include "celeryc/worker/worker.h"
#include "common/setting.h"

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

static double timer_lag(void *context)
{
    const struct worker *worker = context;
    return worker->timer_lag;
}

static void put(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new(object, name, value);
}

static void put_url(json_t *object, const char *name, const char *urls)
{
    char shown[1024];
    banner_redact(urls, shown, sizeof shown);
    put(object, name, json_string(shown));
}

static json_t *number_or_none(long number)
{
    return number > 0 ? json_integer(number) : json_null();
}

static json_t *seconds_or_none(double seconds)
{
    return seconds > 0 ? json_real(seconds) : json_null();
}

/* Those that Celery shows only when they are set. */
static void put_settings(json_t *conf, const struct worker_options *options, bool all)
{
    json_t *expires = setting_is_default(options->table, "result-expires")
                          ? json_string("1 day, 0:00:00") /* Python's timedelta */
                          : json_real(options->result_expires);
    const struct {
        const char *name, *option;
        json_t *value;
    } rows[] = {
        {"worker_pool", "pool", json_string(options->pool)},
        {"worker_send_task_events", "task-events", json_boolean(options->task_events)},
        {"worker_max_tasks_per_child", "max-tasks-per-child", number_or_none(options->max_tasks_per_child)},
        {"worker_max_memory_per_child", "max-memory-per-child",
         number_or_none(options->max_memory_per_child)},
        {"worker_eta_task_limit", "eta-task-limit", json_integer(options->eta_task_limit)},
        {"worker_soft_shutdown_timeout", "soft-shutdown-timeout", json_real(options->soft_shutdown_timeout)},
        {"worker_enable_soft_shutdown_on_idle", "enable-soft-shutdown-on-idle",
         json_boolean(options->soft_shutdown_on_idle)},
        {"worker_deduplicate_successful_tasks", "deduplicate-successful-tasks",
         json_boolean(options->deduplicate)},
        {"worker_state_db", "statedb",
         options->statedb != NULL ? json_string(options->statedb) : json_null()},
        {"result_extended", "result-extended", json_boolean(options->result_extended)},
        {"result_persistent", "result-persistent", options->result_persistent ? json_true() : json_null()},
        {"result_expires", "result-expires", expires},
        {"result_backend_transport_options", "result-key-prefix",
         json_pack("{s:s*}", "global_keyprefix", options->key_prefix)},
        {"task_track_started", "track-started", json_boolean(options->track_started)},
        {"task_time_limit", "time-limit", seconds_or_none(options->time_limit)},
        {"task_soft_time_limit", "soft-time-limit", seconds_or_none(options->soft_time_limit)},
        {"task_reject_on_worker_lost", "reject-on-worker-lost",
         options->reject_on_worker_lost ? json_true() : json_null()},
        {"task_default_queue", "default-queue", json_string(options->default_queue)},
        {"task_default_queue_type", "queue-type", json_string(options->queue_type)},
        {"task_queue_max_priority", "queue-max-priority", number_or_none(options->queue_priorities)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (all || !setting_is_default(options->table, rows[i].option))
            put(conf, rows[i].name, rows[i].value);
        else
            json_decref(rows[i].value);
    }
}

/* The first are always shown: what there is to say of a worker in C, and what Celery's suite looks for. */
static json_t *configuration(void *context, bool all)
{
    const struct worker *worker = context;
    const struct worker_options *options = &worker->options;
    json_t *conf = json_object();
    put_url(conf, "broker_url", options->broker);
    if (options->result_backend != NULL)
        put_url(conf, "result_backend", options->result_backend);
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
    put_settings(conf, options, all);
    return conf;
}

static json_t *revoked(void *context)
{
    struct worker *worker = context;
    json_t *ids = json_array();
    size_t at = 0;
    steer_expire_revoked(worker);
    const char *id = id_ring_next(worker->revoked, &at);
    while (ids != NULL && id != NULL) {
        (void)json_array_append_new(ids, json_string(id));
        id = id_ring_next(worker->revoked, &at);
    }
    return ids;
}

static json_t *autoscaler(void *context)
{
    const struct worker *worker = context;
    const struct worker_options *options = &worker->options;
    if (options->autoscale_most == 0)
        return NULL;
    size_t load = worker->requests.states[REQUEST_READY].count +
                  worker->requests.states[REQUEST_HANDED].count +
                  worker->requests.states[REQUEST_RUNNING].count;
    return json_pack("{s:I, s:I, s:i, s:I}", "max", (json_int_t)options->autoscale_most, "min",
                     (json_int_t)options->autoscale_least, "current", pool_concurrency(worker->pool), "qty",
                     (json_int_t)load);
}

static const char *rate_limit(void *context, const struct celery_task_type *type)
{
    struct worker *worker = context;
    return registry_of(&worker->registry, type)->rate_text;
}

static void time_limits(void *context, const struct celery_task_type *type, double *soft, double *hard)
{
    struct worker *worker = context;
    const struct registered *entry = registry_of(&worker->registry, type);
    *soft = entry->soft_time_limit;
    *hard = entry->time_limit;
}

void view_init(struct worker *worker)
{
    char *results = worker->results_shown;
    if (worker->options.result_backend != NULL)
        banner_redact(worker->options.result_backend, results, sizeof worker->results_shown);
    else
        (void)snprintf(results, sizeof worker->results_shown, "disabled");
    worker->view = (struct control_worker){
        .context = worker,
        .app = worker->program->app,
        .version = worker->program->version,
        .hostname = worker->options.hostname,
        .transport = "amqp",
        .results = results,
        .types = worker->types,
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
        .timer_lag = timer_lag,
        .configuration = configuration,
        .revoked = revoked,
        .autoscaler = autoscaler,
        .rate_limit = rate_limit,
        .time_limits = time_limits,
    };
    steer_init(&worker->view);
}
