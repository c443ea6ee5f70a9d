/* What a blocking backend is made of, for the files of this room. */
#ifndef CELERYC_RESULTS_BACKEND_STATE_H
#define CELERYC_RESULTS_BACKEND_STATE_H

#include "celeryc/results/connection.h"
#include "celeryc/results/keys.h"

struct stored;

struct backend {
    struct redis_connection connection;
    struct result_keys keys;
    struct stored **queue; /* what backend_flush() sends */
    size_t *refused;       /* places in the queue that the last flush found refused; as large as the queue */
    size_t count, capacity, refused_count;
};

/* Runs commands until none is pending, or `deadline` (0: 60 s). Each may have been refused. */
bool backend_run(struct backend *backend, struct redis_command *const *commands, size_t count,
                 double deadline, struct error *error);

#endif
