/* Multipart uploads as lists: the parts of one, and those that nobody will finish. */
#include "s3/multipart.h"

#include "common/clock.h"
#include "s3/encode.h"
#include "s3/request.h"
#include "s3/xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_LIMIT ((size_t)8 << 20)
#define SWEEP_PAGES 100 /* of up to 1,000 uploads: what is left is for the next sweep */

/* ---- the parts of an upload ---- */

struct parts {
    struct s3_part *list;
    size_t count, capacity;
    struct s3_part current;
    char next[16]; /* the number behind which the next page begins */
    bool truncated;
};

static bool take_part_text(void *context, const char *path, char *text, struct error *error)
{
    struct parts *parts = context;
    struct s3_part *part = &parts->current;
    const char *name = strchr(path, '/');
    if (name == NULL)
        return true;
    name++;
    bool number = true;
    if (strcmp(name, "IsTruncated") == 0)
        parts->truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "NextPartNumberMarker") == 0)
        (void)snprintf(parts->next, sizeof parts->next, "%.15s", text);
    else if (strcmp(name, "Part/PartNumber") == 0)
        number = sscanf(text, "%u", &part->number) == 1;
    else if (strcmp(name, "Part/Size") == 0)
        number = sscanf(text, "%" SCNu64, &part->size) == 1;
    else if (strcmp(name, "Part/ETag") == 0 && strlen(text) < sizeof part->etag)
        (void)snprintf(part->etag, sizeof part->etag, "%s", text);
    else if (strcmp(name, "Part/ChecksumCRC32C") == 0 && strlen(text) < sizeof part->crc32c)
        (void)snprintf(part->crc32c, sizeof part->crc32c, "%s", text);
    return number || error_set(error, ERROR_PROTOCOL, "a list of parts with what is no number");
}

static bool end_part(void *context, const char *path, struct error *error)
{
    struct parts *parts = context;
    const char *name = strchr(path, '/');
    if (name == NULL || strcmp(name, "/Part") != 0)
        return true;
    if (parts->count == S3_PART_LIMIT)
        return error_set(error, ERROR_PROTOCOL, "a list of more than %d parts", S3_PART_LIMIT);
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity == 0 ? 64 : 2 * parts->capacity;
        struct s3_part *list = reallocarray(parts->list, capacity, sizeof *list);
        if (list == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for a list of parts");
        parts->list = list;
        parts->capacity = capacity;
    }
    parts->list[parts->count++] = parts->current;
    parts->current = (struct s3_part){0};
    return true;
}

static bool fetch_parts(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                        struct parts *parts, struct error *error)
{
    char after[16];
    (void)snprintf(after, sizeof after, "%s", parts->next);
    parts->truncated = false;
    struct s3_request request;
    s3_request_init(&request, "GET", bucket, key);
    s3_request_query(&request, "uploadId", upload_id);
    s3_request_query(&request, "max-parts", "1000");
    if (after[0] != '\0')
        s3_request_query(&request, "part-number-marker", after);
    request.answer_limit = ANSWER_LIMIT;
    struct s3_xml_visitor visitor = {take_part_text, end_part, parts};
    bool ok = s3_request_run(client, &request, error) &&
              s3_xml_read(request.response.body.data, request.response.body.size, &visitor, error);
    if (ok && parts->truncated && strcmp(after, parts->next) == 0)
        ok = error_set(error, ERROR_PROTOCOL, "a list of parts that goes on, but does not say where");
    s3_request_clear(&request);
    return ok;
}

bool s3_multipart_parts(struct s3_client *client, const char *bucket, const char *key, const char *upload_id,
                        struct s3_part **list, size_t *count, struct error *error)
{
    struct parts parts = {0};
    do {
        if (!fetch_parts(client, bucket, key, upload_id, &parts, error)) {
            free(parts.list);
            return error_context(error, "parts of s3://%s/%s", bucket, key);
        }
    } while (parts.truncated);
    *list = parts.list;
    *count = parts.count;
    return true;
}

/* ---- stale uploads ---- */

struct found {
    char *key;
    char *upload_id;
    double initiated;
};

struct uploads {
    struct found list[1000];
    size_t count;
    struct found current;
    char *next_key, *next_id;
    bool truncated;
    bool encoded;
};

static bool keep_text(char **to, const char *text, struct error *error)
{
    free(*to);
    *to = strdup(text);
    return *to != NULL || error_set(error, ERROR_MEMORY, "no memory for a list of uploads");
}

