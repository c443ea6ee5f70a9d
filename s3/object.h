/* Whole objects: what S3 says about one, put, delete, and small reads into memory.
 * Threads, errors, retries: client.h. */
#ifndef S3_OBJECT_H
#define S3_OBJECT_H

#include "common/bytes.h"
#include "s3/client.h"

#include <stddef.h>
#include <stdint.h>

#define S3_KEY_LIMIT 1024 /* bytes of a key, as S3 has it */
#define S3_ETAG_SIZE 136  /* with its quotes and a NUL; a longer one counts as none */
#define S3_TYPE_SIZE 128

/* One version of an object. Two are the same when their ETags are equal, or, where one has none (files
 * dropped into a gateway's folder), size and modified are. */
struct s3_version {
    uint64_t size;
    int64_t modified;        /* Last-Modified, seconds since 1970 UTC; 0: unknown */
    char etag[S3_ETAG_SIZE]; /* with quotes, as the server wrote it; "" when there is none */
};

struct s3_head {
    struct s3_version version;
    char content_type[S3_TYPE_SIZE]; /* "" when the server says none */
};

/* HEAD. ERROR_NOT_FOUND when there is no such object (or bucket). */
bool s3_head(struct s3_client *client, const char *bucket, const char *key, struct s3_head *head,
             struct error *error);

/* GET of `size` bytes from `offset` on, appended to `into`; less where the object ends before. `version` as
 * HEAD or LIST said, to get ERROR_CHANGED when the object is another one by now; NULL: any. `size` at most 64
 * MiB. */
bool s3_get(struct s3_client *client, const char *bucket, const char *key, const struct s3_version *version,
            uint64_t offset, size_t size, struct bytes *into, struct error *error);

/* PUT of bytes that fit into memory (at most 5 GiB, S3's limit), in one request: readers see all of it or
 * nothing. `content_type` may be NULL (application/octet-stream). `version`, when not NULL, gets what was
 * written. */
bool s3_put(struct s3_client *client, const char *bucket, const char *key, const char *content_type,
            const void *data, size_t size, struct s3_version *version, struct error *error);

/* DELETE. An object that is not there counts as deleted, as S3 has it. Not ended by the client's `cancelled`:
 * this is how one cleans up. */
bool s3_delete(struct s3_client *client, const char *bucket, const char *key, struct error *error);

/* Whether both are the same version (see struct s3_version). */
bool s3_version_same(const struct s3_version *left, const struct s3_version *right);

#endif
