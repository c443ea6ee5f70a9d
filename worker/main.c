/* logmerge-worker: a Celery worker whose task merges log files in S3. `logmerge-worker --help` lists its
 * settings. */
#include "celeryc/include/celeryc/worker.h"
#include "worker/merge_s3_files.h"
#include "worker/settings.h"

/* A merge is long, and repeating it is harmless: it is acknowledged when its result is stored, runs again
 * when its process or worker is lost (a few times: it may be the cause), and holds a lease so that no other
 * worker merges the same job beside it. */
#define MERGE_TASK(task_name)                                                                                \
    {                                                                                                        \
        .name = task_name, .run = merge_s3_files, .parameters = merge_s3_files_parameters,                   \
        .acks_late = true, .reject_on_worker_lost = true, .worker_lost_limit = 5, .track_started = true,     \
        .lease = true                                                                                        \
    }

static const struct celery_task_type tasks[] = {
    MERGE_TASK("merge_s3_files"),
    MERGE_TASK("asyncworker.tasks.merge_s3_files"), /* as the Python skeleton calls it */
    {0},
};

static const struct celery_worker_program program = {
    .app = "logmerge",
    .version = LOGMERGE_VERSION,
    .about =
        "Merges sorted log files of a range of dates from one S3 bucket into another, as a Celery worker.\n"
        "Tasks: merge_s3_files(start_date, end_date), also called asyncworker.tasks.merge_s3_files.\n",
    .tasks = tasks,
    .settings = worker_settings_table,
    .prefetch_multiplier = 1, /* merges are long: none shall wait behind another while a worker is idle */
    .prepare = worker_settings_check,
};

int main(int argc, char **argv)
{
    return celery_worker_main(argc, argv, &program);
}