static bool take_upload_text(void *context, const char *path, char *text, struct error *error)
{
    struct uploads *uploads = context;
    const char *name = strchr(path, '/');
    if (name == NULL)
        return true;
    name++;
    if (strcmp(name, "Upload/Key") == 0)
        return keep_text(&uploads->current.key, text, error);
    if (strcmp(name, "Upload/UploadId") == 0)
        return keep_text(&uploads->current.upload_id, text, error);
    if (strcmp(name, "NextKeyMarker") == 0)
        return keep_text(&uploads->next_key, text, error);
    if (strcmp(name, "NextUploadIdMarker") == 0)
        return keep_text(&uploads->next_id, text, error);
    if (strcmp(name, "IsTruncated") == 0)
        uploads->truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "EncodingType") == 0)
        uploads->encoded = strcmp(text, "url") == 0;
    else if (strcmp(name, "Upload/Initiated") == 0 &&
             !clock_parse_iso8601(text, true, &uploads->current.initiated))
        return error_set(error, ERROR_PROTOCOL, "a list of uploads with a date that is none");
    return true;
}

static void clear_found(struct found *found)
{
    free(found->key);
    free(found->upload_id);
    *found = (struct found){0};
}

static bool end_upload(void *context, const char *path, struct error *error)
{
    struct uploads *uploads = context;
    const char *name = strchr(path, '/');
    if (name == NULL || strcmp(name, "/Upload") != 0)
        return true;
    if (uploads->count == sizeof uploads->list / sizeof uploads->list[0])
        return error_set(error, ERROR_PROTOCOL, "a list of more than 1000 uploads a page");
    if (uploads->current.key == NULL || uploads->current.upload_id == NULL)
        return error_set(error, ERROR_PROTOCOL, "a list with an upload without key or id");
    uploads->list[uploads->count++] = uploads->current;
    uploads->current = (struct found){0};
    return true;
}

static void clear_page(struct uploads *uploads)
{
    for (size_t i = 0; i < uploads->count; i++)
        clear_found(&uploads->list[i]);
    clear_found(&uploads->current);
    uploads->count = 0;
    uploads->truncated = uploads->encoded = false;
}

static bool fetch_uploads(struct s3_client *client, const char *bucket, const char *prefix,
                          struct uploads *uploads, struct error *error)
{
    char *key = uploads->next_key, *id = uploads->next_id;
    uploads->next_key = uploads->next_id = NULL;
    clear_page(uploads);
    struct s3_request request;
    s3_request_init(&request, "GET", bucket, NULL);
    s3_request_query(&request, "uploads", "");
    s3_request_query(&request, "encoding-type", "url");
    s3_request_query(&request, "max-uploads", "1000");
    if (prefix != NULL && prefix[0] != '\0')
        s3_request_query(&request, "prefix", prefix);
    if (key != NULL && key[0] != '\0')
        s3_request_query(&request, "key-marker", key);
    if (key != NULL && key[0] != '\0' && id != NULL && id[0] != '\0')
        s3_request_query(&request, "upload-id-marker", id);
    request.answer_limit = ANSWER_LIMIT;
    struct s3_xml_visitor visitor = {take_upload_text, end_upload, uploads};
    bool ok = s3_request_run(client, &request, error) &&
              s3_xml_read(request.response.body.data, request.response.body.size, &visitor, error);
    for (size_t i = 0; ok && uploads->encoded && i < uploads->count; i++)
        s3_decode(uploads->list[i].key);
    if (ok && uploads->encoded && uploads->next_key != NULL)
        s3_decode(uploads->next_key);
    s3_request_clear(&request);
    free(key);
    free(id);
    return ok;
}

bool s3_multipart_sweep(struct s3_client *client, const char *bucket, const char *prefix, double before,
                        unsigned *aborted, struct error *error)
{
    struct uploads *uploads = calloc(1, sizeof *uploads);
    if (uploads == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a list of uploads");
    if (aborted != NULL)
        *aborted = 0;
    bool ok = true;
    for (int page = 0; ok && page < SWEEP_PAGES; page++) {
        ok = fetch_uploads(client, bucket, prefix, uploads, error);
        for (size_t i = 0; ok && i < uploads->count; i++) {
            const struct found *found = &uploads->list[i];
            if (found->initiated >= before)
                continue;
            ok = s3_multipart_abort(client, bucket, found->key, found->upload_id, error);
            if (ok && aborted != NULL)
                (*aborted)++;
        }
        if (!uploads->truncated || uploads->next_key == NULL || uploads->next_key[0] == '\0')
            break;
    }
    clear_page(uploads);
    free(uploads->next_key);
    free(uploads->next_id);
    free(uploads);
    return ok || error_context(error, "unfinished uploads of s3://%s", bucket);
}
