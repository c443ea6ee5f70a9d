/* A small key-value handle on the Redis that Celery's results are in, for what a program keeps beside them.
 *
 * One struct celery_store per process, with a pool of connections that are made when needed, kept, and made
 * anew after a fault; all functions are thread-safe, each call uses a connection of its own and blocks only
 * its caller. Not fork-safe: make it after the fork. Keys are NUL-terminated, values any bytes.
 * global_keyprefix does not apply.
 *
 * `timeout` is for the whole call in seconds, connecting and waiting for a free connection included (0: 5 s).
 * A call on a kept connection that turns out to be dead is tried once more on a new one. Errors:
 * ERROR_UNAVAILABLE (no connection, or Redis refuses for now: LOADING, READONLY, OOM), ERROR_TIMEOUT,
 * ERROR_DENIED (password), ERROR_PROTOCOL, ERROR_MEMORY. After ERROR_TIMEOUT or ERROR_UNAVAILABLE a write may
 * or may not have happened. */
#ifndef CELERYC_STORE_H
#define CELERYC_STORE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct celery_store;

struct celery_store_options { /* text is copied; zero is the default */
    const char *url;          /* as CELERY_RESULT_BACKEND: redis://user:password@host:port/db; NULL:
                                 redis://localhost:6379/0 */
    size_t connections;       /* most connections at once; further callers wait. Default 32 */
};

struct celery_store *celery_store_new(const struct celery_store_options *options,
                                      struct error *error); /* does not
                                                           connect */
void celery_store_free(struct celery_store *store);         /* no call may be running; NULL is allowed */

bool celery_store_ping(struct celery_store *store, double timeout, struct error *error);

struct celery_value { /* `data` is NUL-terminated behind `size` bytes, freed by the caller; NULL: there is no
                         such key */
    char *data;
    size_t size;
};

/* Reads `count` keys (1 to 16) in one round trip (MGET) into values[0..count-1]. On an error all are NULL. */
bool celery_store_get(struct celery_store *store, const char *const *keys, struct celery_value *values,
                      size_t count, double timeout, struct error *error);

/* Writes one. `expires`: seconds until it goes away (at least 1), 0: never. */
bool celery_store_set(struct celery_store *store, const char *key, const void *value, size_t size,
                      double expires, double timeout, struct error *error);

/* Writes one only where there is none (SET NX), atomically over all clients; `*stored` tells. */
bool celery_store_set_if_absent(struct celery_store *store, const char *key, const void *value, size_t size,
                                double expires, bool *stored, double timeout, struct error *error);

/* Appends one to the list at `key`, which is made where there is none (RPUSH). */
bool celery_store_push(struct celery_store *store, const char *key, const void *value, size_t size,
                       double timeout, struct error *error);

/* Adds one to the number at `key`, 0 where there is none (INCR); `*number`, unless NULL, is what it is then.
 * This and celery_store_push() are never tried a second time, lest they be done twice. */
bool celery_store_increment(struct celery_store *store, const char *key, long long *number, double timeout,
                            struct error *error);

/* Removes one; it need not be there. */
bool celery_store_delete(struct celery_store *store, const char *key, double timeout, struct error *error);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
