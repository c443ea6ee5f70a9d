/* One attempt at a request as a curl transfer: signed, set up, its answer's headers read. Internal to s3/. */
#ifndef S3_TRANSFER_H
#define S3_TRANSFER_H

#include "common/bytes.h"

#include <curl/curl.h>

struct s3_client;
struct s3_request;

struct s3_transfer {
    CURL *easy; /* NULL: none runs */
    struct curl_slist *headers;
    struct bytes url;
    size_t sent;          /* bytes of the request's body that curl has taken */
    bool accepted;        /* `accept` was asked */
    struct error refusal; /* why a hook ended it; code ERROR_NONE: none did */
    char reason[CURL_ERROR_SIZE];
};

/* Makes the easy handle; ready to be added to a multi handle. */
bool s3_transfer_start(struct s3_client *client, struct s3_request *request, struct error *error);

/* Frees it (it must no longer be in a multi handle). */
void s3_transfer_end(struct s3_request *request);

#endif
