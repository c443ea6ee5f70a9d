#include "s3/bucket.h"

#include "s3/client_state.h"
#include "s3/request.h"
#include "s3/xml.h"

#include <stdio.h>
#include <string.h>

bool s3_bucket_is_valid(const char *bucket)
{
    size_t length = strlen(bucket);
    if (length < 3 || length > 63 || strstr(bucket, "..") != NULL)
        return false;
    if (strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") != length)
        return false;
    return strchr(".-", bucket[0]) == NULL && strchr(".-", bucket[length - 1]) == NULL;
}

bool s3_bucket_head(struct s3_client *client, const char *bucket, struct error *error)
{
    struct s3_request request;
    s3_request_init(&request, "HEAD", bucket, NULL);
    bool ok = s3_request_run(client, &request, error);
    s3_request_clear(&request);
    return ok;
}

/* Ours already: 409 BucketAlreadyOwnedByYou (in us-east-1 AWS answers 200). */
static void allow_own(struct s3_request *request, struct s3_failure *failure, struct error *error)
{
    char code[64] = "";
    const struct bytes *body = &request->response.body;
    if (request->response.status != 409 || body->size == 0)
        return;
    (void)s3_xml_find(body->data, body->size, "Error/Code", code, sizeof code);
    if (strcmp(code, "BucketAlreadyOwnedByYou") == 0) {
        *failure = (struct s3_failure){ERROR_NONE, S3_GIVE_UP};
        return;
    }
    if (strcmp(code, "OperationAborted") == 0) { /* someone else is just making it */
        *failure = (struct s3_failure){ERROR_UNAVAILABLE, S3_TRY_AGAIN};
        error->code = ERROR_UNAVAILABLE;
    }
}

bool s3_bucket_create(struct s3_client *client, const char *bucket, struct error *error)
{
    char region[S3_REGION_SIZE], body[256];
    s3_endpoint_region(&client->endpoint, bucket, region);
    int length = 0;
    if (strcmp(region, "us-east-1") != 0) /* which must not be named */
        length = snprintf(body, sizeof body,
                          "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                          "<LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>",
                          region);
    struct s3_request request;
    s3_request_init(&request, "PUT", bucket, NULL);
    request.body = body;
    request.body_size = (size_t)length;
    request.judge = allow_own;
    bool ok = s3_request_run(client, &request, error);
    s3_request_clear(&request);
    return ok;
}

bool s3_bucket_delete(struct s3_client *client, const char *bucket, struct error *error)
{
    struct s3_request request;
    s3_request_init(&request, "DELETE", bucket, NULL);
    bool ok = s3_request_run(client, &request, error);
    s3_request_clear(&request);
    return ok;
}
