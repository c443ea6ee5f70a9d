/* The tasks that this worker serves: the program's table, found by name, and what changes about each while it
 * runs.
 *
 * Made once; owned by the event loop's thread. */
#ifndef CELERYC_WORKER_REGISTRY_H
#define CELERYC_WORKER_REGISTRY_H

#include "celeryc/include/celeryc/task.h"
#include "celeryc/worker/rate.h"

#include <ev.h>
#include <stdint.h>

struct hold; /* admit.c: a request that waits for a token of this task */

struct registered {
    const struct celery_task_type *type;
    uint64_t total; /* runs begun here, `inspect stats` total */
    struct rate rate;
    char *rate_text;                    /* as it was set, "10/s"; owned; NULL: no limit */
    double time_limit, soft_time_limit; /* seconds, the type's or as remote control set them; 0 none */
    struct hold *first, *last;          /* requests that wait for a token, in order */
    ev_timer timer;                     /* when the next token is there */
};

struct registry {
    struct registered *entries; /* in the order of the table */
    size_t count;
    size_t *slots; /* by hash of the name: index + 1, 0 free */
    size_t slot_count;
};

/* ERROR_INVALID: two tasks of one name, no function, a rate limit that is none. */
bool registry_init(struct registry *registry, const struct celery_task_type *types, struct error *error);
void registry_clear(struct registry *registry);
struct registered *registry_find(const struct registry *registry,
                                 const char *name); /* NULL: not registered */
struct registered *registry_of(const struct registry *registry, const struct celery_task_type *type);
/* "10/s", NULL or "0": none. False when it is no rate; the old one stays. */
bool registry_set_rate(struct registered *entry, const char *text);

#endif
