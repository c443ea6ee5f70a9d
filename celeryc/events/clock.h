/* Lamport's logical clock, which orders the events of a cluster: forward before each message that is sent,
 * adjusted by each that is received (kombu/clocks.py). One for each process; any thread may use it. */
#ifndef CELERYC_EVENTS_CLOCK_H
#define CELERYC_EVENTS_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#define LAMPORT_MOST (INT64_MAX / 2) /* what a peer says beyond it is not believed */

struct lamport_clock { /* zero is a valid start */
    _Atomic int64_t value;
};

/* One step on; the new value. */
static inline int64_t lamport_forward(struct lamport_clock *clock)
{
    return atomic_fetch_add_explicit(&clock->value, 1, memory_order_relaxed) + 1;
}

static inline int64_t lamport_value(struct lamport_clock *clock)
{
    return atomic_load_explicit(&clock->value, memory_order_relaxed);
}

/* One step on from what we have and what the peer says, whichever is later. */
static inline void lamport_adjust(struct lamport_clock *clock, int64_t other)
{
    int64_t value = atomic_load_explicit(&clock->value, memory_order_relaxed), next;
    do {
        next = (other > value && other <= LAMPORT_MOST ? other : value) + 1;
    } while (!atomic_compare_exchange_weak_explicit(&clock->value, &value, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

#endif
