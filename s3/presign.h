/* Presigned URLs (SigV4 in the query): whoever has one may do that one thing until it expires. No request is
 * made. */
#ifndef S3_PRESIGN_H
#define S3_PRESIGN_H

#include "common/bytes.h"
#include "s3/client.h"

struct s3_presign_options {
    unsigned expires;         /* seconds, 1 to 604,800 (seven days); 0: 3,600 */
    const char *disposition;  /* response-content-disposition of a GET, or NULL */
    const char *content_type; /* response-content-type of a GET, or NULL */
    const char *endpoint; /* as the URL's reader reaches it, when that differs from the client's; or NULL */
};

/* Appends the URL for `method` ("GET", "HEAD", "PUT", "DELETE") to `url`. ERROR_INVALID, ERROR_MEMORY,
 * ERROR_DENIED (without credentials). It holds a signature: do not log it. */
bool s3_presign(struct s3_client *client, const char *method, const char *bucket, const char *key,
                const struct s3_presign_options *options, struct bytes *url, struct error *error);

#endif
