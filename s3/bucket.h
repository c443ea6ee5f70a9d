/* Buckets. Threads, errors, retries: client.h. */
#ifndef S3_BUCKET_H
#define S3_BUCKET_H

#include "s3/client.h"

/* ERROR_NOT_FOUND when there is none, ERROR_DENIED when it is another's. One HEAD: also a cheap check that S3
 * is there. */
bool s3_bucket_head(struct s3_client *client, const char *bucket, struct error *error);

/* Makes it, in the client's region. One that is ours already is no error. */
bool s3_bucket_create(struct s3_client *client, const char *bucket, struct error *error);

/* Removes it; S3 refuses (ERROR_INVALID, BucketNotEmpty) when objects are in it. ERROR_NOT_FOUND when there
 * is none. */
bool s3_bucket_delete(struct s3_client *client, const char *bucket, struct error *error);

/* Whether S3 allows the name: 3 to 63 of a-z 0-9 . - , beginning and ending with a letter or digit. */
bool s3_bucket_is_valid(const char *bucket);

#endif
