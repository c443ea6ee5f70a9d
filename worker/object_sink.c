#include "worker/object_sink.h"

#include "common/log.h"
#include "s3/bucket.h"
#include "s3/multipart.h"
#include "s3/upload.h"

#include <stdlib.h>

/* Text, though of no known encoding: lines are any bytes. */
#define CONTENT_TYPE "text/plain; charset=utf-8"

/* Later than any upload began, whatever the server's clock says. */
#define ALL_UPLOADS 1e11

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

struct object_sink *object_sink_new(struct s3_client *client, const char *bucket, const char *key,
                                    struct error *error)
{
    if (!ensure_bucket(client, bucket, error))
        return NULL;
    unsigned aborted = 0;
    if (!s3_multipart_sweep(client, bucket, key, ALL_UPLOADS, &aborted, error))
        return NULL;
    if (aborted > 0)
        log_write(LOG_INFO, key, "aborted %u unfinished uploads of an earlier run", aborted);
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
