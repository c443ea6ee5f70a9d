#include "s3/multipart.h"

#include "s3/client_state.h"
#include "s3/encode.h"
#include "s3/outcome.h"
#include "s3/part.h"
#include "s3/request.h"
#include "s3/xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPLETE_PATIENCE                                                                                    \
    6 /* times the stall timeout: the server may put the parts together before it answers */

/* ---- create ---- */

static bool create(struct s3_client *client, const char *bucket, const char *key, const char *content_type,
                   char upload_id[S3_UPLOAD_ID_SIZE], bool *checksums, struct error *error)
{
    struct s3_request request;
    s3_request_init(&request, "POST", bucket, key);
    s3_request_query(&request, "uploads", "");
    s3_request_header(&request, "content-type",
                      content_type == NULL ? "application/octet-stream" : content_type);
    if (*checksums)
        s3_request_header(&request, "x-amz-checksum-algorithm", "CRC32C");
    bool ok = s3_request_run(client, &request, error);
    const struct bytes *body = &request.response.body;
    if (ok && (!s3_xml_find(body->data, body->size, "InitiateMultipartUploadResult/UploadId", upload_id,
                            S3_UPLOAD_ID_SIZE) ||
               upload_id[0] == '\0'))
        ok = error_set(error, ERROR_PROTOCOL, "POST s3://%s/%s: an upload without an id", bucket, key);
    *checksums = ok && strcmp(request.response.checksums, "CRC32C") == 0;
    s3_request_clear(&request);
    return ok;
}

bool s3_multipart_begin(struct s3_client *client, const char *bucket, const char *key,
                        const char *content_type, char upload_id[S3_UPLOAD_ID_SIZE], bool *checksums,
                        struct error *error)
{
    struct error first = {0};
    *checksums = true;
    if (create(client, bucket, key, content_type, upload_id, checksums, &first))
        return true;
    /* Servers that know no such checksum refuse the header with one of several codes. */
    bool refused = first.code == ERROR_INVALID || first.code == ERROR_PROTOCOL;
    if (refused && create(client, bucket, key, content_type, upload_id, checksums, &first))
        return true;
    if (error != NULL)
        *error = first;
    return false;
}

bool s3_multipart_create(struct s3_client *client, const char *bucket, const char *key,
                         const char *content_type, char upload_id[S3_UPLOAD_ID_SIZE], struct error *error)
{
    bool checksums = false;
    return create(client, bucket, key, content_type, upload_id, &checksums, error);
}

/* ---- parts ---- */

void s3_part_prepare(struct s3_request *request, const char *upload_id, unsigned number,
                     char text[S3_PART_TEXT])
{
    (void)snprintf(text, S3_PART_TEXT, "%u", number);
    s3_request_query(request, "partNumber", text);
    s3_request_query(request, "uploadId", upload_id);
}

bool s3_part_read(const struct s3_request *request, unsigned number, struct s3_part *part,
                  struct error *error)
{
    const struct s3_response *response = &request->response;
    *part = (struct s3_part){.number = number, .size = request->body_size};
    if (response->version.etag[0] == '\0')
        return error_set(error, ERROR_PROTOCOL, "PUT s3://%s/%s: part %u without an ETag", request->bucket,
                         request->key, number);
    (void)snprintf(part->etag, sizeof part->etag, "%s", response->version.etag);
    if (strlen(response->crc32c) < sizeof part->crc32c)
        (void)snprintf(part->crc32c, sizeof part->crc32c, "%.11s", response->crc32c);
    return true;
}

bool s3_multipart_put(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                      unsigned number, const void *data, size_t size, struct s3_part *part,
                      struct error *error)
{
    char text[S3_PART_TEXT];
    struct s3_request request;
    s3_request_init(&request, "PUT", bucket, key);
    s3_part_prepare(&request, upload_id, number, text);
    request.body = data;
    request.body_size = size;
    bool ok = s3_request_run(client, &request, error) && s3_part_read(&request, number, part, error);
    s3_request_clear(&request);
    return ok;
}

/* S3 may begin its answer with 200 and find out later that it cannot: then the body is an error. */
static void look_into_success(struct s3_request *request, struct s3_failure *failure, struct error *error)
{
    struct s3_client *client = request->context;
    char code[64], text[640];
    if (failure->code != ERROR_NONE)
        return;
    s3_outcome_quote(client, request, code, text, sizeof text);
    if (code[0] == '\0')
        return;
    *failure = s3_failure_of_answer(500, code);
    (void)error_set(error, failure->code, "%s", text);
}

