/* A ring of the last so many ids, with a look-up: the oldest falls out when a new one comes. Used for the
 * runs that ended well here, so that a redelivery of one (its acknowledgement was lost with the connection)
 * is not run again, and for the ids that are revoked.
 *
 * An entry is a task id and its number of retries, since a retry keeps the id. Bounded by the number of
 * entries and by the length of ids (MESSAGE_TEXT_MOST). Not thread-safe. */
#ifndef CELERYC_WORKER_IDS_H
#define CELERYC_WORKER_IDS_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct id_ring;

struct id_ring *id_ring_new(size_t capacity, struct error *error); /* capacity at least 1 */
void id_ring_free(struct id_ring *ring);
/* `mark` is kept with it (of runs that ended: the epoch of the delivery; of revoked ids: when, in seconds).
 * When memory is out, nothing is remembered. */
void id_ring_add(struct id_ring *ring, const char *id, int retries, uint32_t mark);
/* `mark` gets the latest one's, unless NULL. */
bool id_ring_has(const struct id_ring *ring, const char *id, int retries, uint32_t *mark);
/* Gives the latest entry of this id another mark; false: there is none. */
bool id_ring_mark(struct id_ring *ring, const char *id, int retries, uint32_t mark);
/* Forgets those whose mark is less than `mark`. */
void id_ring_expire(struct id_ring *ring, uint32_t mark);
void id_ring_forget(struct id_ring *ring, const char *id, int retries); /* all of its entries */
/* Goes through the ids from the oldest on: *at is 0 at first. Borrowed until the next id_ring_add(); NULL at
 * the end. */
const char *id_ring_next(const struct id_ring *ring, size_t *at);

#endif
