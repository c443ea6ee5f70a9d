/* A request: one delivery on its way through the worker's parent process, from receive to settle.
 *
 * The parent's event loop owns all requests; they are never touched by another thread. A request is in
 * exactly one state; settle.c frees it when its fate is stored and it is acknowledged, rejected or given
 * back. */
#ifndef CELERYC_WORKER_REQUEST_H
#define CELERYC_WORKER_REQUEST_H

#include "celeryc/include/celeryc/task.h"
#include "celeryc/message/properties.h"

#include <stdint.h>

struct task_message; /* celeryc/message/task_message.h */
struct worker;       /* worker.h */
struct hold;         /* admit.c */
struct lease;
struct course; /* fate.c */
struct verdict;
struct setback; /* setback.h */

enum request_state {
    REQUEST_WAITING,  /* received; held for an ETA, a rate limit, a lease */
    REQUEST_READY,    /* to be handed to a child as soon as one is free */
    REQUEST_HANDED,   /* in a child's hands, not known to be started; may be taken back */
    REQUEST_RUNNING,  /* the child says that it runs */
    REQUEST_SETTLING, /* ended; its result is being stored or its retry published by the parent */
    REQUEST_DONE,     /* settled */
};

struct request {
    struct worker *worker;               /* whose parent process it is in */
    struct request *next, *previous;     /* links of the list of its state (requests.h) */
    struct request *same_hash;           /* the next in the table's bucket */
    struct request_list *list;           /* the list it is in */
    char *id;                            /* the task's id; owned */
    char *queue;                         /* that it was taken from; owned, NULL: not known */
    const struct celery_task_type *type; /* NULL only for an unknown task on its way to its failure */
    struct wire_message wire;            /* as it came: headers parsed, body raw */
    struct task_message *message;        /* what the headers say; owned */
    uint32_t epoch;                      /* delivery: see consumer.h; changed by adoption */
    uint64_t tag;
    bool redelivered;
    bool acknowledged; /* no longer the broker's: acked, rejected or lost with its epoch */
    enum request_state state;
    double received; /* clock_wall() */
    double started;  /* clock_wall() when the child began; 0 before */
    double started_monotonic;
    double eta;                         /* clock_wall(), 0 none */
    double expires;                     /* clock_wall(), 0 none */
    double time_limit, soft_time_limit; /* seconds, effective (message over type over worker); 0 none */
    pid_t pid;                          /* of the child that has it; 0 */
    void *slot;                         /* the pool's: the child that has it; NULL */
    uint32_t serial;                    /* the pool's: which of the child's entries it is */
    int terminate_signal;               /* revoked with terminate: the signal; 0 */
    int lost_runs;                      /* how often a worker was lost while it ran this; told to the task */
    bool adopted;                       /* its delivery was lost once and came again */
    struct hold *hold;                  /* admit's: the timer or rate limit that it waits for; NULL none */
    struct lease *lease;                /* admit's: what it holds or waits for (results/lease.h); NULL none */
    struct course *course;              /* fate's: its end, under way; NULL none */
    const struct verdict *verdict;      /* fate's: what the pool is to tell of it; NULL: it is to be run */
    struct setback *setback;            /* the pause before it runs again; NULL none */
};

#endif
