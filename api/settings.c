#include "api/settings.h"

#include "common/manual.h"

#include <string.h>

/* The table points at the one struct of the process's settings; api_settings_read() copies it out. */
static struct api_settings read;

static const struct setting table[] = {
    {"address", 'a', "API_ADDRESS", SETTING_TEXT, &read.address, "0.0.0.0", 0, 0, "ADDRESS",
     "Address to listen on, IPv4 or IPv6 (\"::\" for all of both).", false},
    {"port", 'p', "API_PORT", SETTING_INTEGER, &read.port, "6543", 0, 65535, "N",
     "Port to listen on; 0 takes a free one, which the log names.", false},

    {"broker", 'b', "CELERY_BROKER_URL", SETTING_TEXT, &read.broker_url,
     "amqp://guest:guest@localhost:5672//", 0, 0, "URL", "The RabbitMQ that merges are queued in.", true},
    {"result-backend", 0, "CELERY_RESULT_BACKEND", SETTING_TEXT, &read.result_backend,
     "redis://localhost:6379/0", 0, 0, "URL",
     "The Redis that holds Celery's results and the records of the jobs.", true},
    {"queue", 'Q', "CELERY_TASK_DEFAULT_QUEUE", SETTING_TEXT, &read.queue, "celery", 0, 0, "NAME",
     "The queue that merges are sent to.", false},
    {"queue-type", 0, "CELERY_TASK_DEFAULT_QUEUE_TYPE", SETTING_TEXT, &read.queue_type, "classic", 0, 0,
     "TYPE", "How it is declared, classic or quorum, as the workers are told (task_default_queue_type).",
     false},
    {"task", 0, "MERGE_TASK", SETTING_TEXT, &read.task, "merge_s3_files", 0, 0, "NAME",
     "The name of the task that is sent.", false},
    {"task-events", 'E', "CELERY_TASK_SEND_SENT_EVENT", SETTING_FLAG, &read.send_events, "0", 0, 0, NULL,
     "Send a task-sent event for each merge, for Flower and other monitors.", false},

    S3_SETTINGS(read.s3),
    {"source-bucket", 0, "SOURCE_BUCKET", SETTING_TEXT, &read.source_bucket, "logs", 0, 0, "NAME",
     "The bucket with the log files; /readyz looks whether it can be reached.", false},
    {"merged-bucket", 0, "MERGED_BUCKET", SETTING_TEXT, &read.merged_bucket, "merged", 0, 0, "NAME",
     "The bucket with the merged files.", false},

    {"maximum-days", 0, "MAXIMUM_DAYS", SETTING_INTEGER, &read.maximum_days, "3660", 1, 4e6, "N",
     "Days that a range may have, both ends counted.", false},
    {"publish-timeout", 0, "PUBLISH_TIMEOUT", SETTING_SECONDS, &read.publish_timeout, "5", 0.1, 300,
     "SECONDS", "How long POST /initiate waits for the broker before it answers 503.", false},
    {"redis-timeout", 0, "REDIS_TIMEOUT", SETTING_SECONDS, &read.redis_timeout, "5", 0.1, 300, "SECONDS",
     "How long one call to Redis may take before the request is answered 503.", false},
    {"s3-retry-time", 0, "S3_RETRY_TIME", SETTING_SECONDS, &read.s3_retry_time, "3", 0.1, 300, "SECONDS",
     "How long S3 may be away before a download that has not begun is answered 503.", false},
    {"stream-retry-time", 0, "STREAM_RETRY_TIME", SETTING_SECONDS, &read.stream_retry_time, "20", 0.1, 3600,
     "SECONDS", "How long S3 may be away in the middle of a download before the connection is cut.", false},
    {"result-expires", 0, "CELERY_RESULT_EXPIRES", SETTING_SECONDS, &read.result_expires, "86400", 1, 4e8,
     "SECONDS",
     "How long Celery keeps a result, as set in the worker: an older job without one is answered 410.",
     false},
    {"job-retention", 0, "JOB_RETENTION", SETTING_SECONDS, &read.job_retention, "2592000", 1, 4e9, "SECONDS",
     "How long a job is known after it was accepted; later its id is answered 404.", false},
    {"idempotency-retention", 0, "IDEMPOTENCY_RETENTION", SETTING_SECONDS, &read.idempotency_retention,
     "86400", 1, 4e8, "SECONDS", "How long an Idempotency-Key is remembered.", false},

    {"connections", 0, "API_CONNECTIONS", SETTING_INTEGER, &read.connections, "2048", 1, 100000, "N",
     "Connections at once; each has a thread.", false},
    {"connections-per-client", 0, "API_CONNECTIONS_PER_CLIENT", SETTING_INTEGER, &read.connections_per_client,
     "1024", 0, 100000, "N", "Connections at once from one address; 0 for no limit of its own.", false},
    {"connection-timeout", 0, "API_CONNECTION_TIMEOUT", SETTING_SECONDS, &read.connection_timeout, "60", 1,
     86400, "SECONDS", "Seconds without a byte after which a connection is closed.", false},
    {"download-window", 0, "DOWNLOAD_WINDOW", SETTING_SIZE, &read.download_window, "512k", 8192, 1048576,
     "BYTES", "Memory that each download reads ahead into.", false},
    {"shutdown-timeout", 0, "SHUTDOWN_TIMEOUT", SETTING_SECONDS, &read.shutdown_timeout, "30", 0, 86400,
     "SECONDS", "How long requests in flight may take after SIGTERM before they are cut.", false},

    {"log-level", 'l', "LOG_LEVEL", SETTING_TEXT, &read.log_level, "INFO", 0, 0, "LEVEL",
     "DEBUG, INFO, WARNING, ERROR or CRITICAL.", false},
    {"log-json", 0, "LOG_JSON", SETTING_FLAG, &read.log_json, "0", 0, 0, NULL, "Write the log as JSON lines.",
     false},
    {"check", 0, NULL, SETTING_FLAG, &read.check, "0", 0, 0, NULL,
     "Ask the API that runs here whether it is alive, and exit with 0 if so.", false},
    {"help", 'h', NULL, SETTING_FLAG, &read.help, "0", 0, 0, NULL, "Print this and exit.", false},
    {0},
};

