/* AWS Signature Version 4: what makes a request ours. Pure: values in, text out, no clock, no network.
 * Thread-safe. Source: "AWS Signature Version 4 for API requests" (IAM user guide) and "Authenticating
 * Requests" (S3 API reference); tests/unit/s3/sign_test.c has the examples published there. */
#ifndef S3_SIGN_H
#define S3_SIGN_H

#include "common/bytes.h"

#include <stddef.h>
#include <stdint.h>

#define S3_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define S3_HASH_SIZE 65        /* a SHA-256 in hexadecimal digits and a NUL */
#define S3_SIGN_DATE_SIZE 17   /* 20130524T000000Z and a NUL */
#define S3_SIGN_FIELD_LIMIT 32 /* most headers, and most parameters, of a request */

struct s3_field {
    const char *name;
    const char *value;
};

struct s3_credentials {
    const char *access_key;
    const char *secret_key;
    const char *session_token; /* NULL or "": none */
};

struct s3_signing {
    const char *method;
    const char *path;             /* as it is sent: percent-encoded, from the first slash on */
    const struct s3_field *query; /* not encoded, in any order */
    size_t query_count;
    const struct s3_field
        *headers; /* names in lower case, in any order; all of them are signed; `host` must be there */
    size_t header_count;
    const char *payload; /* the body's SHA-256, or S3_UNSIGNED_PAYLOAD */
    int64_t time;        /* seconds since 1970 */
    const char *region;
    const char *service; /* "s3" */
};

/* The value of the Authorization header, appended. The headers must hold x-amz-date, x-amz-content-sha256
 * and, with a session token, x-amz-security-token: what S3 demands to be signed. */
bool s3_sign_header(const struct s3_signing *signing, const struct s3_credentials *credentials,
                    struct bytes *authorization, struct error *error);

/* The query of a presigned request, appended: the parameters of `signing`, those of SigV4 (with the session
 * token), and the signature. Valid for `expires` seconds from `signing->time` on. */
bool s3_sign_query(const struct s3_signing *signing, const struct s3_credentials *credentials,
                   unsigned expires, struct bytes *query, struct error *error);

/* The parameters encoded and in the order in which they are signed: "a=1&b=". */
bool s3_sign_canonical_query(const struct s3_field *query, size_t count, struct bytes *into,
                             struct error *error);

/* The canonical request (step 1 of SigV4), and the names of its headers ("host;range"). */
bool s3_sign_canonical_request(const struct s3_signing *signing, struct bytes *canonical, struct bytes *names,
                               struct error *error);

void s3_sign_date(int64_t time, char date[S3_SIGN_DATE_SIZE]);

/* SHA-256 in lower-case hexadecimal digits. */
bool s3_hash(const void *data, size_t size, char hash[S3_HASH_SIZE], struct error *error);

#endif
