#include "worker/merge_s3_files.h"

#include "common/clock.h"
#include "common/log.h"
#include "merge/file.h"
#include "merge/merge.h"
#include "s3/object.h"
#include "schemas/date_range.h"
#include "worker/cancellation.h"
#include "worker/failures.h"
#include "worker/object_sink.h"
#include "worker/object_source.h"
#include "worker/plan.h"
#include "worker/progress.h"
#include "worker/settings.h"
#include "worker/termination.h"

#include <stdlib.h>

const char *const merge_s3_files_parameters[] = {"start_date", "end_date", NULL};

/* The readers of S3 have windows of their own: those of the merge need not be large. */
#define MERGE_WINDOW ((size_t)16 << 10)

/* One run of the task, from its arguments to its result. */
struct run {
    struct celery_task *task;
    const struct worker_settings *settings;
    struct date_range range;
    double began;
    struct s3_client *client;
    struct plan plan;
    struct object_sources *sources;
    struct object_sink *sink;
    struct merge_storage *storage;
    struct progress progress;
    struct merge_counters counters;
    struct error error;
    enum failure_step step; /* what was being done when `error` came */
};

/* Asked by threads that wait for S3. */
static bool must_stop(void *context)
{
    const struct run *run = context;
    return termination_came() || celery_should_stop(run->task);
}

static bool cancelled(struct run *run)
{
    const char *url = run->settings->job_store;
    if (url == NULL)
        url = celery_task_result_backend(run->task);
    if (url == NULL)
        return false;
    if (!cancellation_was_asked(url, celery_task_id(run->task)))
        return false;
    error_set(&run->error, ERROR_CANCELLED, "the merge was cancelled");
    return true;
}

static bool plan(struct run *run)
{
    struct s3_settings s3 = worker_s3_settings(run->settings);
    s3.cancelled = must_stop;
    s3.cancel_context = run;
    run->step = FAILURE_PLANNING;
    run->client = s3_client_new(&s3, &run->error);
    if (run->client == NULL)
        return false;
    return plan_make(&run->plan, run->client, run->settings->source_bucket, &run->range,
                     (size_t)run->settings->maximum_files, &run->error);
}

static bool open_all(struct run *run)
{
    const struct worker_settings *settings = run->settings;
    struct object_sources_options options = {.bucket = settings->source_bucket,
                                             .read_ahead = settings->read_ahead,
                                             .fan_in = merge_fan_in(settings->memory),
                                             .connections = (unsigned)settings->s3_connections};
    run->step = FAILURE_WRITING;
    run->sink = object_sink_new(run->client, settings->merged_bucket, celery_task_id(run->task), &run->error);
    if (run->sink == NULL)
        return false;
    run->step = FAILURE_READING;
    run->sources = object_sources_new(run->client, &run->plan, &options, &run->error);
    run->storage = file_storage_new(NULL, &run->error);
    return run->sources != NULL && run->storage != NULL;
}

static bool merge(struct run *run)
{
    struct merge_options options = {.memory = run->settings->memory,
                                    .window = MERGE_WINDOW,
                                    .memory_limit = run->settings->memory_limit,
                                    .line_limit = run->settings->line_limit,
                                    .proceed = progress_proceed,
                                    .context = &run->progress,
                                    .storage = run->storage};
    progress_begin(&run->progress, run->task, &run->plan);
    if (merge_run(object_sources_list(run->sources), run->plan.count, object_sink_base(run->sink), &options,
                  &run->counters, &run->error))
        return true;
    if (object_sink_failed(run->sink))
        run->step = FAILURE_WRITING;
    return false;
}

/* Whoever cancels leaves the tombstone and then deletes the object. So the tombstone is looked for before the
 * object is made, and once more after: whoever left it between may have found no object yet. */
static bool finish(struct run *run)
{
    struct s3_version version;
    struct error ignored;
    run->step = FAILURE_WRITING;
    if (cancelled(run))
        return false;
    bool made = object_sink_finish(run->sink, &version, &run->error);
    if (!cancelled(run))
        return made;
    (void)s3_delete(run->client, run->settings->merged_bucket, celery_task_id(run->task), &ignored);
    return false;
}

static json_t *describe(const struct run *run)
{
    double seconds = clock_monotonic() - run->began;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:f}", "bucket", run->settings->merged_bucket,
                     "key", celery_task_id(run->task), "bytes", (json_int_t)run->counters.bytes_written,
                     "lines", (json_int_t)run->counters.lines, "files_total", (json_int_t)run->plan.count,
                     "files_ignored", (json_int_t)run->plan.ignored, "start_date", run->range.start.text,
                     "end_date", run->range.end.text, "seconds", seconds);
}

/* Ends a run that did not come to its end: by its error, or, when it was told to stop, by why. */
static json_t *fail(const struct run *run)
{
    struct celery_task *task = run->task;
    if (run->error.code == ERROR_CANCELLED && celery_soft_time_limit_passed(task))
        return celery_fail(task, "celery.exceptions.SoftTimeLimitExceeded", "the merge took too long");
    return celery_fail(task, failure_type(run->step, run->error.code), "%s", run->error.message);
}

static void clear(struct run *run)
{
    object_sources_free(run->sources);
    object_sink_free(run->sink);
    file_storage_free(run->storage);
    plan_clear(&run->plan);
    s3_client_free(run->client);
}

json_t *merge_s3_files(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *start, *end;
    struct run run = {.task = task, .settings = worker_settings(), .began = clock_monotonic()};
    if (!celery_args(task, args, kwargs, "start_date:s end_date:s", &start, &end))
        return NULL;
    if (!date_range_parse(start, end, 0, &run.range, &run.error))
        return celery_fail(task, "ValueError", "%s", run.error.message);

    termination_catch();
    bool ok = !cancelled(&run) && plan(&run) && open_all(&run) && merge(&run) && finish(&run);
    json_t *result = ok ? describe(&run) : fail(&run);
    if (ok)
        celery_log(task, LOG_INFO, "merged %zu files, %llu bytes, from %s to %s, in %.2f s; %zu keys ignored",
                   run.plan.count, (unsigned long long)run.counters.bytes_written, run.range.start.text,
                   run.range.end.text, clock_monotonic() - run.began, run.plan.ignored);
    clear(&run);
    termination_obey();
    return result;
}
