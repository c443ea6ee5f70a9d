/* The first step of a merge: which objects are in the range of dates.
 *
 * Log files are named YYYY-MM-DD_N: a day that exists, N one or more decimal digits. Keys of that form
 * between both dates (inclusive) are the inputs; any other key that lies between them in the bucket is
 * ignored, and counted. Since such names sort by date, only one run of the bucket's keys is listed. */
#ifndef WORKER_PLAN_H
#define WORKER_PLAN_H

#include "s3/object.h"
#include "schemas/date_range.h"

struct plan_file {
    char *name;      /* "bucket/key", for error sentences; owned by the plan */
    const char *key; /* within name */
    struct s3_version version;
};

struct plan {
    struct plan_file *files; /* in the order of their keys */
    size_t count;
    size_t capacity;
    size_t ignored;
    uint64_t bytes; /* of all files together */
};

/* Lists `bucket`. ERROR_LIMIT when the range has more than `maximum` files; otherwise the errors of
 * s3/list.h. End with plan_clear() in any case. */
bool plan_make(struct plan *plan, struct s3_client *client, const char *bucket,
               const struct date_range *range, size_t maximum, struct error *error);
void plan_clear(struct plan *plan);

/* Whether the key is a log file's name, and its day. Pure. */
bool plan_is_log(const char *key, struct date *date);

#endif
