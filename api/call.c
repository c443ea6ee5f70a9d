#include "api/call.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A traceparent is passed on to the task as it came, so it must be well-formed: 00-<32 hex>-<16 hex>-<2 hex>,
 * lower case. Source: W3C Trace Context, section 3.2. */
static bool is_trace_parent(const char *text)
{
    if (text == NULL || strlen(text) != CALL_TRACE_PARENT_SIZE - 1 ||
        strspn(text, "0123456789abcdef-") != strlen(text))
        return false;
    for (size_t i = 0; i < CALL_TRACE_PARENT_SIZE - 1; i++) {
        bool hyphen = i == 2 || i == 35 || i == 52;
        if ((text[i] == '-') != hyphen)
            return false;
    }
    return strncmp(text, "ff", 2) != 0 && strspn(text + 3, "0") < 32 && strspn(text + 36, "0") < 16;
}

static bool is_request_id(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (text == NULL || text[0] == '\0' || strlen(text) >= CALL_REQUEST_ID_SIZE)
        return false;
    return text[strspn(text, allowed)] == '\0';
}

void call_init(struct call *call, struct api *api, const struct _u_request *request,
               struct _u_response *response)
{
    memset(call, 0, sizeof *call);
    call->api = api;
    call->request = request;
    call->response = response;
    call->is_head = strcmp(request->http_verb, "HEAD") == 0;
    const char *id = call_header(call, "X-Request-Id"), *parent = call_header(call, "traceparent");
    if (is_request_id(id))
        memcpy(call->request_id, id, strlen(id) + 1);
    else
        uuid_make(call->request_id);
    if (is_trace_parent(parent))
        memcpy(call->trace_parent, parent, CALL_TRACE_PARENT_SIZE);
}

const char *call_header(const struct call *call, const char *name)
{
    return u_map_get_case(call->request->map_header, name);
}

/* The last segment of the path, as it stands there, cut at `size` - 1 bytes. */
static void last_segment(const struct call *call, char *buffer, size_t size)
{
    const char *path = call->request->url_path, *end = path + strlen(path);
    while (end > path && end[-1] == '/')
        end--;
    const char *start = end;
    while (start > path && start[-1] != '/')
        start--;
    size_t length = (size_t)(end - start) < size ? (size_t)(end - start) : size - 1;
    memcpy(buffer, start, length);
    buffer[length] = '\0';
}

bool call_read_id(const struct call *call, char id[UUID_SIZE])
{
    char segment[UUID_SIZE + 1]; /* one more, so that a longer one is not cut to a right one */
    last_segment(call, segment, sizeof segment);
    if (!uuid_is_valid(segment))
        return false;
    for (size_t i = 0; i < UUID_SIZE; i++)
        id[i] = (char)tolower((unsigned char)segment[i]);
    return true;
}

void call_set_header(struct call *call, const char *name, const char *value)
{
    u_map_put(call->response->map_header, name, value);
}

void call_set_header_format(struct call *call, const char *name, const char *format, ...)
{
    char value[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    call_set_header(call, name, value);
}

void call_answer_json(struct call *call, int status, const char *content_type, json_t *take)
{
    char *text = take != NULL ? json_dumps(take, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(take);
    if (text == NULL) {
        call_answer_empty(call, 500);
        return;
    }
    call_set_header(call, "Content-Type", content_type);
    ulfius_set_binary_body_response(call->response, (unsigned int)status, text, strlen(text));
    free(text);
}

void call_answer_empty(struct call *call, int status)
{
    ulfius_set_empty_body_response(call->response, (unsigned int)status);
}
