/* What a merge reports while it runs: the state PROGRESS with
 * {"files_done", "files_total", "bytes_done", "bytes_total", "percent"}, at most twice a second, and its
 * heartbeat: whether it shall go on. */
#ifndef WORKER_PROGRESS_H
#define WORKER_PROGRESS_H

#include "celeryc/include/celeryc/task.h"
#include "merge/merge.h"
#include "worker/plan.h"

#define PROGRESS_INTERVAL 0.5 /* seconds between two reports */

struct progress {
    struct celery_task *task;
    const struct plan *plan;
    double reported; /* clock_monotonic() of the last report */
};

/* Reports once at the beginning: from then on the totals are known. */
void progress_begin(struct progress *progress, struct celery_task *task, const struct plan *plan);

/* A merge_options.proceed, `context` the struct progress. False when the task is to stop: its soft time
 * limit has passed, or it is being terminated. */
bool progress_proceed(void *context, const struct merge_counters *counters);

/* The object that is reported. A new reference. Pure. */
json_t *progress_describe(const struct plan *plan, const struct merge_counters *counters);

#endif
