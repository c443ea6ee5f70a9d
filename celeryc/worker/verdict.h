/* A verdict: how a request ended without a child that ran it to its end (a hard time limit, a lost child,
 * revoked, expired, rejected, a retry that nobody takes), for a child to store and to tell to whom it
 * concerns: the chord that the task is part of, the later steps of its chain, its errbacks. The parent
 * cannot: all of that waits for Redis and for the broker.
 *
 * fate.c decides which requests need one, pool_clerk.c finds the child, execute.c gives it to verdict.c
 * there. Source of who is told: celery/backends/base.py mark_as_failure, mark_as_revoked. */
#ifndef CELERYC_WORKER_VERDICT_H
#define CELERYC_WORKER_VERDICT_H

#include <jansson.h>
#include <stdbool.h>

enum verdict_follow {
    FOLLOW_NOBODY,
    FOLLOW_CHORD, /* of a revoked task only its chord hears */
    FOLLOW_ALL,   /* chord, later steps of the chain, errbacks */
};

struct verdict {           /* borrowed, but where it is said otherwise */
    const char *state;     /* "FAILURE", "REVOKED", "RETRY"; NULL: no verdict, a task that is to be run */
    json_t *exception;     /* {"exc_type", "exc_message", "exc_module"}; NULL for a RETRY without a reason */
    const char *traceback; /* or NULL */
    bool store;            /* whether the state is stored */
    enum verdict_follow follow;
};

#endif
