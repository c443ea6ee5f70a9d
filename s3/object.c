#include "s3/object.h"

#include "s3/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GET_LIMIT ((size_t)64 << 20)
#define PUT_LIMIT ((uint64_t)5 << 30)

bool s3_version_same(const struct s3_version *left, const struct s3_version *right)
{
    if (left->size != right->size)
        return false;
    if (left->etag[0] != '\0' && right->etag[0] != '\0')
        return strcmp(left->etag, right->etag) == 0;
    return left->modified == 0 || right->modified == 0 || left->modified == right->modified;
}

bool s3_head(struct s3_client *client, const char *bucket, const char *key, struct s3_head *head,
             struct error *error)
{
    struct s3_request request;
    s3_request_init(&request, "HEAD", bucket, key);
    bool ok = s3_request_run(client, &request, error);
    if (ok && !request.response.has_length)
        ok = error_set(error, ERROR_PROTOCOL, "HEAD s3://%s/%s: an answer without a length", bucket, key);
    if (ok) {
        head->version = request.response.version;
        (void)snprintf(head->content_type, sizeof head->content_type, "%s", request.response.content_type);
    }
    s3_request_clear(&request);
    return ok;
}

/* What an answer to a range of one version must look like. */
struct expectation {
    const struct s3_version *version;
    uint64_t offset;
    uint64_t end;
};

static bool check_range(const struct s3_request *request, const struct expectation *expected,
                        struct error *error)
{
    const struct s3_response *response = &request->response;
    if (expected->version != NULL && !s3_version_same(expected->version, &response->version))
        return error_set(error, ERROR_CHANGED, "GET s3://%s/%s: the object has changed since it was listed",
                         request->bucket, request->key);
    bool whole = response->status == 200 && expected->offset == 0 && response->version.size <= expected->end;
    bool part = response->status == 206 && response->has_range && response->first == expected->offset &&
                response->last < expected->end;
    if (!whole && !part)
        return error_set(error, ERROR_PROTOCOL,
                         "GET s3://%s/%s: the answer is not the range that was asked for", request->bucket,
                         request->key);
    return true;
}

bool s3_get(struct s3_client *client, const char *bucket, const char *key, const struct s3_version *version,
            uint64_t offset, size_t size, struct bytes *into, struct error *error)
{
    if (size > GET_LIMIT)
        return error_set(error, ERROR_LIMIT, "GET s3://%s/%s: %zu bytes at once are too many", bucket, key,
                         size);
    if (version != NULL && offset >= version->size)
        return true;
    if (size == 0)
        return true;
    struct expectation expected = {version, offset, offset + size};
    char range[64];
    (void)snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, offset, offset + size - 1);
    struct s3_request request;
    s3_request_init(&request, "GET", bucket, key);
    s3_request_header(&request, "range", range);
    if (version != NULL && version->etag[0] != '\0')
        s3_request_header(&request, "if-match", version->etag);
    request.answer_limit = size < S3_ANSWER_LIMIT ? S3_ANSWER_LIMIT : size;
    bool ok = s3_request_run(client, &request, error);
    if (!ok && request.response.status == 416 && version == NULL)
        ok = true; /* the object ends before `offset` */
    else if (ok)
        ok = check_range(&request, &expected, error) &&
             bytes_append(into, request.response.body.data, request.response.body.size, error);
    s3_request_clear(&request);
    return ok;
}

bool s3_put(struct s3_client *client, const char *bucket, const char *key, const char *content_type,
            const void *data, size_t size, struct s3_version *version, struct error *error)
{
    if (size > PUT_LIMIT)
        return error_set(error, ERROR_LIMIT, "PUT s3://%s/%s: more than 5 GiB at once", bucket, key);
    struct s3_request request;
    s3_request_init(&request, "PUT", bucket, key);
    s3_request_header(&request, "content-type",
                      content_type == NULL ? "application/octet-stream" : content_type);
    request.body = data;
    request.body_size = size;
    request.checksum = true;
    bool ok = s3_request_run(client, &request, error);
    if (ok && version != NULL) {
        *version = request.response.version;
        version->size = size;
    }
    s3_request_clear(&request);
    return ok;
}

bool s3_delete(struct s3_client *client, const char *bucket, const char *key, struct error *error)
{
    struct s3_request request;
    s3_request_init(&request, "DELETE", bucket, key);
    request.past_cancel = true;
    bool ok = s3_request_run(client, &request, error);
    s3_request_clear(&request);
    return ok;
}
