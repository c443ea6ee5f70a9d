#include "s3/transfer.h"

#include "s3/client_state.h"
#include "s3/crc32c.h"
#include "s3/request.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UPLOAD_BUFFER (256L << 10)
#define SMALL_BODY ((size_t)64 << 10)
#define BYTES_A_SECOND                                                                                       \
    (16.0 * 1024 * 1024) /* a server that digests a body may be silent for that much longer */

/* ---- the answer's headers ---- */

static void copy_value(char *to, size_t size, const char *value, size_t length)
{
    if (length < size) {
        memcpy(to, value, length);
        to[length] = '\0';
    }
}

/* Where a value does not fit, or is none, the field stays empty: as if the server had not said it. */
static void read_etag(struct s3_response *response, const char *value, size_t length)
{
    copy_value(response->version.etag, sizeof response->version.etag, value, length);
    if (strcmp(response->version.etag, "\"\"") == 0)
        response->version.etag[0] = '\0';
}

static void read_range(struct s3_response *response, const char *text)
{
    unsigned long long first, last, total;
    if (sscanf(text, "bytes %llu-%llu/%llu", &first, &last, &total) == 3 && first <= last && last < total) {
        response->has_range = true;
        response->first = first;
        response->last = last;
        response->version.size = total;
        return;
    }
    if (sscanf(text, "bytes */%llu", &total) == 1)
        response->version.size = total;
}

static bool is_header(const char *name, size_t length, const char *wanted)
{
    return length == strlen(wanted) && strncasecmp(name, wanted, length) == 0;
}

static void read_header(struct s3_response *response, const char *name, size_t length, const char *value,
                        size_t size)
{
    char text[128] = "";
    copy_value(text, sizeof text, value, size);
    if (is_header(name, length, "etag"))
        read_etag(response, value, size);
    else if (is_header(name, length, "content-length"))
        response->has_length = sscanf(text, "%" SCNu64, &response->length) == 1;
    else if (is_header(name, length, "content-range"))
        read_range(response, text);
    else if (is_header(name, length, "content-type"))
        copy_value(response->content_type, sizeof response->content_type, value, size);
    else if (is_header(name, length, "last-modified"))
        response->version.modified = curl_getdate(text, NULL) > 0 ? curl_getdate(text, NULL) : 0;
    else if (is_header(name, length, "date"))
        response->date = curl_getdate(text, NULL) > 0 ? curl_getdate(text, NULL) : 0;
    else if (is_header(name, length, "retry-after"))
        response->retry_after = fmin(fmax(strtod(text, NULL), 0), 20);
    else if (is_header(name, length, "x-amz-bucket-region"))
        copy_value(response->region, sizeof response->region, value, size);
    else if (is_header(name, length, "x-amz-checksum-crc32c"))
        copy_value(response->crc32c, sizeof response->crc32c, value, size);
    else if (is_header(name, length, "x-amz-checksum-algorithm"))
        copy_value(response->checksums, sizeof response->checksums, value, size);
}

/* The empty line behind the headers: of an interim answer (100), of the answer, or of trailers. */
static bool end_headers(struct s3_request *request)
{
    struct s3_response *response = &request->response;
    struct s3_transfer *transfer = &request->transfer;
    if (response->status < 200 || transfer->accepted)
        return true;
    transfer->accepted = true;
    if (!response->has_range && response->status < 300)
        response->version.size = response->length;
    if (response->status >= 300 || request->accept == NULL)
        return true;
    return request->accept(request, &transfer->refusal);
}

static size_t on_header(char *line, size_t one, size_t size, void *user)
{
    (void)one;
    struct s3_request *request = user;
    struct s3_response *response = &request->response;
    size_t length = size;
    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n'))
        length--;
    if (length == 0)
        return end_headers(request) ? size : 0;
    if (length > 9 && strncmp(line, "HTTP/", 5) == 0) {
        struct bytes body = response->body;
        *response = (struct s3_response){.body = body};
        bytes_truncate(&response->body, 0);
        const char *space = memchr(line, ' ', length);
        response->status = space == NULL ? 0 : atoi(space);
        return size;
    }
    const char *colon = memchr(line, ':', length);
    if (colon == NULL)
        return size;
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    read_header(response, line, (size_t)(colon - line), value, (size_t)(end - value));
    return size;
}

