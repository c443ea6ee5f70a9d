/* What upload.c and multipart.c share: a part as a request. Internal to s3/. */
#ifndef S3_PART_H
#define S3_PART_H

#include "s3/multipart.h"
#include "s3/request.h"

#define S3_PART_TEXT 12
#define S3_PART_ABORT_TIME 10.0 /* seconds */

/* s3_multipart_create() for parts with CRC-32C; *checksums: whether the server knows it, and wants it with
 * each. */
bool s3_multipart_begin(struct s3_client *client, const char *bucket, const char *key,
                        const char *content_type, char upload_id[S3_UPLOAD_ID_SIZE], bool *checksums,
                        struct error *error);

/* Adds the parameters of part `number`; `text` must live as long as the request. */
void s3_part_prepare(struct s3_request *request, const char *upload_id, unsigned number,
                     char text[S3_PART_TEXT]);

/* Reads the part from the answer. */
bool s3_part_read(const struct s3_request *request, unsigned number, struct s3_part *part,
                  struct error *error);

/* s3_multipart_abort(); `past_cancel`: also when the client is cancelled, and for S3_PART_ABORT_TIME at most.
 */
bool s3_multipart_end(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                      bool past_cancel, struct error *error);

#endif
