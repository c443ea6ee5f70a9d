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
    if (slot->clerk || !accepts(slot))
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
        if (slot->clerk || !accepts(slot) || (slot->count > 0 && (!quick || !may_pile_up(slot))))
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
    if (request->verdict != NULL)
        order.verdict = *request->verdict;
    return pool_order_put(&slot->out, &order, error);
}

bool slot_put(struct slot *slot, struct request *request, double cost, bool slow, struct error *error)
{
    if (!write_order(slot, request, error))
        return false;
    page_offer(slot->page, slot->next);
    slot->held[slot->next % PAGE_ENTRIES] = (struct held){.request = request, .cost = cost, .slow = slow};
    if (slot->count == 0) {
        slot->first = slot->next;
        slot->progress = clock_monotonic();
        slot->backlog = 0;
    }
    slot->count++;
    slot->slow += slow;
    slot->backlog += cost;
    slot->given++;
    request->slot = slot;
    request->serial = slot->next;
    slot->next++;
    return true;
}

/* A request that cannot even be written (headers nested without end) is disposed of as one that does not
 * decode; where only memory is out, another worker may have it. */
static void refuse(struct pool *pool, struct request *request, const struct error *why)
{
    struct run_result result = {.outcome = RUN_UNDECODABLE, .reject = true, .exc_message = why->message};
    if (why->code == ERROR_MEMORY)
        result = (struct run_result){.outcome = RUN_REJECTED, .requeue = true};
    pool->events.finished(pool->context, request, &result);
}

bool pool_hand(struct pool *pool, struct request *request)
{
    struct error error;
    struct slot *slot = best_slot(pool, request);
    if (slot == NULL)
        return false;
    bool quick = is_short(pool, request);
    double cost = quick ? pool->runtimes[type_index(pool, request->type)] : 0;
    if (!slot_put(slot, request, cost, !quick, &error)) {
        refuse(pool, request, &error);
        return true;
    }
    request->state = REQUEST_HANDED;
    request->pid = slot->pid;
    pool->last_was_short = quick;
    pool->handed++;
    return true;
}

/* ---- waiting ---- */

static bool line_add(struct request_line *line, struct request *request, bool first)
{
    if (line->count == line->capacity) {
        size_t capacity = line->capacity * 2 + 64;
        struct request **requests = realloc(line->requests, capacity * sizeof *requests);
        if (requests == NULL)
            return false;
        line->requests = requests;
        line->capacity = capacity;
    }
    if (first)
        memmove(line->requests + 1, line->requests, line->count * sizeof *line->requests);
    line->requests[first ? 0 : line->count] = request;
    line->count++;
    return true;
}

void line_drop(struct request_line *line, size_t count)
{
    if (count == 0)
        return;
    line->count -= count;
    memmove(line->requests, line->requests + count, line->count * sizeof *line->requests);
}

bool pool_wait(struct pool *pool, struct request *request, bool first)
{
    bool told = request->verdict != NULL;
    if (!line_add(told ? &pool->verdicts : &pool->waiting, request, first))
        return false;
    request->slot = NULL;
    if (told)
        return true;
    request->state = REQUEST_HANDED;
    request->pid = 0;
    return true;
}

void pool_hand_waiting(struct pool *pool)
{
    size_t handed = 0;
    while (handed < pool->waiting.count && pool_hand(pool, pool->waiting.requests[handed]))
        handed++;
    line_drop(&pool->waiting, handed);
    pool_hand_verdicts(pool);
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
            if (request->verdict == NULL)
                request->state = REQUEST_READY;
            pool->events.returned(pool->context, request);
        }
    }
    return taken;
}
