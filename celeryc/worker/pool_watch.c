/* The pool's tick: what the page tells of each child's work, looked at twenty times a second. */
#include "celeryc/worker/pool_slot.h"

#include "common/clock.h"

#include <signal.h>

bool slot_condemn(struct slot *slot, uint32_t serial, enum loss_reason reason, int signal)
{
    struct held *held = &slot->held[serial % PAGE_ENTRIES];
    if (!page_condemn(slot->page, serial))
        return false;
    held->condemned = true;
    held->reason = reason;
    if (slot->state != SLOT_ENDING)
        slot->state = SLOT_ENDING;
    slot_signal(slot, signal);
    if (signal == SIGKILL)
        slot->kill_at = clock_monotonic() + POOL_KILL_AFTER;
    return true;
}

/* What waits behind a request that does not end goes to other children; and so does one that is not even
 * begun, by a child that is stopped, or waits for Redis. */
static void watch_stalled(struct slot *slot, double now)
{
    double idle = now - slot->progress;
    if (slot->count > 1 && idle > POOL_STALL)
        slot_take_back(slot);
    if (slot->count == 1 && idle > POOL_DEAF && slot->out.size == 0)
        slot->deaf = slot_take_back(slot) > 0;
}

/* Tells of starts that the child has not told of, and ends what is over its time. */
static void watch_running(struct slot *slot, double now)
{
    for (uint32_t serial = slot->first; serial != slot->next; serial++) {
        struct request *request = slot->held[serial % PAGE_ENTRIES].request;
        if (request == NULL || page_state(slot->page, serial) != PAGE_CLAIMED)
            continue;
        double ran = now - page_claimed_at(slot->page, serial);
        slot_note_started(slot, serial, slot_claimed_wall(slot, serial));
        if (request->time_limit > 0 && ran >= request->time_limit)
            slot_condemn(slot, serial, LOST_TIME_LIMIT, SIGKILL);
        return; /* a child runs one at a time */
    }
}

static void watch(struct slot *slot, double now)
{
    if (slot->broken && slot->signal == 0)
        return;
    if (slot->signal != 0)
        slot_signal(slot, slot->signal);
    if (slot->kill_at > 0 && now >= slot->kill_at) {
        slot->kill_at = now + POOL_KILL_AFTER;
        slot_signal(slot, SIGKILL);
    }
    if (slot->state == SLOT_ENDING && slot->shut && slot->kill_at == 0)
        slot->kill_at = now + POOL_KILL_AFTER;
    if (slot->count == 0)
        return;
    if (slot->clerk)
        return;
    watch_running(slot, now);
    watch_stalled(slot, now);
}

void pool_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct pool *pool = watcher->data;
    double now = clock_monotonic();
    if (pool->events.ticked != NULL)
        pool->events.ticked(pool->context);
    for (size_t i = 0; i < pool->count; i++) {
        slot_read(pool->slots[i]); /* an end that was reported is no stall */
        watch(pool->slots[i], now);
    }
    pool_dismiss_clerk(pool);
    pool_populate(pool);
    pool_hand_waiting(pool);
    if (pool_room(pool) > 0)
        pool->events.room(pool->context);
    pool_flush(pool);
}
