/* What the asynchronous backend shares with the leases that live on it, inside this room. */
#ifndef CELERYC_RESULTS_ASYNC_H
#define CELERYC_RESULTS_ASYNC_H

#include "celeryc/results/backend_async.h"
#include "celeryc/results/keys.h"
#include "celeryc/results/redis_thread.h"

struct redis_thread *backend_async_thread(struct backend_async *async);
const struct result_keys *backend_async_keys(const struct backend_async *async);
bool backend_async_disabled(const struct backend_async *async);

#endif
