/* Which child gets what: many short requests at once, slow ones and unknown ones alone. */
#include "celeryc/worker/pool_slot.h"

#include "celeryc/worker/pool_order.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static uint32_t type_index(const struct pool *pool, const struct celery_task_type *type)
{
    size_t index = (size_t)(type - pool->options.types);
    return index < pool->types ? (uint32_t)index : UINT32_MAX;
}

static bool is_short(const struct pool *pool, const struct request *request)
{
    double runtime = pool->runtimes[type_index(pool, request->type)];
    return runtime >= 0 && runtime < POOL_BACKLOG;
}

/* One slow run makes a type slow at once, several quick ones make it quick again. */
void pool_note_runtime(struct pool *pool, const struct celery_task_type *type, double runtime)
{
    double *known = &pool->runtimes[type_index(pool, type)];
    double mean = 0.7 * *known + 0.3 * runtime;
    *known = !(runtime >= 0) || runtime > mean || *known < 0 ? runtime : mean;
}

/* ---- room ---- */

static bool accepts(const struct slot *slot)
{
    unsigned long most = (unsigned long)slot->pool->options.max_tasks_per_child;
    return slot->state == SLOT_READY && !slot->broken && slot->out.size < POOL_LARGE &&
           (most == 0 || slot->given < most) && slot->next - slot->first < PAGE_ENTRIES;
}

/* Whether a short request may be put behind what the child has. */
static bool may_pile_up(const struct slot *slot)
{
    return slot->slow == 0 && slot->count < POOL_DEPTH && slot->backlog < POOL_BACKLOG &&
           clock_monotonic() - slot->progress < POOL_STALL;
}

size_t slot_room(const struct slot *slot)
{
    if (!accepts(slot))
        return 0;
    if (slot->count == 0)
        return slot->pool->last_was_short ? POOL_DEPTH : 1;
    return may_pile_up(slot) ? POOL_DEPTH - slot->count : 0;
}

static struct slot *best_slot(struct pool *pool, const struct request *request)
{
    struct slot *best = NULL;
    bool quick = is_short(pool, request);
    for (size_t i = 0; i < pool->count; i++) {
        struct slot *slot = pool->slots[i];
        if (!accepts(slot) || (slot->count > 0 && (!quick || !may_pile_up(slot))))
            continue;
        if (slot->count == 0 && !slot->deaf)
            return slot;
        if (best == NULL || (best->deaf && !slot->deaf) ||
            (best->deaf == slot->deaf && slot->count < best->count))
            best = slot;
    }
    return best;
}

/* ---- handing over ---- */

static bool write_order(struct slot *slot, const struct request *request, struct error *error)
{
    struct pool_order order = {.serial = slot->next,
                               .type = type_index(slot->pool, request->type),
                               .redelivered = request->redelivered,
                               .lost_runs = request->lost_runs,
                               .soft_time_limit = request->soft_time_limit,
                               .time_limit = request->time_limit,
                               .wire = request->wire};
    return pool_order_put(&slot->out, &order, error);
}

static void hold(struct slot *slot, struct request *request)
{
    struct pool *pool = slot->pool;
    bool quick = is_short(pool, request);
    double cost = quick ? pool->runtimes[type_index(pool, request->type)] : 0;
    slot->held[slot->next % PAGE_ENTRIES] = (struct held){.request = request, .cost = cost, .slow = !quick};
    if (slot->count == 0) {
        slot->first = slot->next;
        slot->progress = clock_monotonic();
        slot->backlog = 0;
    }
    slot->count++;
    slot->slow += !quick;
    slot->backlog += cost;
    slot->given++;
    request->state = REQUEST_HANDED;
    request->slot = slot;
    request->serial = slot->next;
    request->pid = slot->pid;
    slot->next++;
    pool->last_was_short = quick;
    pool->handed++;
}

/* A request that cannot even be written (headers nested without end) is disposed of as one that does not
 * decode. */
static void refuse(struct pool *pool, struct request *request, const char *why)
{
    struct run_result result = {.outcome = RUN_UNDECODABLE, .reject = true, .exc_message = why};
    pool->events.finished(pool->context, request, &result);
}

bool pool_hand(struct pool *pool, struct request *request)
{
    struct error error;
    struct slot *slot = best_slot(pool, request);
    if (slot == NULL)
        return false;
    if (!write_order(slot, request, &error)) {
        refuse(pool, request, error.message);
        return true;
    }
    page_offer(slot->page, slot->next);
    hold(slot, request);
    return true;
}

/* ---- waiting ---- */

bool pool_wait(struct pool *pool, struct request *request, bool first)
{
    if (pool->waiting_count == pool->waiting_capacity) {
        size_t capacity = pool->waiting_capacity * 2 + 64;
        struct request **waiting = realloc(pool->waiting, capacity * sizeof *waiting);
        if (waiting == NULL)
            return false;
        pool->waiting = waiting;
        pool->waiting_capacity = capacity;
    }
    if (first)
        memmove(pool->waiting + 1, pool->waiting, pool->waiting_count * sizeof *pool->waiting);
    pool->waiting[first ? 0 : pool->waiting_count] = request;
    pool->waiting_count++;
    request->state = REQUEST_HANDED;
    request->slot = NULL;
    request->pid = 0;
    return true;
}

void pool_hand_waiting(struct pool *pool)
{
    size_t handed = 0;
    while (handed < pool->waiting_count && pool_hand(pool, pool->waiting[handed]))
        handed++;
    if (handed == 0)
        return;
    pool->waiting_count -= handed;
    memmove(pool->waiting, pool->waiting + handed, pool->waiting_count * sizeof *pool->waiting);
}

struct request *slot_release(struct slot *slot, uint32_t serial)
{
    struct held *held = &slot->held[serial % PAGE_ENTRIES];
    struct request *request = held->request;
    if (request == NULL || request->serial != serial)
        return NULL;
    slot->count--;
    slot->slow -= held->slow;
    slot->backlog = slot->count == 0 ? 0 : slot->backlog - held->cost;
    *held = (struct held){.request = NULL};
    while (slot->first != slot->next && slot->held[slot->first % PAGE_ENTRIES].request == NULL)
        slot->first++;
    request->slot = NULL;
    return request;
}

size_t slot_take_back(struct slot *slot)
{
    struct pool *pool = slot->pool;
    size_t taken = 0;
    /* From the newest to the oldest, each to the front: so they wait in the order in which they came. */
    for (uint32_t back = 1; back <= PAGE_ENTRIES && slot->count > 0; back++) {
        uint32_t serial = slot->next - back;
        struct held *held = &slot->held[serial % PAGE_ENTRIES];
        if (held->request == NULL || held->request->serial != serial || !page_take_back(slot->page, serial))
            continue;
        struct request *request = slot_release(slot, serial);
        slot->given--;
        taken++;
        if (!pool_wait(pool, request, true)) {
            request->state = REQUEST_READY;
            pool->events.returned(pool->context, request);
        }
    }
    return taken;
}