bool api_settings_read(struct api_settings *settings, int argc, char **argv, struct error *error)
{
    enum log_level level;
    if (!setting_read(table, argc, argv, NULL, error))
        return false;
    *settings = read;
    if (!log_parse_level(settings->log_level, &level))
        return error_set(error, ERROR_INVALID, "--log-level: there is no level \"%s\"", settings->log_level);
    if (strcmp(settings->queue_type, "classic") != 0 && strcmp(settings->queue_type, "quorum") != 0)
        return error_set(error, ERROR_INVALID, "--queue-type: \"%s\" is not classic or quorum",
                         settings->queue_type);
    return s3_options_check(&settings->s3, error) &&
           s3_options_check_bucket("source-bucket", settings->source_bucket, error) &&
           s3_options_check_bucket("merged-bucket", settings->merged_bucket, error);
}

void api_settings_print(FILE *to)
{
    fprintf(
        to,
        "logmerge-api: the REST API of the log merge service.\n\nOptions [environment variable, default]:\n");
    setting_print(table, to);
}

void api_settings_print_manual(const char *program, const char *version, FILE *to)
{
    static const struct manual_entry signals[] = {
        {"TERM, INT", "Takes no further connection, finishes requests and downloads in flight, for "
                      "--shutdown-timeout seconds at most, and exits with 0.\nOnce more: cuts them."},
        {NULL, NULL},
    };
    static const struct manual_entry exit_codes[] = {
        {"0", "Stopped by a signal; --help; --check: it is alive."},
        {"1", "It could not start; --check: it is not alive."},
        {"2", "An option or variable is wrong."},
        {NULL, NULL},
    };
    const struct manual manual = {
        .program = program,
        .version = version,
        .summary = "REST API of the log merge service",
        .about =
            "Takes requests to merge the log files of a range of days, queues them for Celery workers, tells "
            "how far they are, and streams the merged files from S3 to whoever asks.\n",
        .options = table,
        .signals = signals,
        .exit_codes = exit_codes,
    };
    manual_print(&manual, to);
}
