/* Results for a process that may not wait: the worker's parent. A thread of its own has the connection to
 * Redis; here states are handed to it, and what became of them is taken back, on the caller's thread.
 *
 * States are stored in the order in which they were handed over, pipelined, for as long as it takes: Redis
 * may be away, stopped or full, and each is tried again until its deadline. What is held is bounded in bytes.
 * Made after the fork of whatever forks; one thread (the event loop) owns it. */
#ifndef CELERYC_RESULTS_BACKEND_ASYNC_H
#define CELERYC_RESULTS_BACKEND_ASYNC_H

#include "celeryc/results/backend.h"

struct backend_async;

/* How it ended: `error` is NULL when it is stored (or SUCCESS was there already: `kept`). ERROR_TIMEOUT and
 * ERROR_UNAVAILABLE: the deadline passed; ERROR_DENIED, ERROR_PROTOCOL: the server will not; ERROR_CANCELLED:
 * freed before. Called from backend_async_turn() or backend_async_free(). */
typedef void backend_stored(void *context, bool kept, const struct error *error);

/* `limit`: bytes of states held at most, 0: 64 MiB. Starts the thread; does not connect before there is work.
 */
struct backend_async *backend_async_new(const struct backend_options *options, size_t limit,
                                        struct error *error);
/* Goes on storing for `timeout` seconds at most, then calls back what is left. NULL is allowed. Leases must
 * be released before. */
void backend_async_free(struct backend_async *async, double timeout);

int backend_async_fd(const struct backend_async *async); /* readable when backend_async_turn() has work */
void backend_async_turn(struct backend_async *async);    /* calls back what has ended */

/* Hands a state over (copied). `deadline` on clock_monotonic(), 0: none. `done` may be NULL. False, and no
 * callback: ERROR_LIMIT when full, ERROR_MEMORY, or what task_meta_encode() refuses. Without a result backend
 * it is stored at once in nothing; the callback still comes from the next turn. */
bool backend_async_store(struct backend_async *async, const struct task_meta *meta, double deadline,
                         backend_stored *done, void *context, struct error *error);

size_t backend_async_held(const struct backend_async *async); /* states not called back yet */

#endif
