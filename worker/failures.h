/* How merges fail: the exceptions that clients find in the stored result. Names and meanings are a contract
 * with the API (api/job_state.c maps them to problems) and with Python clients; messages are written for the
 * service's user: they name objects, lines and S3's own words, never a secret.
 *
 *     UnsortedInput       an input is not sorted: object, line number, how both lines start
 *     LineTooLong         a line over the limit, or lines that do not fit into memory together: object,
 * offset ObjectChanged       an input was replaced or removed while it was merged TooManyFiles        the
 * range has more files than the worker takes StorageUnavailable  S3 was away, or refused, for longer than
 * --s3-outage StorageDenied       S3 refused access StorageError        S3 failed in another way: no such
 * bucket, an answer that is not S3's, ... MergeCancelled      a tombstone was found (cancellation.h)
 *     ValueError          an argument is not a date, or the range ends before it starts
 *     TypeError           arguments missing, too many, or not text
 *     MemoryError, OSError, SoftTimeLimitExceeded
 */
#ifndef WORKER_FAILURES_H
#define WORKER_FAILURES_H

#include "common/error.h"

enum failure_step {
    FAILURE_PLANNING, /* listing the bucket */
    FAILURE_READING,  /* an input, or the merge itself */
    FAILURE_WRITING,  /* the output */
};

/* The exception's name for an error of a step. Static storage. */
const char *failure_type(enum failure_step step, enum error_code code);

#endif