/* ---- bodies ---- */

static size_t on_receive(char *data, size_t one, size_t size, void *user)
{
    (void)one;
    struct s3_request *request = user;
    struct bytes *body = &request->response.body;
    bool good = request->response.status >= 200 && request->response.status < 300;
    if (good && request->receive != NULL)
        return request->receive(request, data, size) ? size : CURL_WRITEFUNC_PAUSE;
    size_t room = body->limit > body->size ? body->limit - body->size : 0;
    if (!good && size > room) {
        (void)bytes_append(body, data, room, NULL); /* of an error the beginning is enough */
        return size;
    }
    return bytes_append(body, data, size, &request->transfer.refusal) ? size : 0;
}

static size_t on_send(char *to, size_t one, size_t size, void *user)
{
    struct s3_request *request = user;
    size_t room = one * size, left = request->body_size - request->transfer.sent;
    if (room > left)
        room = left;
    if (room > 0)
        memcpy(to, (const char *)request->body + request->transfer.sent, room);
    request->transfer.sent += room;
    return room;
}

/* curl sends a body again when a kept connection turned out to be closed. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct s3_request *request = user;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > request->body_size)
        return CURL_SEEKFUNC_FAIL;
    request->transfer.sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- what is sent ---- */

static bool add_line(struct s3_transfer *transfer, const char *name, const char *value, struct error *error)
{
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 && *c != '\t')
            return error_set(error, ERROR_INVALID, "control bytes in the header %s", name);
    }
    struct bytes line = {0};
    bool ok = bytes_append_format(&line, error, "%s: %s", name, value);
    if (ok) {
        const char *text = bytes_text(&line);
        struct curl_slist *grown = text == NULL ? NULL : curl_slist_append(transfer->headers, text);
        ok = grown != NULL || error_set(error, ERROR_MEMORY, "no memory for headers");
        if (grown != NULL)
            transfer->headers = grown;
    }
    bytes_clear(&line);
    return ok;
}

/* SHA-256 costs the server more than all else about an upload. So a body is signed only when it is small,
 * when nothing else protects it, or when that was asked for. */
static bool sign_body(const struct s3_client *client, const struct s3_request *request)
{
    bool safe = request->checksum || client->endpoint.tls;
    return client->sign_payload || request->body_size <= SMALL_BODY || !safe;
}

/* Once for all attempts. */
static bool hash_body(struct s3_client *client, struct s3_request *request, struct error *error)
{
    if (request->hashed)
        return true;
    if (request->checksum)
        s3_crc32c_text(s3_crc32c(0, request->body, request->body_size), request->crc);
    if (request->body_size == 0)
        (void)snprintf(request->hash, sizeof request->hash, "%s", EMPTY_HASH);
    else if (!sign_body(client, request))
        (void)snprintf(request->hash, sizeof request->hash, "%s", S3_UNSIGNED_PAYLOAD);
    else if (!s3_hash(request->body, request->body_size, request->hash, error))
        return false;
    request->hashed = true;
    return true;
}

static bool sign_headers(struct s3_client *client, struct s3_request *request, const char *host,
                         const char *path, struct error *error)
{
    struct s3_transfer *transfer = &request->transfer;
    double now = s3_loop_clock(&client->loop);
    char date[S3_SIGN_DATE_SIZE], region[S3_REGION_SIZE];
    s3_sign_date((int64_t)now, date);
    s3_endpoint_region(&client->endpoint, request->bucket, region);

    struct s3_field fields[S3_REQUEST_HEADER_LIMIT + 5];
    size_t count = 0;
    fields[count++] = (struct s3_field){"host", host};
    fields[count++] = (struct s3_field){"x-amz-date", date};
    fields[count++] = (struct s3_field){"x-amz-content-sha256", request->hash};
    if (request->checksum)
        fields[count++] = (struct s3_field){"x-amz-checksum-crc32c", request->crc};
    if (client->session_token != NULL)
        fields[count++] = (struct s3_field){"x-amz-security-token", client->session_token};
    for (size_t i = 0; i < request->header_count; i++)
        fields[count++] = request->headers[i];
    for (size_t i = 1; i < count; i++) { /* curl writes the Host header itself, the same */
        if (!add_line(transfer, fields[i].name, fields[i].value, error))
            return false;
    }
    if (client->access_key == NULL)
        return true;

    struct s3_signing signing = {.method = request->method,
                                 .path = path,
                                 .query = request->query,
                                 .query_count = request->query_count,
                                 .headers = fields,
                                 .header_count = count,
                                 .payload = request->hash,
                                 .time = (int64_t)now,
                                 .region = region,
                                 .service = "s3"};
    struct bytes authorization = {0};
    bool ok = s3_sign_header(&signing, &client->credentials, &authorization, error);
    const char *text = ok ? bytes_text(&authorization) : NULL;
    ok = text != NULL && add_line(transfer, "authorization", text, error);
    bytes_clear(&authorization);
    return ok;
}

