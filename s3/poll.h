/* curl's sockets and timers over epoll: what the client's thread sleeps in. It knows nothing of requests: the
 * loop adds transfers to `multi` and takes out those that have ended. All but s3_poll_wake() is for one
 * thread. Internal to s3/. */
#ifndef S3_POLL_H
#define S3_POLL_H

#include "common/error.h"

#include <curl/curl.h>

struct s3_poll {
    CURLM *multi;
    int epoll, wake; /* wake: an eventfd */
    double curl_due; /* when curl wants to be called (clock_monotonic); negative: never */
};

/* `connections`: how many are kept open when they are idle. False (ERROR_SYSTEM, ERROR_MEMORY) leaves nothing
 * behind. */
bool s3_poll_init(struct s3_poll *poll, unsigned connections, struct error *error);

/* All transfers have been taken out. */
void s3_poll_clear(struct s3_poll *poll);

/* Sleeps until a socket is ready, curl or `until` (clock_monotonic, or INFINITY) is due, or someone wakes it;
 * then lets curl do what there is to do. */
void s3_poll_run(struct s3_poll *poll, double until);

/* From any thread: ends the sleep. */
void s3_poll_wake(struct s3_poll *poll);

#endif
