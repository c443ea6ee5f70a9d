/* What a worker keeps from one run to the next (--statedb): the ids that are revoked, and the logical clock.
 * A JSON file of our own form, {"clock": 12, "revoked": ["..."]}; Celery's is a Python pickle, which is never
 * read. */
#ifndef CELERYC_WORKER_STATEDB_H
#define CELERYC_WORKER_STATEDB_H

#include "celeryc/events/clock.h"
#include "celeryc/worker/ids.h"

/* Adds what the file holds. No file is no error; one that is no such file, or larger than 16 MiB, is
 * ERROR_INVALID. */
bool statedb_load(const char *path, struct id_ring *revoked, struct lamport_clock *clock,
                  struct error *error);
/* Replaces the file as a whole: it is the old or the new one, never half of it. */
bool statedb_save(const char *path, const struct id_ring *revoked, struct lamport_clock *clock,
                  struct error *error);

#endif
