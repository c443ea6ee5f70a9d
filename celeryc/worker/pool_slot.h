/* The pool from inside: its children as the parent sees them. Files: pool.c (the public face: submitting,
 * resizing, describing), pool_place.c (which child gets what), pool_clerk.c (the child that runs no tasks),
 * pool_slot.c (a child's birth, end and signals), pool_exchange.c (bytes to and from a child), pool_watch.c
 * (the tick: time limits, stalls). */
#ifndef CELERYC_WORKER_POOL_SLOT_H
#define CELERYC_WORKER_POOL_SLOT_H

#include "celeryc/worker/fork_server.h"
#include "celeryc/worker/page.h"
#include "celeryc/worker/pool.h"
#include "celeryc/worker/pool_report.h"
#include "common/bytes.h"

#define POOL_CHILDREN_MOST 512
#define POOL_DEPTH 64      /* requests in one child's hands at most */
#define POOL_BACKLOG 0.005 /* seconds of work that may wait in a child's hands behind what it runs */
#define POOL_TICK 0.05     /* seconds between two looks at limits and stalls */
#define POOL_STALL 0.05    /* seconds without an end after which what waits behind is taken back */
#define POOL_DEAF 5.0      /* seconds after which an only request is taken back that was never begun */
#define POOL_LARGE ((size_t)1 << 20) /* bytes on their way to a child, beyond which it gets nothing more */
#define POOL_KILL_AFTER 10.0         /* seconds that a child may survive a signal, or its dismissal */
#define POOL_CLERK_IDLE 5.0          /* seconds after which a clerk with nothing to tell is dismissed */

enum slot_state {
    SLOT_STARTING, /* asked for; gets nothing yet */
    SLOT_READY,
    SLOT_ENDING, /* dismissed: gets nothing more, ends when it has done what it has */
};

struct held {                /* a request in the child's hands */
    struct request *request; /* NULL: free, or taken back */
    double cost;             /* what it was expected to take, seconds */
    bool slow;               /* its type was not known to be short */
    bool condemned;
    enum loss_reason reason; /* when condemned */
};

struct slot {
    struct pool *pool;
    uint32_t id; /* the fork server's number for it; never used again */
    enum slot_state state;
    bool clerk; /* it runs no tasks */
    pid_t pid;  /* 0: not known yet */
    int socket;
    struct page *page;
    struct bytes in, out;
    ev_io reader, writer;
    bool broken; /* it sent nonsense, or its socket broke: it is being killed */
    bool deaf;   /* it let a request lie that it might have begun, and has not said a word since */
    bool shut;   /* its end of the socket was told that nothing more comes */
    struct held held[PAGE_ENTRIES]; /* by serial */
    uint32_t first, next;           /* serials: the oldest that may be held, and the next to be given */
    size_t count, slow;             /* held requests, and slow ones among them */
    double backlog;                 /* sum of their costs */
    double progress;                /* clock_monotonic() when it last began from empty, or ended one */
    unsigned long given;            /* requests that it was given and kept */
    unsigned long finished;
    int signal;     /* to be sent to its process group: 0 none */
    double kill_at; /* clock_monotonic() when SIGKILL follows; 0 none */
};

struct request_line { /* in order; grows as it must */
    struct request **requests;
    size_t count, capacity;
};

struct pool {
    struct pool_options options;
    size_t types;
    double *runtimes;    /* of each type: about how long it runs, seconds; < 0 unknown */
    bool last_was_short; /* the type submitted last */
    struct fork_server *server;
    struct ev_loop *loop;
    struct pool_events events;
    void *context;
    ev_io forks;
    ev_timer tick;
    int target; /* children wanted */
    struct slot *slots[2 * POOL_CHILDREN_MOST];
    size_t count;
    uint32_t last_id;
    struct request_line waiting;  /* submitted, no child has it */
    struct request_line verdicts; /* to be told, no clerk has it */
    bool closed, broken;
    int failed_births;    /* children in a row that ended before they were ready */
    double next_birth;    /* clock_monotonic() before which none is started; 0 none */
    bool reading;         /* inside the handling of what came: `room` is called once at its end */
    unsigned long handed; /* requests ever written to a child */
};

/* ---- pool_slot.c ---- */
void pool_populate(struct pool *pool); /* starts children until there are as many as wanted */
void pool_fork_ready(struct ev_loop *loop, ev_io *watcher, int events);
void slot_dismiss(struct slot *slot); /* takes back what it has not begun; it ends after the rest */
void slot_break(struct slot *slot, const char *why); /* kills a child that cannot be talked to */
void slot_signal(struct slot *slot,
                 int signal);      /* to its process group; at the next tick when that fails now */
void slot_free(struct slot *slot); /* frees without a word to anybody */
void pool_fall(struct pool *pool, const char *why); /* the fork server is gone */

/* ---- pool_exchange.c ---- */
void slot_write(struct slot *slot); /* what is there, as far as the socket takes it */
void slot_read(struct slot *slot);  /* everything that is there now; reports are handled */
void slot_readable(struct ev_loop *loop, ev_io *watcher, int events);
void slot_writable(struct ev_loop *loop, ev_io *watcher, int events);
/* Tells of the start of a held request, once. `wall` is when, clock_wall(). */
void slot_note_started(struct slot *slot, uint32_t serial, double wall);
double slot_claimed_wall(const struct slot *slot,
                         uint32_t serial); /* clock_wall() of the claim, by the page */

/* ---- pool_place.c ---- */
size_t slot_room(const struct slot *slot);
bool pool_hand(struct pool *pool,
               struct request *request);   /* to the best child; false: none can take it now */
void pool_hand_waiting(struct pool *pool); /* as many as there is room for, in order */
bool pool_wait(struct pool *pool, struct request *request, bool first); /* into its line */
void line_drop(struct request_line *line, size_t count);                /* as many from the front */
bool slot_put(
    struct slot *slot, struct request *request, double cost, bool slow,
    struct error *error); /* into the child's hands; false: it cannot be written, whatever the child */
struct request *slot_release(struct slot *slot,
                             uint32_t serial); /* out of the child's hands; NULL: it is not there */
size_t slot_take_back(struct slot *slot); /* what it has not begun goes to the front of the waiting list */
void pool_note_runtime(struct pool *pool, const struct celery_task_type *type, double runtime);

/* ---- pool_clerk.c ---- */
bool pool_wants_clerk(const struct pool *pool); /* there is something to tell, and nobody to do it */
void pool_hand_verdicts(struct pool *pool);     /* to the clerk when it is free */
void pool_dismiss_clerk(struct pool *pool);     /* one that has nothing to do, and will have nothing soon */
void pool_return_verdicts(struct pool *pool);   /* all that wait: there will be no clerk */

/* ---- pool_watch.c ---- */
void pool_tick(struct ev_loop *loop, ev_timer *watcher, int events);
bool slot_condemn(struct slot *slot, uint32_t serial, enum loss_reason reason,
                  int signal); /* false: it does not run */

#endif
