/* Multipart uploads step by step, for uploads that several processes share and for cleaning up; upload.h is
 * made of them. Threads, errors, retries: client.h. */
#ifndef S3_MULTIPART_H
#define S3_MULTIPART_H

#include "s3/object.h"

#define S3_UPLOAD_ID_SIZE 1025
#define S3_PART_LIMIT 10000
#define S3_PART_SMALLEST ((size_t)5 << 20) /* every part but the last */

struct s3_part {
    unsigned number; /* 1 to 10,000 */
    uint64_t size;
    char etag[S3_ETAG_SIZE];
    char crc32c[12]; /* base64, "" when the server gave none */
};

/* Begins one whose parts have no checksums of their own, since some may be copies, of which not all servers
 * make them. */
bool s3_multipart_create(struct s3_client *client, const char *bucket, const char *key,
                         const char *content_type, char upload_id[S3_UPLOAD_ID_SIZE], struct error *error);

/* Sends one part (again: the last one of a number counts) and fills `part`. */
bool s3_multipart_put(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                      unsigned number, const void *data, size_t size, struct s3_part *part,
                      struct error *error);

/* Makes a part of a range of another object on the server (UploadPartCopy); `version` as in s3_get(). */
bool s3_multipart_copy(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                       unsigned number, const char *source_bucket, const char *source_key,
                       const struct s3_version *version, uint64_t offset, uint64_t size, struct s3_part *part,
                       struct error *error);

/* The parts that the server has, by number (ListParts, all pages). *parts is to be freed with free(). */
bool s3_multipart_parts(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                        struct s3_part **parts, size_t *count, struct error *error);

/* Makes the object of these parts, in rising order of their numbers. Once begun it is not cancelled: nobody
 * could tell then whether the object was made. ERROR_NOT_FOUND when there is no such upload (any more); but
 * when the object is there with that size and number of parts, the answer to an earlier attempt was lost, and
 * it has succeeded. */
bool s3_multipart_complete(struct s3_client *client, const char *bucket, const char *key,
                           const char *upload_id, const struct s3_part *parts, size_t count,
                           struct s3_version *version, struct error *error);

/* One that is not there counts as aborted. */
bool s3_multipart_abort(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                        struct error *error);

/* Aborts the unfinished uploads under `prefix` (MinIO: an exact key) that were begun before `before` (seconds
 * since 1970, the server's clock), and counts them in *aborted (may be NULL). */
bool s3_multipart_sweep(struct s3_client *client, const char *bucket, const char *prefix, double before,
                        unsigned *aborted, struct error *error);

#endif
