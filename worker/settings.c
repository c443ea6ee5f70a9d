#include "worker/settings.h"

#include "celeryc/include/celeryc/store.h"

#include <string.h>

static struct worker_settings current;

const struct setting worker_settings_table[] = {
    S3_SETTINGS(current.s3),
    {"s3-outage", 0, "MERGE_S3_OUTAGE", SETTING_SECONDS, &current.s3_retry_time, "300", 0.1, 86400, "SECONDS",
     "How long S3 may be away before a merge fails with StorageUnavailable.", false},
    {"s3-connections", 0, "MERGE_S3_CONNECTIONS", SETTING_INTEGER, &current.s3_connections, "320", 1, 4096,
     "N", "Objects that a merge reads at once, by one request each; of more it fetches piece by piece.",
     false},
    {"source-bucket", 0, "SOURCE_BUCKET", SETTING_TEXT, &current.source_bucket, "logs", 0, 0, "NAME",
     "The bucket with the log files.", false},
    {"merged-bucket", 0, "MERGED_BUCKET", SETTING_TEXT, &current.merged_bucket, "merged", 0, 0, "NAME",
     "The bucket that merged files are written to, made when it is not there.", false},
    {"job-store", 0, "MERGE_JOB_STORE", SETTING_TEXT, &current.job_store, NULL, 0, 0, "URL",
     "The Redis in which the API notes cancelled merges, where it is not that of the results.", true},
    {"read-ahead", 0, "MERGE_READ_AHEAD", SETTING_SIZE, &current.read_ahead, "4M", 65536, 1e12, "BYTES",
     "Memory of a merge for what is fetched ahead from S3; more where there are more files than connections.",
     false},
    {"merge-memory", 0, "MERGE_MEMORY", SETTING_SIZE, &current.memory, "8M", 65536, 1e12, "BYTES",
     "Memory of a merge for the inputs' windows. More inputs than fit are merged in several passes over "
     "temporary files.",
     false},
    {"merge-memory-limit", 0, "MERGE_MEMORY_LIMIT", SETTING_SIZE, &current.memory_limit, "256M", 65536, 1e12,
     "BYTES", "What the windows may grow to for lines that do not fit into them.", false},
    {"line-limit", 0, "MERGE_LINE_LIMIT", SETTING_SIZE, &current.line_limit, "16M", 1, 1e12, "BYTES",
     "The longest line; a longer one fails the merge with LineTooLong.", false},
    {"maximum-files", 0, "MERGE_MAXIMUM_FILES", SETTING_INTEGER, &current.maximum_files, "1000000", 1, 1e8,
     "N", "Files that a range may have; more fail the merge with TooManyFiles.", false},
    {0},
};

const struct worker_settings *worker_settings(void)
{
    return &current;
}

static bool check_job_store(struct error *error)
{
    if (current.job_store == NULL || current.job_store[0] == '\0')
        return true;
    struct celery_store_options options = {.url = current.job_store, .connections = 1};
    struct celery_store *store = celery_store_new(&options, error); /* connects to nothing yet */
    if (store == NULL)
        return error_context(error, "--job-store");
    celery_store_free(store);
    return true;
}

bool worker_settings_check(struct error *error)
{
    if (strcmp(current.source_bucket, current.merged_bucket) == 0)
        return error_set(error, ERROR_INVALID, "--merged-bucket must be another one than --source-bucket");
    return check_job_store(error) && s3_options_check(&current.s3, error) &&
           s3_options_check_bucket("source-bucket", current.source_bucket, error) &&
           s3_options_check_bucket("merged-bucket", current.merged_bucket, error);
}

struct s3_settings worker_s3_settings(const struct worker_settings *settings)
{
    struct s3_settings s3 = s3_options_client(&settings->s3);
    s3.retry_time = settings->s3_retry_time;
    s3.connections = (unsigned)settings->s3_connections + 8;
    return s3;
}
