/* What a client is made of. Internal to s3/; its interface is client.h. */
#ifndef S3_CLIENT_STATE_H
#define S3_CLIENT_STATE_H

#include "s3/client.h"
#include "s3/endpoint.h"
#include "s3/loop.h"
#include "s3/sign.h"

struct s3_client {
    struct s3_endpoint endpoint;
    struct s3_credentials credentials; /* access_key NULL: requests are not signed */
    char *access_key, *secret_key, *session_token, *ca_file;
    double connect_timeout, stall_timeout, retry_time;
    unsigned connections;
    bool sign_payload;
    bool (*cancelled)(void *context);
    void *cancel_context;
    struct s3_loop loop;
};

#define S3_CANCEL_SLICE 0.05 /* seconds between two looks at `cancelled` while a call waits */

/* Whether the caller's `cancelled` says so; fills the error. */
bool s3_client_cancelled(struct s3_client *client, struct error *error);

#endif
