/* A pool with real children, without broker and Redis (results are disabled), and a parent that notes what it
 * hears. For the pool's tests; each begins with parent_start() and ends with parent_end(). */
#ifndef TESTS_POOL_PARENT_H
#define TESTS_POOL_PARENT_H

#include "celeryc/worker/pool.h"
#include "common/clock.h"
#include "tests/unit/unit.h"

#include <sys/types.h>

#define PATIENCE 120.0 /* seconds for what comes in milliseconds on an idle machine */

/* The tasks that the children know: parent_add()'s `type`. */
enum { ADD, NAP, SOFT, FAIL, DIE, DAEMON, LEAVE, AGAIN, REFUSE, IGNORE, BIG };

struct seen { /* what became of one request */
    struct request request;
    int started, finished, lost, returned;
    pid_t pid;
    enum run_outcome outcome;
    enum loss_reason reason;
    int status;
    bool requeue, reject;
    char text[512]; /* the result's or the exception's repr */
    int retries;    /* of the retry's message */
    double retry_eta;
};

struct parent {
    struct ev_loop *loop;
    struct fork_server *server;
    struct pool *pool;
    struct seen *all;
    size_t count, submitted, ended;
    bool broken;
};

void parent_start(struct parent *parent, int children, struct pool_options options);

/* One more request; `args` is JSON. It is submitted when there is room. */
struct seen *parent_add(struct parent *parent, int type, const char *args);

/* Turns the loop once, or for a twentieth of a second. */
void parent_turn(struct parent *parent);

/* Turns it until all requests have ended. */
void parent_run(struct parent *parent);

/* Closes the pool and frees everything. */
void parent_end(struct parent *parent);

#define UNTIL(parent, condition)                                                                             \
    do {                                                                                                     \
        double deadline = clock_monotonic() + PATIENCE;                                                      \
        while (!(condition) && clock_monotonic() < deadline)                                                 \
            parent_turn(parent);                                                                             \
        CU_ASSERT(condition);                                                                                \
    } while (0)

#endif
