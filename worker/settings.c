#include "worker/settings.h"

#include "s3/bucket.h"

#include <stdlib.h>
#include <string.h>

static struct worker_settings current;

const struct setting worker_settings_table[] = {
    {"s3-endpoint", 0, "AWS_ENDPOINT_URL_S3", SETTING_TEXT, &current.s3_endpoint, NULL, 0, 0, "URL",
     "The S3 service; AWS's own of the region where it is not set.", false},
    {"s3-region", 0, "AWS_REGION", SETTING_TEXT, &current.s3_region, "us-east-1", 0, 0, "NAME", "Its region.",
     false},
    {"s3-access-key", 0, "AWS_ACCESS_KEY_ID", SETTING_TEXT, &current.s3_access_key, NULL, 0, 0, "KEY",
     "Access key; without one requests are not signed.", true},
    {"s3-secret-key", 0, "AWS_SECRET_ACCESS_KEY", SETTING_TEXT, &current.s3_secret_key, NULL, 0, 0, "KEY",
     "Secret key.", true},
    {"s3-session-token", 0, "AWS_SESSION_TOKEN", SETTING_TEXT, &current.s3_session_token, NULL, 0, 0, "TOKEN",
     "Token of temporary credentials.", true},
    {"s3-style", 0, "S3_STYLE", SETTING_TEXT, &current.s3_style, "auto", 0, 0, "STYLE",
     "How buckets stand in URLs: path, virtual, or auto (path when there is an endpoint).", false},
    {"s3-ca-file", 0, "AWS_CA_BUNDLE", SETTING_TEXT, &current.s3_ca_file, NULL, 0, 0, "FILE",
     "PEM file of trusted authorities instead of the system's.", false},
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
     "temporary "
     "files.",
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

static bool check_bucket(const char *setting, const char *name, struct error *error)
{
    if (s3_bucket_is_valid(name))
        return true;
    return error_set(error, ERROR_INVALID, "--%s: \"%s\" is not a name that S3 allows for a bucket", setting,
                     name);
}

bool worker_settings_check(struct error *error)
{
    const char *style = current.s3_style;
    if (strcmp(style, "auto") != 0 && strcmp(style, "path") != 0 && strcmp(style, "virtual") != 0)
        return error_set(error, ERROR_INVALID, "--s3-style: \"%s\" is not path, virtual or auto", style);
    if ((current.s3_access_key == NULL) != (current.s3_secret_key == NULL))
        return error_set(error, ERROR_INVALID, "--s3-access-key and --s3-secret-key: set both or neither");
    if (strcmp(current.source_bucket, current.merged_bucket) == 0)
        return error_set(error, ERROR_INVALID, "--merged-bucket must be another one than --source-bucket");
    return check_bucket("source-bucket", current.source_bucket, error) &&
           check_bucket("merged-bucket", current.merged_bucket, error);
}

struct s3_settings worker_s3_settings(const struct worker_settings *settings)
{
    enum s3_style style = S3_STYLE_AUTO;
    if (strcmp(settings->s3_style, "path") == 0)
        style = S3_STYLE_PATH;
    else if (strcmp(settings->s3_style, "virtual") == 0)
        style = S3_STYLE_VIRTUAL;
    return (struct s3_settings){.endpoint = settings->s3_endpoint,
                                .region = settings->s3_region,
                                .access_key = settings->s3_access_key,
                                .secret_key = settings->s3_secret_key,
                                .session_token = settings->s3_session_token,
                                .style = style,
                                .ca_file = settings->s3_ca_file,
                                .retry_time = settings->s3_retry_time,
                                .connections = (unsigned)settings->s3_connections + 8};
}
