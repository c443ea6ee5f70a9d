/* The objects of a bucket in the order of their keys' bytes (ListObjectsV2), a page of at most 1,000 at a
 * time.
 *
 *     struct s3_list_options options = {.start_after = "2019-08-19"};
 *     s3_list(client, "logs", &options, take, plan, error);
 *
 * Threads, errors, retries: client.h. */
#ifndef S3_LIST_H
#define S3_LIST_H

#include "s3/object.h"

struct s3_list_options {
    const char *prefix;      /* only keys that begin with it; NULL: all */
    const char *start_after; /* only keys greater than it, byte by byte; NULL: from the first */
    unsigned page;           /* keys a request, 1 to 1,000; 0: 1,000 */
};

struct s3_entry {
    const char *key; /* borrowed, valid during the call */
    struct s3_version version;
};

enum s3_list_answer {
    S3_LIST_MORE, /* go on */
    S3_LIST_STOP, /* enough: no further page is asked for, s3_list() returns true */
    S3_LIST_FAIL, /* s3_list() returns false with the error that the callback set */
};

/* Calls `each` for every object, in the calling thread, between requests; it may call S3 itself. */
bool s3_list(struct s3_client *client, const char *bucket, const struct s3_list_options *options,
             enum s3_list_answer (*each)(void *context, const struct s3_entry *entry, struct error *error),
             void *context, struct error *error);

#endif
