/* The write side of a merge: one object, written by a multipart upload that appears as a whole or not at all.
 *
 * What an earlier run of the same job has left unfinished under the key is aborted first; an object that is
 * not completed is aborted when the sink is freed. Used by one thread. */
#ifndef WORKER_OBJECT_SINK_H
#define WORKER_OBJECT_SINK_H

#include "merge/merge.h"
#include "s3/object.h"

struct object_sink;

/* Makes the bucket when it is not there. The strings are borrowed. */
struct object_sink *object_sink_new(struct s3_client *client, const char *bucket, const char *key,
                                    struct error *error);
void object_sink_free(struct object_sink *sink); /* NULL is allowed */

struct merge_sink *object_sink_base(struct object_sink *sink);

/* Whether a write has failed: then what merge_run() says is S3's error and not one of the inputs. */
bool object_sink_failed(const struct object_sink *sink);

/* Completes the upload; `version` gets what was written. */
bool object_sink_finish(struct object_sink *sink, struct s3_version *version, struct error *error);

#endif
