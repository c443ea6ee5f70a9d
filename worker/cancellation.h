/* Whether a merge was cancelled. A revoke lives in the memory of the workers that heard it; the API also
 * leaves a tombstone in Redis, logmerge:cancelled:<id>, which outlives them. */
#ifndef WORKER_CANCELLATION_H
#define WORKER_CANCELLATION_H

#include "common/error.h"

/* Looks for the tombstone of a job in the Redis at `url`. When Redis cannot be asked, the answer is no, and a
 * line in the log: a merge that nobody wants is the smaller evil. Waits 10 seconds at most. */
bool cancellation_was_asked(const char *url, const char *id);

#endif
