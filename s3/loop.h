/* The client's thread: it runs all requests as curl transfers over epoll, with their waits and repetitions.
 *
 * Requests come in by s3_loop_submit() from any thread and end with their `finished` hook in the loop's
 * thread. Of each group at most its limit runs at once, the others wait in line; requests without a group are
 * one of `connections`. Internal to s3/. */
#ifndef S3_LOOP_H
#define S3_LOOP_H

#include "common/error.h"
#include "s3/poll.h"

#include <pthread.h>

struct s3_client;
struct s3_request;

/* Requests with a limit of their own. Fields are the loop's; the limit is set before the first request. */
struct s3_group {
    unsigned limit;
    unsigned running;
    struct s3_request *first, *last; /* in line */
    struct s3_group *next;           /* in the loop's list of groups that have someone in line */
    bool listed;
};

struct s3_loop {
    struct s3_client *client;
    pthread_t thread;
    struct s3_poll poll;
    struct s3_group own;
    struct s3_group *groups;
    struct s3_request *running_first, *waiting_first;
    unsigned unstarted; /* requests that are counted as running, but whose transfer could not be made */
    unsigned seed;

    pthread_mutex_t mutex; /* of what follows, and of requests' `active`, `commands`, `done` */
    struct s3_request *command_first, *command_last;
    bool stopping;
    unsigned long requests, retries;
    double clock_offset; /* seconds that the server's clock is ahead of ours */
};

bool s3_loop_start(struct s3_loop *loop, struct s3_client *client, unsigned connections, struct error *error);
/* No request may be active. */
void s3_loop_stop(struct s3_loop *loop);

/* ---- from any thread ---- */
void s3_loop_submit(struct s3_loop *loop, struct s3_request *request);
void s3_loop_resume(struct s3_loop *loop, struct s3_request *request); /* there is room again */
void s3_loop_hurry(struct s3_loop *loop,
                   struct s3_request *request); /* to the front of the line: someone waits for it */
/* It ends soon with ERROR_CANCELLED, unless it has ended already; `finished` is called in any case. */
void s3_loop_cancel(struct s3_loop *loop, struct s3_request *request);

double s3_loop_clock(struct s3_loop *loop); /* the server's time as far as it is known, seconds since 1970 */

#endif
