#include "celeryc/worker/pool.h"

#include "celeryc/worker/pool_slot.h"
#include "common/clock.h"
#include "common/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- life cycle ---- */

static bool check(const struct pool_options *options, struct error *error)
{
    if (options->concurrency < 1 || options->concurrency > POOL_CHILDREN_MOST)
        return error_set(error, ERROR_INVALID, "a pool has 1 to %d children, not %d", POOL_CHILDREN_MOST,
                         options->concurrency);
    return true;
}

static void watch_loop(struct pool *pool)
{
    ev_io_init(&pool->forks, pool_fork_ready, fork_server_fd(pool->server), EV_READ);
    ev_timer_init(&pool->tick, pool_tick, POOL_TICK, POOL_TICK);
    pool->forks.data = pool->tick.data = pool;
    ev_io_start(pool->loop, &pool->forks);
    ev_timer_start(pool->loop, &pool->tick);
}

struct pool *pool_new(const struct pool_options *options, struct fork_server *server, struct ev_loop *loop,
                      const struct pool_events *events, void *context, struct error *error)
{
    if (!check(options, error))
        return NULL;
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the pool");
        return NULL;
    }
    while (options->types[pool->types].name != NULL)
        pool->types++;
    pool->runtimes = calloc(pool->types + 1, sizeof *pool->runtimes);
    if (pool->runtimes == NULL) {
        free(pool);
        error_set(error, ERROR_MEMORY, "no memory for the pool");
        return NULL;
    }
    for (size_t i = 0; i < pool->types; i++)
        pool->runtimes[i] = -1;
    pool->options = *options;
    pool->server = server;
    pool->loop = loop;
    pool->events = *events;
    pool->context = context;
    pool->target = options->concurrency;
    watch_loop(pool);
    pool_populate(pool);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    ev_io_stop(pool->loop, &pool->forks);
    ev_timer_stop(pool->loop, &pool->tick);
    for (size_t i = 0; i < pool->count; i++)
        slot_free(pool->slots[i]);
    free(pool->waiting.requests);
    free(pool->verdicts.requests);
    free(pool->runtimes);
    free(pool);
}

/* ---- requests ---- */

size_t pool_room(const struct pool *pool)
{
    size_t room = 0;
    if (pool->closed || pool->broken || pool->waiting.count > 0)
        return 0;
    for (size_t i = 0; i < pool->count; i++)
        room += slot_room(pool->slots[i]);
    return room;
}

static bool is_registered(const struct pool *pool, const struct celery_task_type *type)
{
    return type >= pool->options.types && type < pool->options.types + pool->types;
}

void pool_submit(struct pool *pool, struct request *request)
{
    if (!is_registered(pool, request->type)) {
        log_write(LOG_CRITICAL, request->id, "a task of no known type was submitted");
        abort();
    }
    if (!pool->closed && !pool->broken) {
        if (pool->waiting.count == 0 && pool_hand(pool, request))
            return;
        if (pool_wait(pool, request, false))
            return;
    }
    request->state = REQUEST_READY;
    pool->events.returned(pool->context, request);
}

void pool_flush(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct slot *slot = pool->slots[i];
        if (slot->out.size > 0 && !ev_is_active(&slot->writer))
            slot_write(slot);
        else if (slot->state == SLOT_ENDING && slot->count == 0 && !slot->shut)
            slot_write(slot);
    }
}

static bool stop_waiting(struct pool *pool, const struct request *request)
{
    struct request_line *line = &pool->waiting;
    for (size_t i = 0; i < line->count; i++) {
        if (line->requests[i] != request)
            continue;
        line->count--;
        for (size_t rest = i; rest < line->count; rest++)
            line->requests[rest] = line->requests[rest + 1];
        return true;
    }
    return false;
}

bool pool_terminate(struct pool *pool, struct request *request, int signal)
{
    struct slot *slot = request->slot;
    bool unstarted = false;
    if (slot == NULL)
        unstarted = stop_waiting(pool, request);
    else if (slot_condemn(slot, request->serial, LOST_TERMINATED, signal))
        return true;
    else if (page_take_back(slot->page, request->serial)) {
        slot_release(slot, request->serial);
        slot->given--;
        unstarted = true;
    } else if (slot_condemn(slot, request->serial, LOST_TERMINATED, signal)) {
        return true; /* it began between the two looks */
    }
    if (!unstarted)
        return false;
    request->state = REQUEST_READY;
    pool->events.returned(pool->context, request);
    return true;
}

void pool_take_back(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        if (!pool->slots[i]->clerk)
            slot_take_back(pool->slots[i]);
    }
    while (pool->waiting.count > 0) {
        struct request *request = pool->waiting.requests[0];
        stop_waiting(pool, request);
        request->state = REQUEST_READY;
        pool->events.returned(pool->context, request);
    }
}

/* ---- size ---- */