bool s3_multipart_copy(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                       unsigned number, const char *source_bucket, const char *source_key,
                       const struct s3_version *version, uint64_t offset, uint64_t size, struct s3_part *part,
                       struct error *error)
{
    if (!s3_names_check(source_bucket, source_key, error))
        return false;
    char text[S3_PART_TEXT], range[64];
    struct bytes source = {0};
    struct s3_request request;
    s3_request_init(&request, "PUT", bucket, key);
    s3_part_prepare(&request, upload_id, number, text);
    (void)snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, offset, offset + size - 1);
    bool ok = bytes_append_format(&source, error, "/%s/", source_bucket) &&
              s3_encode(&source, source_key, true, error) && bytes_text(&source) != NULL;
    if (ok) {
        s3_request_header(&request, "x-amz-copy-source", source.data);
        s3_request_header(&request, "x-amz-copy-source-range", range);
        if (version != NULL && version->etag[0] != '\0')
            s3_request_header(&request, "x-amz-copy-source-if-match", version->etag);
        request.judge = look_into_success;
        ok = s3_request_run(client, &request, error);
    }
    const struct bytes *body = &request.response.body;
    *part = (struct s3_part){.number = number, .size = size};
    if (ok && !s3_xml_find(body->data, body->size, "CopyPartResult/ETag", part->etag, sizeof part->etag))
        ok = error_set(error, ERROR_PROTOCOL, "PUT s3://%s/%s: part %u without an ETag", bucket, key, number);
    if (ok)
        (void)s3_xml_find(body->data, body->size, "CopyPartResult/ChecksumCRC32C", part->crc32c,
                          sizeof part->crc32c);
    s3_request_clear(&request);
    bytes_clear(&source);
    return ok;
}

/* ---- complete and abort ---- */

static bool append_escaped(struct bytes *body, const char *text, struct error *error)
{
    for (const char *c = text; *c != '\0'; c++) {
        const char *escape = *c == '&' ? "&amp;" : *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : NULL;
        bool ok = escape == NULL ? bytes_append(body, c, 1, error) : bytes_append_text(body, escape, error);
        if (!ok)
            return false;
    }
    return true;
}

static bool write_parts(const struct s3_part *parts, size_t count, struct bytes *body, struct error *error)
{
    bool ok = bytes_append_text(
        body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", error);
    for (size_t i = 0; ok && i < count; i++) {
        ok = bytes_append_format(body, error, "<Part><PartNumber>%u</PartNumber><ETag>", parts[i].number) &&
             append_escaped(body, parts[i].etag, error) && bytes_append_text(body, "</ETag>", error);
        if (ok && parts[i].crc32c[0] != '\0')
            ok = bytes_append_text(body, "<ChecksumCRC32C>", error) &&
                 append_escaped(body, parts[i].crc32c, error) &&
                 bytes_append_text(body, "</ChecksumCRC32C>", error);
        ok = ok && bytes_append_text(body, "</Part>", error);
    }
    return ok && bytes_append_text(body, "</CompleteMultipartUpload>", error);
}

/* The answer to the completion was lost and its repetition finds no upload: is the object there, and ours?
 * Its ETag has the number of parts behind a hyphen. */
static bool completed_before(struct s3_client *client, const char *bucket, const char *key,
                             const struct s3_part *parts, size_t count, struct s3_version *version)
{
    struct s3_head head;
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    if (!s3_head(client, bucket, key, &head, NULL) || head.version.size != size)
        return false;
    const char *hyphen = strrchr(head.version.etag, '-');
    if (head.version.etag[0] != '\0' && (hyphen == NULL || strtoull(hyphen + 1, NULL, 10) != count))
        return false;
    *version = head.version;
    return true;
}

bool s3_multipart_complete(struct s3_client *client, const char *bucket, const char *key,
                           const char *upload_id, const struct s3_part *parts, size_t count,
                           struct s3_version *version, struct error *error)
{
    struct bytes body = {0};
    struct error failure = {0};
    struct s3_version made = {0};
    struct s3_request request;
    if (s3_client_cancelled(client, error))
        return false;
    s3_request_init(&request, "POST", bucket, key);
    request.past_cancel = true;
    s3_request_query(&request, "uploadId", upload_id);
    s3_request_header(&request, "content-type", "application/xml");
    bool ok = write_parts(parts, count, &body, &failure);
    if (ok) {
        request.body = body.data;
        request.body_size = body.size;
        request.judge = look_into_success;
        request.stall_timeout = COMPLETE_PATIENCE * client->stall_timeout;
        ok = s3_request_run(client, &request, &failure);
    }
    const struct bytes *answer = &request.response.body;
    if (ok)
        (void)s3_xml_find(answer->data, answer->size, "CompleteMultipartUploadResult/ETag", made.etag,
                          sizeof made.etag);
    for (size_t i = 0; i < count; i++)
        made.size += parts[i].size;
    if (!ok && failure.code == ERROR_NOT_FOUND)
        ok = completed_before(client, bucket, key, parts, count, &made);
    if (ok && version != NULL)
        *version = made;
    if (!ok && error != NULL)
        *error = failure;
    s3_request_clear(&request);
    bytes_clear(&body);
    return ok;
}

bool s3_multipart_end(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                      bool past_cancel, struct error *error)
{
    struct error failure = {0};
    struct s3_request request;
    s3_request_init(&request, "DELETE", bucket, key);
    s3_request_query(&request, "uploadId", upload_id);
    request.past_cancel = past_cancel;
    if (past_cancel)
        request.retry_time = S3_PART_ABORT_TIME;
    bool ok = s3_request_run(client, &request, &failure);
    if (!ok && failure.code == ERROR_NOT_FOUND)
        ok = true;
    else if (!ok && error != NULL)
        *error = failure;
    s3_request_clear(&request);
    return ok;
}

bool s3_multipart_abort(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                        struct error *error)
{
    return s3_multipart_end(client, bucket, key, upload_id, false, error);
}