static bool write_request(struct s3_client *client, struct s3_request *request, struct error *error)
{
    struct s3_transfer *transfer = &request->transfer;
    char host[S3_HOST_SIZE];
    struct bytes path = {0};
    bool ok = hash_body(client, request, error) &&
              s3_endpoint_host(&client->endpoint, request->bucket, host, error) &&
              s3_endpoint_path(&client->endpoint, request->bucket, request->key, &path, error);
    const char *text = ok ? bytes_text(&path) : NULL;
    ok = text != NULL && sign_headers(client, request, host, text, error) &&
         bytes_append_format(&transfer->url, error, "%s://%s%s%s", client->endpoint.tls ? "https" : "http",
                             host, text, request->query_count > 0 ? "?" : "") &&
         s3_sign_canonical_query(request->query, request->query_count, &transfer->url, error);
    bytes_clear(&path);
    /* curl's own headers that are not wanted: it would wait for a "100 Continue", and guess a type. */
    struct curl_slist *grown = ok ? curl_slist_append(transfer->headers, "Expect:") : NULL;
    if (ok && grown == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for headers");
    if (ok)
        transfer->headers = grown;
    return ok;
}

/* ---- the easy handle ---- */

static void set_method(struct s3_request *request)
{
    CURL *easy = request->transfer.easy;
    bool body = strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0;
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (strcmp(request->method, "HEAD") == 0)
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (!body)
        return;
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_size);
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, request);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, request);
    if (request->body_size > (size_t)UPLOAD_BUFFER)
        (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
}

static void set_timeouts(struct s3_client *client, struct s3_request *request)
{
    CURL *easy = request->transfer.easy;
    double stall = request->stall_timeout > 0 ? request->stall_timeout : client->stall_timeout;
    stall += (double)request->body_size / BYTES_A_SECOND;
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(client->connect_timeout * 1000));
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)ceil(stall));
}

static void set_connection(struct s3_client *client, struct s3_request *request)
{
    CURL *easy = request->transfer.easy;
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name server when cancelled */
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "logmerge");
    if (client->endpoint.loopback)
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (client->ca_file != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
    if (request->buffer_size > 0)
        (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)request->buffer_size);
}

bool s3_transfer_start(struct s3_client *client, struct s3_request *request, struct error *error)
{
    struct s3_transfer *transfer = &request->transfer;
    *transfer = (struct s3_transfer){.easy = curl_easy_init()};
    struct bytes body = request->response.body;
    request->response = (struct s3_response){.body = body};
    bytes_truncate(&request->response.body, 0);
    if (transfer->easy == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a transfer");
    if (request->prepare != NULL && !request->prepare(request, error))
        return false;
    if (!write_request(client, request, error))
        return false;
    const char *url = bytes_text(&transfer->url);
    if (url == NULL || curl_easy_setopt(transfer->easy, CURLOPT_URL, url) != CURLE_OK)
        return error_set(error, ERROR_MEMORY, "no memory for a URL");
    CURL *easy = transfer->easy;
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_receive);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    set_method(request);
    set_timeouts(client, request);
    set_connection(client, request);
    return true;
}

void s3_transfer_end(struct s3_request *request)
{
    struct s3_transfer *transfer = &request->transfer;
    if (transfer->easy != NULL)
        curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    bytes_clear(&transfer->url);
    transfer->easy = NULL;
    transfer->headers = NULL;
}
