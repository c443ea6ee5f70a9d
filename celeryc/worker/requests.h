/* The table of the requests that this worker has: found by task id, listed by state, counted by task type.
 *
 * Invariants: a request in the table is in exactly one list, that of its state; its id does not change. Two
 * requests may have the same id (a retry's message comes back before the run that asked for it is settled).
 * What the table holds is bounded by the consumer's prefetch count, since each request is an unsettled
 * delivery or was one. Owned and touched by the event loop's thread alone. */
#ifndef CELERYC_WORKER_REQUESTS_H
#define CELERYC_WORKER_REQUESTS_H

#include "celeryc/worker/request.h"

struct request_list {
    struct request *first, *last; /* in the order in which they came to this state */
    size_t count;
};

#define REQUEST_STATES (REQUEST_DONE + 1)

struct requests {
    struct request **buckets; /* by id; chained through an index of their own */
    size_t bucket_count, count;
    struct request_list states[REQUEST_STATES];
};

bool requests_init(struct requests *requests, struct error *error);
void requests_clear(struct requests *requests); /* frees every request in it */

/* A new request in state WAITING for a delivery; takes `wire` (cleared) and `message`. NULL: no memory,
 * nothing taken. */
struct request *requests_add(struct requests *requests, struct wire_message *wire,
                             struct task_message *message);
void requests_remove(struct requests *requests, struct request *request); /* and frees it */
void requests_move(struct requests *requests, struct request *request, enum request_state state);
/* The same, before those that were received later: for what was taken back. */
void requests_move_back(struct requests *requests, struct request *request, enum request_state state);

/* The next request with this id after `previous` (NULL: the first), or NULL. */
struct request *requests_find(const struct requests *requests, const char *id,
                              const struct request *previous);

#endif
