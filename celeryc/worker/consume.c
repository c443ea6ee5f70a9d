/* Consuming: which queues, how many messages at once, and what a lost connection means for the requests. */
#include "celeryc/worker/worker.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define PREFETCH_MOST 65535 /* AMQP's field has 16 bits; nothing is taken without a bound */
#define QUEUES_MOST 1000

struct broker_options worker_broker(const struct worker *worker, const char *purpose)
{
    const struct worker_options *options = &worker->options;
    return (struct broker_options){
        .urls = options->broker,
        .purpose = purpose,
        .connect_timeout = 4,
        .heartbeat = (int)options->broker_heartbeat,
        .retry_first = options->broker_retry_first,
        .retry_step = options->broker_retry_step,
        .retry_most = options->broker_retry_most,
    };
}

/* ---- prefetch ---- */

/* Multiplier times children (with autoscaling: as many as there may be). */
static size_t work_prefetch(const struct worker *worker)
{
    const struct worker_options *options = &worker->options;
    size_t children = options->autoscale_most > 0 ? (size_t)options->autoscale_most
                      : worker->pool              ? (size_t)pool_concurrency(worker->pool)
                                                  : (size_t)options->concurrency;
    return options->prefetch_multiplier > 0 ? (size_t)options->prefetch_multiplier * children : PREFETCH_MOST;
}

/* One more for each task that merely waits for its ETA (Celery's increment_eventually). */
static unsigned waiting_beside(const struct worker *worker)
{
    size_t most = (size_t)worker->options.eta_task_limit;
    return (unsigned)(worker->eta_held < most ? worker->eta_held : most);
}

static unsigned bounded(size_t prefetch)
{
    return prefetch > PREFETCH_MOST ? PREFETCH_MOST : (unsigned)prefetch;
}

unsigned consume_prefetch(const struct worker *worker)
{
    return bounded(work_prefetch(worker) + waiting_beside(worker));
}

void consume_update_prefetch(struct worker *worker)
{
    unsigned work = bounded(work_prefetch(worker)), waiting = waiting_beside(worker);
    if ((work == worker->prefetch_told && waiting == worker->waiting_told) || worker->phase != PHASE_RUNNING)
        return;
    worker->prefetch_told = work;
    worker->waiting_told = waiting;
    consumer_set_prefetch(worker->consumer, work, waiting);
}

/* ---- queues ---- */

bool consume_add(struct worker *worker, const struct queue_spec *spec, struct error *error)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        if (strcmp(worker->queues[i]->name, spec->name) == 0)
            return true;
    }
    if (worker->queue_count == QUEUES_MOST)
        return error_set(error, ERROR_LIMIT, "more than %d queues", QUEUES_MOST);
    struct queue_spec **more = realloc(worker->queues, (worker->queue_count + 1) * sizeof *more);
    if (more != NULL)
        worker->queues = more;
    struct queue_spec *copy = more ? queue_spec_copy(spec) : NULL;
    if (copy == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for queue %s", spec->name);
    worker->queues[worker->queue_count++] = copy;
    consumer_add(worker->consumer, copy);
    return true;
}

void consume_cancel(struct worker *worker, const char *queue)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        if (strcmp(worker->queues[i]->name, queue) != 0)
            continue;
        queue_spec_free(worker->queues[i]);
        worker->queues[i] = worker->queues[--worker->queue_count];
        consumer_cancel(worker->consumer, queue);
        return;
    }
}

void consume_stop(struct worker *worker)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        consumer_cancel(worker->consumer, worker->queues[i]->name);
}

void consume_clear(struct worker *worker)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        queue_spec_free(worker->queues[i]);
    free(worker->queues);
    worker->queues = NULL;
    worker->queue_count = 0;
}

bool consume_start(struct worker *worker, struct error *error)
{
    const struct worker_options *options = &worker->options;
    bool quorum = strcmp(options->queue_type, "quorum") == 0;
    worker->prefetch_told = bounded(work_prefetch(worker));
    const struct consumer_options consumer = {
        .broker = worker_broker(worker, worker->purposes[0]),
        .prefetch = worker->prefetch_told,
        .prefetch_global = !quorum,
    };
    worker->consumer = consumer_new(&consumer, error);
    if (worker->consumer == NULL)
        return false;
    json_t *arguments = json_object();
    if (quorum)
        json_object_set_new(arguments, "x-queue-type", json_string("quorum"));
    if (options->queue_priorities > 0)
        json_object_set_new(arguments, "x-max-priority", json_integer(options->queue_priorities));
    bool added = true;
    for (size_t i = 0; i < options->queue_count && added; i++) {
        const struct queue_spec spec = {
            .name = options->queues[i],
            .durable = true,
            .exchange_durable = true,
            .arguments = json_object_size(arguments) > 0 ? arguments : NULL,
        };
        added = consume_add(worker, &spec, error);
    }
    json_decref(arguments);
    return added;
}

/* ---- the connection ---- */

void consume_connected(struct worker *worker, uint32_t epoch)
{
    worker->epoch = epoch;
    worker->connected = true;
    neighbours_connected(worker);
    if (worker->was_ready)
        log_info("Connected to the broker again");
    else
        log_info("%s ready.", worker->options.hostname);
    worker->was_ready = true;
    announce_worker(worker, ANNOUNCE_ONLINE);
}

/* What has not begun is the broker's again, and comes again. What runs goes on, and is adopted then. */
static void drop_all(struct worker *worker, enum request_state state)
{
    struct request_list *list = &worker->requests.states[state];
    while (list->first != NULL)
        settle_give_back(worker, list->first);
}

void consume_lost(struct worker *worker, const char *reason)
{
    if (!worker->connected) {
        log_error("Cannot connect to the broker: %s", reason ? reason : "no reason given");
        return;
    }
    worker->connected = false;
    log_warning("The connection to the broker is lost: %s; running tasks go on",
                reason ? reason : "no reason given");
    pool_take_back(worker->pool);
    drop_all(worker, REQUEST_WAITING);
    drop_all(worker, REQUEST_READY);
}
