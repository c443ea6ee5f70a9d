#include "worker/progress.h"

#include "common/clock.h"
#include "worker/termination.h"

#include <math.h>

json_t *progress_describe(const struct plan *plan, const struct merge_counters *counters)
{
    /* More than the plan's bytes are written when last lines had no newline. */
    uint64_t done = counters->bytes_written < plan->bytes ? counters->bytes_written : plan->bytes;
    double percent = plan->bytes == 0 ? 0 : floor(1000.0 * (double)done / (double)plan->bytes) / 10;
    return json_pack("{s:I, s:I, s:I, s:I, s:f}", "files_done", (json_int_t)counters->sources_done,
                     "files_total", (json_int_t)plan->count, "bytes_done", (json_int_t)done, "bytes_total",
                     (json_int_t)plan->bytes, "percent", percent);
}

static void report(struct progress *progress, const struct merge_counters *counters)
{
    json_t *meta = progress_describe(progress->plan, counters);
    if (meta != NULL)
        celery_update_state(progress->task, "PROGRESS", meta);
    progress->reported = clock_monotonic();
}

void progress_begin(struct progress *progress, struct celery_task *task, const struct plan *plan)
{
    *progress = (struct progress){.task = task, .plan = plan};
    report(progress, &(struct merge_counters){0});
}

bool progress_proceed(void *context, const struct merge_counters *counters)
{
    struct progress *progress = context;
    if (termination_came() || celery_should_stop(progress->task))
        return false;
    if (clock_monotonic() - progress->reported >= PROGRESS_INTERVAL)
        report(progress, counters);
    return true;
}
