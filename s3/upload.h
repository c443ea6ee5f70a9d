/* Streaming writes: an object of any size up to 5 TiB, in bounded memory; readers see the whole object or
 * none.
 *
 *     struct s3_upload *upload = s3_upload_new(client, "merged", id, &options, error);
 *     while (...)
 *         s3_upload_write(upload, data, size, error);
 *     s3_upload_finish(upload, &version, error);
 *     s3_upload_free(upload);
 *
 * What stays under one part is written by one PUT; more is a multipart upload, several parts in flight while
 * the caller fills the next. An upload that is freed without having been finished is aborted on the server,
 * as is one whose part or completion fails.
 *
 * Sizes of parts: part_size.h. Memory: at most (in_flight + 1) * part_size, or twice the current part where
 * that is more (objects of more than 8 GiB whose size was not told before, or of more than 100 GiB).
 *
 * Every part carries its CRC-32C, which S3 compares and keeps. Where the server knows no such checksum, or
 * with the client's `sign_payload`, its SHA-256 is part of the signature: that also protects from those who
 * could change what goes over plain http, and costs about half of the speed.
 *
 * Threads, errors, retries: client.h; an upload is used by one thread at a time. */
#ifndef S3_UPLOAD_H
#define S3_UPLOAD_H

#include "s3/object.h"

struct s3_upload;

struct s3_upload_options {
    const char *content_type; /* default application/octet-stream */
    size_t part_size;         /* bytes of a part, at least 5 MiB; default 8 MiB */
    uint64_t expected_size;   /* bytes that will be written, as far as one knows; default: not known */
    unsigned in_flight;       /* most parts being sent at once; default 2 */
};

/* Connects to nothing yet. `options` may be NULL. */
struct s3_upload *s3_upload_new(struct s3_client *client, const char *bucket, const char *key,
                                const struct s3_upload_options *options, struct error *error);

/* Takes the bytes (copies them); blocks only while all of the parts that may be in flight are. After a
 * failure every further call fails too. */
bool s3_upload_write(struct s3_upload *upload, const void *data, size_t size, struct error *error);

/* The same without a copy: lends the free room of the part that is being filled (at least one byte), to be
 * written to directly; s3_upload_commit() says how many bytes were. NULL: an error. */
void *s3_upload_borrow(struct s3_upload *upload, size_t *room, struct error *error);
bool s3_upload_commit(struct s3_upload *upload, size_t size, struct error *error);

/* Sends what is left, waits for all parts and makes the object visible. `version`, when not NULL, gets what
 * was written. True also when the answer to the completion was lost but the object is there. */
bool s3_upload_finish(struct s3_upload *upload, struct s3_version *version, struct error *error);

/* Bytes written into it, and bytes that the server has acknowledged, so far. */
uint64_t s3_upload_size(const struct s3_upload *upload);
uint64_t s3_upload_acknowledged(struct s3_upload *upload);

/* Frees it; aborts it on the server when it was begun and not finished (tries for 10 seconds at most, also
 * when cancelled). NULL is allowed. */
void s3_upload_free(struct s3_upload *upload);

#endif