/* The one that costs least to dismiss: not yet up, then idle, then the one with the least to do. */
static struct slot *most_dispensable(struct pool *pool)
{
    struct slot *best = NULL;
    for (size_t i = 0; i < pool->count; i++) {
        struct slot *slot = pool->slots[i];
        if (slot->state == SLOT_ENDING || slot->clerk)
            continue;
        if (best == NULL || slot->count < best->count)
            best = slot;
    }
    return best;
}

void pool_resize(struct pool *pool, int concurrency)
{
    if (pool->closed || concurrency < 1)
        return;
    pool->target = concurrency > POOL_CHILDREN_MOST ? POOL_CHILDREN_MOST : concurrency;
    int active = 0;
    for (size_t i = 0; i < pool->count; i++)
        active += pool->slots[i]->state != SLOT_ENDING && !pool->slots[i]->clerk;
    for (; active > pool->target; active--)
        slot_dismiss(most_dispensable(pool));
    pool_populate(pool);
}

int pool_concurrency(const struct pool *pool)
{
    return pool->target;
}

size_t pool_working(const struct pool *pool)
{
    size_t working = 0;
    for (size_t i = 0; i < pool->count; i++) {
        const struct slot *slot = pool->slots[i];
        for (uint32_t serial = slot->first; serial != slot->next; serial++) {
            const struct request *request = slot->held[serial % PAGE_ENTRIES].request;
            bool task = request != NULL && request->verdict == NULL;
            working += task && page_state(slot->page, serial) == PAGE_CLAIMED;
        }
    }
    return working;
}

size_t pool_running(const struct pool *pool)
{
    size_t running = 0;
    for (size_t i = 0; i < pool->count; i++)
        running += pool->slots[i]->count > 0 && !pool->slots[i]->clerk;
    return running;
}

/* How many requests each child was given: "6, 1", and the share of each: "0.86, 0.14". */
static json_t *describe_writes(const struct pool *pool)
{
    struct bytes shares, counts;
    bytes_init(&shares, 0);
    bytes_init(&counts, 0);
    unsigned long all = 0;
    size_t children = 0;
    for (size_t i = 0; i < pool->count; i++)
        all += pool->slots[i]->clerk ? 0 : pool->slots[i]->given;
    for (size_t i = 0; i < pool->count; i++) {
        unsigned long given = pool->slots[i]->given;
        const char *between = children == 0 ? "" : ", ";
        if (pool->slots[i]->clerk)
            continue;
        children++;
        bytes_append_format(&shares, NULL, "%s%.2f", between, all == 0 ? 0 : (double)given / (double)all);
        bytes_append_format(&counts, NULL, "%s%lu", between, given);
    }
    char average[32];
    (void)snprintf(average, sizeof average, "%.2f", children == 0 ? 0 : 1.0 / (double)children);
    json_t *writes =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:{s:i, s:I}}", "total", (json_int_t)pool->handed, "avg",
                  average, "all", bytes_text(&shares), "raw", bytes_text(&counts), "strategy", "fair",
                  "inqueues", "total", (int)children, "active", (json_int_t)pool_running(pool));
    bytes_clear(&shares);
    bytes_clear(&counts);
    return writes;
}

/* As Celery's: a limit is a float, none the integer 0. */
static json_t *describe_limit(double seconds)
{
    return seconds > 0 ? json_real(seconds) : json_integer(0);
}

json_t *pool_describe(const struct pool *pool)
{
    json_t *processes = json_array(), *most = json_string("N/A");
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->slots[i]->pid > 0 && !pool->slots[i]->clerk)
            json_array_append_new(processes, json_integer(pool->slots[i]->pid));
    }
    if (pool->options.max_tasks_per_child > 0) {
        json_decref(most);
        most = json_integer(pool->options.max_tasks_per_child);
    }
    return json_pack("{s:s, s:i, s:o, s:o, s:b, s:[o, o], s:o}", "implementation",
                     "celery.concurrency.prefork:TaskPool", "max-concurrency", pool->target, "processes",
                     processes, "max-tasks-per-child", most, "put-guarded-by-semaphore", 0, "timeouts",
                     describe_limit(pool->options.soft_time_limit), describe_limit(pool->options.time_limit),
                     "writes", describe_writes(pool));
}

/* ---- the end ---- */

void pool_close(struct pool *pool)
{
    pool_take_back(pool);
    pool->closed = true;
    for (size_t i = 0; i < pool->count; i++) {
        if (!pool->slots[i]->clerk)
            slot_dismiss(pool->slots[i]);
    }
    pool_dismiss_clerk(pool);
    pool_flush(pool);
}

void pool_kill(struct pool *pool)
{
    pool_take_back(pool);
    pool->closed = true;
    for (size_t i = 0; i < pool->count; i++) {
        if (!pool->slots[i]->clerk)
            slot_signal(pool->slots[i], SIGKILL);
    }
}

bool pool_is_gone(const struct pool *pool)
{
    return pool->count == 0 && pool->verdicts.count == 0 && (pool->closed || pool->broken);
}
