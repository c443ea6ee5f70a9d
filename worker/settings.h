/* The settings of logmerge-worker beside those that every Celery worker has (celeryc/worker/options.h): where
 * the objects are and how much memory a merge may take. One table that --help and the parser share. Text
 * points into argv or the environment. */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include "common/setting.h"
#include "s3/settings.h"

struct worker_settings {
    struct s3_options s3;
    double s3_retry_time; /* seconds that S3 may be away before a merge fails */
    long s3_connections;  /* most transfers at once of a merge */
    const char *source_bucket;
    const char *merged_bucket;
    const char *job_store; /* the Redis with the API's tombstones; NULL: that of the results */
    size_t read_ahead;     /* bytes of all objects together that are fetched before they are merged */
    size_t memory;         /* bytes of all merge windows together */
    size_t memory_limit;   /* the same when lines are long */
    size_t line_limit;     /* bytes of the longest line */
    long maximum_files;
};

/* The table, ended by an entry without a name; filled by celery_worker_main(). */
extern const struct setting worker_settings_table[];

/* What the table filled. Valid from celery_worker_main()'s `prepare` on; children inherit it. */
const struct worker_settings *worker_settings(void);

/* Checks what the table cannot. ERROR_INVALID names the setting. */
bool worker_settings_check(struct error *error);

/* What of it concerns the S3 client. */
struct s3_settings worker_s3_settings(const struct worker_settings *settings);

#endif
