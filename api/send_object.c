#include "api/send_object.h"

#include "api/conditional.h"
#include "api/http_date.h"
#include "api/problem.h"
#include "common/log.h"
#include "s3/object.h"
#include "s3/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 65536 /* bytes that libmicrohttpd asks for at once */

/* ---- the body ---- */

struct stream {
    struct s3_reader_set *set;
    struct s3_reader *reader;
    uint64_t size, sent;
    char request_id[CALL_REQUEST_ID_SIZE];
};

static void stream_free(void *context)
{
    struct stream *stream = context;
    if (stream->sent < stream->size)
        log_info("request=%s the download ended after %" PRIu64 " of %" PRIu64 " bytes", stream->request_id,
                 stream->sent, stream->size);
    s3_reader_close(stream->reader);
    s3_reader_set_free(stream->set);
    free(stream);
}

/* Called by libmicrohttpd, on the connection's thread, whenever it has room for more. */
static ssize_t stream_read(void *context, uint64_t offset, char *buffer, size_t size)
{
    (void)offset;
    struct stream *stream = context;
    struct error error = {0};
    ssize_t got = s3_reader_read(stream->reader, buffer, size, &error);
    if (got <= 0) {
        log_warning("request=%s the download is cut after %" PRIu64 " of %" PRIu64 " bytes: %s",
                    stream->request_id, stream->sent, stream->size,
                    got < 0 ? error.message : "S3 sent less than it had said");
        return (ssize_t)U_STREAM_ERROR;
    }
    stream->sent += (uint64_t)got;
    return got;
}

/* Opens the stream and waits for its first byte, so that what is wrong until then can still be said with a
 * status. */
static struct stream *stream_open(struct call *call, const char *bucket, const char *key,
                                  const struct s3_version *version, uint64_t first, uint64_t size,
                                  struct error *error)
{
    struct s3_reader_set_settings memory = {
        .budget = call->api->settings.download_window, .readers = 1, .connections = 1};
    struct s3_reader_options options = {.version = version, .offset = first, .size = size};
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a download");
        return NULL;
    }
    const char *data;
    memcpy(stream->request_id, call->request_id, sizeof stream->request_id);
    stream->set = s3_reader_set_new(call->api->s3_stream, &memory, error);
    if (stream->set != NULL)
        stream->reader = s3_reader_open(stream->set, bucket, key, &options, error);
    if (stream->reader != NULL && s3_reader_borrow(stream->reader, &data, error) >= 0) {
        stream->size = size;
        return stream;
    }
    stream_free(stream);
    return NULL;
}

/* ---- the head ---- */

static void make_etag(const struct s3_version *version, char *etag, size_t size)
{
    /* Files that were dropped into a gateway's folder have no ETag; size and time tell their versions apart,
     * too. */
    if (version->etag[0] != '\0')
        (void)snprintf(etag, size, "%s", version->etag);
    else
        (void)snprintf(etag, size, "\"%" PRIx64 "-%" PRIx64 "\"", (uint64_t)version->modified, version->size);
}

/* What every answer about the object says, 304 included (section 15.4.5). */
static void describe(struct call *call, const struct representation *representation)
{
    char date[HTTP_DATE_SIZE];
    call_set_header(call, "ETag", representation->etag);
    if (representation->modified != 0) {
        http_date_format(representation->modified, date);
        call_set_header(call, "Last-Modified", date);
    }
    call_set_header(call, "Accept-Ranges", "bytes");
    call_set_header(call, "Cache-Control", "private, no-cache");
}

static struct conditional_headers read_conditions(const struct call *call)
{
    return (struct conditional_headers){
        .if_match = call_header(call, "If-Match"),
        .if_none_match = call_header(call, "If-None-Match"),
        .if_modified_since = call_header(call, "If-Modified-Since"),
        .if_unmodified_since = call_header(call, "If-Unmodified-Since"),
        .if_range = call_header(call, "If-Range"),
        /* Range is defined for GET alone (section 14.2). */
        .range = call->is_head ? NULL : call_header(call, "Range"),
    };
}

static ssize_t no_body(void *context, uint64_t offset, char *buffer, size_t size)
{
    (void)context, (void)offset, (void)buffer, (void)size;
    return (ssize_t)U_STREAM_ERROR;
}

static void set_body(struct call *call, int status, uint64_t size, struct stream *take)
{
    if (size == 0)
        call_answer_empty(call, status);
    else if (take == NULL) /* HEAD: libmicrohttpd sends the length and never asks for the body */
        ulfius_set_stream_response(call->response, (unsigned int)status, no_body, NULL, size, BLOCK, NULL);
    else
        ulfius_set_stream_response(call->response, (unsigned int)status, stream_read, stream_free, size,
                                   BLOCK, take);
}

/* ---- the answer ---- */

static void answer_failure(struct call *call, const struct error *error)
{
    if (error->code == ERROR_NOT_FOUND) {
        problem_answer(call, PROBLEM_GONE, "The merged file was deleted. Start the merge again.");
        return;
    }
    log_warning("request=%s a merged file cannot be read: %s: %s", call->request_id,
                error_code_name(error->code), error->message);
    problem_answer(call, PROBLEM_UNAVAILABLE, "The merged file cannot be read now. Try again later.");
}

/* Answers with this version of the object. False, and the call not answered, when it could not be opened. */
static bool send_version(struct call *call, const char *bucket, const char *key, const char *name,
                         const struct s3_version *version, struct error *error)
{
    struct conditional_headers headers = read_conditions(call);
    char etag[S3_ETAG_SIZE + 64];
    make_etag(version, etag, sizeof etag);
    struct representation representation = {etag, version->modified, version->size};
    enum condition condition = conditional_check(&headers, &representation);
    if (condition == CONDITION_FAILED) {
        problem_answer(call, PROBLEM_PRECONDITION, "The file's ETag is %s.", etag);
        return true;
    }
    if (condition == CONDITION_NOT_MODIFIED) {
        describe(call, &representation);
        call_answer_empty(call, 304);
        return true;
    }
    uint64_t first, size;
    enum range_kind kind = conditional_range(&headers, &representation, &first, &size);
    if (kind == RANGE_OUTSIDE) {
        call_set_header_format(call, "Content-Range", "bytes */%" PRIu64, version->size);
        problem_answer(call, PROBLEM_RANGE, "The file has %" PRIu64 " bytes.", version->size);
        return true;
    }
    struct stream *stream = NULL;
    if (size > 0 && !call->is_head) {
        stream = stream_open(call, bucket, key, version, first, size, error);
        if (stream == NULL)
            return false;
    }
    describe(call, &representation);
    call_set_header(call, "Content-Type", "text/plain; charset=utf-8");
    call_set_header(call, "X-Content-Type-Options", "nosniff");
    call_set_header_format(call, "Content-Disposition", "attachment; filename=\"%s\"", name);
    if (kind == RANGE_PART)
        call_set_header_format(call, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first,
                               first + size - 1, version->size);
    set_body(call, kind == RANGE_PART ? 206 : 200, size, stream);
    return true;
}

void send_object(struct call *call, const char *bucket, const char *key, const char *name)
{
    struct error error = {0};
    struct s3_head head;
    /* A merge that ran twice may replace the object between the two looks at it: then look once more. */
    for (int attempt = 0; attempt < 3; attempt++) {
        if (!s3_head(call->api->s3, bucket, key, &head, &error))
            break;
        if (send_version(call, bucket, key, name, &head.version, &error))
            return;
        if (error.code != ERROR_CHANGED)
            break;
    }
    answer_failure(call, &error);
}
