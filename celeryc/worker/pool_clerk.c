/* The clerk: a child beyond the wanted number that runs no tasks, and tells what ended without a child. One
 * verdict at a time, in order: what it tells of one may take long while Redis or the broker is away, and
 * nothing behind it could be told then either. */
#include "celeryc/worker/pool_slot.h"

#include "common/clock.h"
#include "common/log.h"

static struct slot *find_clerk(const struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->slots[i]->clerk && pool->slots[i]->state != SLOT_ENDING)
            return pool->slots[i];
    }
    return NULL;
}

bool pool_wants_clerk(const struct pool *pool)
{
    return pool->verdicts.count > 0 && find_clerk(pool) == NULL;
}

void pool_hand_verdicts(struct pool *pool)
{
    struct slot *clerk = find_clerk(pool);
    while (clerk != NULL && clerk->state == SLOT_READY && clerk->count == 0 && pool->verdicts.count > 0) {
        struct error error;
        struct request *request = pool->verdicts.requests[0];
        line_drop(&pool->verdicts, 1);
        if (slot_put(clerk, request, 0, true, &error))
            return;
        struct run_result result = {.outcome = RUN_UNDECODABLE, .exc_message = error.message};
        pool->events.finished(pool->context, request, &result);
    }
}

void pool_tell(struct pool *pool, struct request *request)
{
    if (pool->broken || !pool_wait(pool, request, false)) {
        pool->events.returned(pool->context, request);
        return;
    }
    pool_populate(pool);
    pool_hand_verdicts(pool);
}

void pool_dismiss_clerk(struct pool *pool)
{
    struct slot *clerk = find_clerk(pool);
    if (clerk == NULL || clerk->count > 0 || pool->verdicts.count > 0)
        return;
    if (pool->closed || (clerk->state == SLOT_READY && clock_monotonic() - clerk->progress > POOL_CLERK_IDLE))
        slot_dismiss(clerk);
}

void pool_return_verdicts(struct pool *pool)
{
    while (pool->verdicts.count > 0) {
        struct request *request = pool->verdicts.requests[0];
        line_drop(&pool->verdicts, 1);
        pool->events.returned(pool->context, request);
    }
}
