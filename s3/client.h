/* A client of one S3 service (AWS, versitygw, MinIO, ...): where it is, who we are, how long we try.
 *
 * One client serves a whole process: a thread of its own drives all of its transfers over one set of kept
 * connections (HTTP/1.1, curl multi), and any number of threads may call the functions of this folder with
 * the same client at the same time; each call blocks only its caller. A handle (reader, upload) belongs to
 * one thread at a time.
 *
 * Fork: the thread does not survive fork(2). Make the client after the fork, in the process that uses it; a
 * client that was made before may only be left alone in the child.
 *
 * Errors: ERROR_NOT_FOUND (NoSuchKey, NoSuchBucket, ...), ERROR_DENIED (AccessDenied, InvalidAccessKeyId,
 * SignatureDoesNotMatch, a certificate that is not trusted), ERROR_UNAVAILABLE (no connection, 5xx, SlowDown,
 * after all retries), ERROR_TIMEOUT (no byte for too long, after all retries), ERROR_CHANGED (412, or the
 * object is another one than it was), ERROR_CANCELLED, ERROR_PROTOCOL (an answer that is not S3's),
 * ERROR_INVALID, ERROR_LIMIT. The sentence names method, bucket and key and quotes S3's own code and message;
 * never a key, a signature or a token.
 *
 * Retries: connect errors, timeouts, broken or truncated bodies, 400 RequestTimeout, 403 RequestTimeTooSkewed
 * (once, with the server's clock), 429, 500, 502, 503, 504 are tried again after a random wait that doubles,
 * for `retry_time` seconds after the last progress. Nothing else is. A wrong region is corrected once, from
 * what the server names. */
#ifndef S3_CLIENT_H
#define S3_CLIENT_H

#include "common/error.h"

struct s3_client;

enum s3_style {
    S3_STYLE_AUTO,    /* path when `endpoint` is set, else virtual host */
    S3_STYLE_PATH,    /* http://endpoint/bucket/key */
    S3_STYLE_VIRTUAL, /* http://bucket.endpoint/key */
};

/* Zero and NULL mean the default everywhere. The strings are copied by s3_client_new(). */
struct s3_settings {
    const char *endpoint;   /* "http[s]://host[:port]"; default https://s3.<region>.amazonaws.com */
    const char *region;     /* default us-east-1 */
    const char *access_key; /* NULL: requests are not signed (public buckets) */
    const char *secret_key;
    const char *session_token; /* of temporary credentials */
    enum s3_style style;
    const char *ca_file; /* PEM file of trusted authorities instead of the system's; TLS is always verified */
    bool sign_payload;   /* sign uploads by their SHA-256 even where a CRC-32C goes with them; see upload.h */
    double connect_timeout; /* seconds to connect; default 5 */
    double stall_timeout;   /* seconds without a byte after which a transfer counts as broken; default 20 */
    double retry_time;      /* seconds of failures in a row after which we give up; default 60 */
    unsigned connections;   /* most transfers at once: of each set of readers, and of all else; default 384 */

    /* Asked at least every 100 ms while a call waits, in the thread that waits; true ends the call with
     * ERROR_CANCELLED. May be NULL. Must be safe in every thread that uses the client. */
    bool (*cancelled)(void *context);
    void *cancel_context;
};

/* Starts the client's thread; connects to nothing yet. NULL: ERROR_INVALID, ERROR_MEMORY, ERROR_SYSTEM. */
struct s3_client *s3_client_new(const struct s3_settings *settings, struct error *error);

/* Ends the thread and closes the connections. All readers, sets and uploads must be gone. NULL is allowed. */
void s3_client_free(struct s3_client *client);

/* How many requests were sent and how many of them were repetitions, so far. For logs and tests. */
struct s3_client_counts {
    unsigned long requests, retries;
};
void s3_client_count(struct s3_client *client, struct s3_client_counts *counts);

#endif
