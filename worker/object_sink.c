#include "worker/object_sink.h"

#include "common/clock.h"
#include "common/log.h"
#include "s3/bucket.h"
#include "s3/multipart.h"
#include "s3/upload.h"

#include <stdlib.h>

/* Text, though of no known encoding: lines are any bytes. */
#define CONTENT_TYPE "text/plain; charset=utf-8"

/* Later than any upload began, whatever the server's clock says. */
#define ALL_UPLOADS 1e11

/* No merge takes so long: an upload of this age has lost its worker, and the job was never run again.
 * Seconds.
 */
#define STALE (7 * 86400.0)

struct object_sink {
    struct merge_sink sink;
    struct s3_upload *upload;
    bool failed;
};

static bool object_write(struct merge_sink *base, const char *data, size_t size, struct error *error)
{
    struct object_sink *sink = (struct object_sink *)base;
    if (s3_upload_write(sink->upload, data, size, error))
        return true;
    sink->failed = true;
    return false;
}

static bool ensure_bucket(struct s3_client *client, const char *bucket, struct error *error)
{
    if (s3_bucket_head(client, bucket, error))
        return true;
    return error->code == ERROR_NOT_FOUND && s3_bucket_create(client, bucket, error);
}

/* Aborts what earlier runs have left: of this key all, of others what is too old to be alive. Servers that
 * list uploads only by their exact key (MinIO) give nothing for the second. */
static bool sweep(struct s3_client *client, const char *bucket, const char *key, struct error *error)
{
    unsigned aborted = 0, stale = 0;
    struct error ignored = {0};
    if (!s3_multipart_sweep(client, bucket, key, ALL_UPLOADS, &aborted, error))
        return false;
    if (!s3_multipart_sweep(client, bucket, "", clock_wall() - STALE, &stale, &ignored))
        log_write(LOG_WARNING, key, "could not look for stale uploads: %s", ignored.message);
    if (aborted + stale > 0)
        log_write(LOG_INFO, key, "aborted %u unfinished uploads of this job, %u stale ones", aborted, stale);
    return true;
}

struct object_sink *object_sink_new(struct s3_client *client, const char *bucket, const char *key,
                                    struct error *error)
{
    if (!ensure_bucket(client, bucket, error) || !sweep(client, bucket, key, error))
        return NULL;
    struct object_sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory for the upload of %s", key);
        return NULL;
    }
    struct s3_upload_options options = {.content_type = CONTENT_TYPE};
    sink->sink.write = object_write;
    sink->upload = s3_upload_new(client, bucket, key, &options, error);
    if (sink->upload != NULL)
        return sink;
    free(sink);
    return NULL;
}

void object_sink_free(struct object_sink *sink)
{
    if (sink == NULL)
        return;
    s3_upload_free(sink->upload);
    free(sink);
}

struct merge_sink *object_sink_base(struct object_sink *sink)
{
    return &sink->sink;
}

bool object_sink_failed(const struct object_sink *sink)
{
    return sink->failed;
}

bool object_sink_finish(struct object_sink *sink, struct s3_version *version, struct error *error)
{
    return s3_upload_finish(sink->upload, version, error);
}
