/* A lease on a task: held in Redis while the task runs, so that no other worker runs the same id meanwhile.
 *
 * A late-acknowledged message comes again when its worker lost the broker, though the task goes on there. The
 * key
 * "<prefix>celeryc-lease-<id>" says who runs it; it lives for `seconds` and is prolonged every third of that,
 * by the asynchronous backend's thread, so that a stalled event loop does not lose it. A worker that dies
 * leaves it to run out.
 *
 * Owned by the event loop's thread; callbacks come from backend_async_turn(). */
#ifndef CELERYC_RESULTS_LEASE_H
#define CELERYC_RESULTS_LEASE_H

#include "celeryc/results/backend_async.h"

enum lease_state {
    LEASE_HELD, /* it is ours now: run the task */
    LEASE_BUSY, /* another worker has it; it is tried again by itself, every second */
    LEASE_LOST, /* it ran out while Redis was away, and another worker took it: two may be running now */
};

struct lease;
typedef void lease_changed(void *context, enum lease_state state);

/* Begins to take it. `holder` tells this run from all others: the node's name and something random. Changes
 * of state are called back: BUSY once, then HELD at last; LOST at most once after HELD. `seconds` 0: 15.
 * Without a result backend it is held at once. While Redis is away nothing comes. */
struct lease *lease_new(struct backend_async *async, const char *task_id, const char *holder, double seconds,
                        lease_changed *changed, void *context, struct error *error);

/* Gives it back, or gives up taking it; no callback comes any more. Freed here or, when Redis is away, later.
 */
void lease_release(struct lease *lease);

#endif
