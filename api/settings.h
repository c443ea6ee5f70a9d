/* The settings of logmerge-api: one table that --help, the parser and docs/api.md share. Environment first,
 * flags over it. Text points into argv or the environment. */
#ifndef API_SETTINGS_H
#define API_SETTINGS_H

#include "common/log.h"
#include "common/setting.h"
#include "s3/settings.h"

#include <stdbool.h>
#include <stddef.h>

struct api_settings {
    const char *address; /* where to listen: an IPv4 or IPv6 address */
    long port;           /* 0: any free one, which the log names */

    const char *broker_url;
    const char *result_backend;
    const char *queue;
    const char *queue_type; /* "classic" or "quorum" */
    const char *task;
    bool send_events;

    struct s3_options s3;
    const char *source_bucket;
    const char *merged_bucket;

    long maximum_days;
    double publish_timeout; /* seconds for the broker's confirm */
    double redis_timeout;   /* seconds for one call */
    double
        s3_retry_time; /* seconds that S3 may be away before a download that has not begun is answered 503 */
    double stream_retry_time; /* the same in the middle of a download */
    double result_expires;    /* as the worker's: after that a job without a result has lost it */
    double job_retention;     /* seconds that a job is known */
    double idempotency_retention;

    long connections;
    long connections_per_client; /* 0: no limit */
    double connection_timeout;   /* seconds without a byte */
    size_t download_window;      /* bytes read ahead for each download */
    double shutdown_timeout;     /* seconds that requests in flight may take after SIGTERM */

    const char *log_level;
    bool log_json;
    bool check; /* see check.h */
    bool help;
};

/* Fills `settings` from the environment and the command line; checks what the table cannot. ERROR_INVALID
 * names the setting. Called once at the start of main. */
bool api_settings_read(struct api_settings *settings, int argc, char **argv, struct error *error);

/* What --help prints. */
void api_settings_print(FILE *to);
/* What --help-man prints, which no table lists: the build makes logmerge-api.1 of it. */
void api_settings_print_manual(const char *program, const char *version, FILE *to);

#endif
