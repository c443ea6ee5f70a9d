#include "celeryc/message/json_whole.h"

#include "celeryc/message/json_text.h"
#include "common/bytes.h"

#include <string.h>

static const char mark[] = "\0as it came: ";
#define MARK_SIZE (sizeof mark - 1)

/* One that is held by Jansson is no value of ours, whatever it begins with. */
static bool is_held(const struct text_slice *token)
{
    json_t *held = json_loadb(token->data, token->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_decref(held);
    return held != NULL;
}

bool json_whole_raw(const json_t *value, struct text_slice *raw)
{
    struct json_reader reader;
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (text == NULL || size <= MARK_SIZE || memcmp(text, mark, MARK_SIZE) != 0)
        return false;
    json_reader_init(&reader, text + MARK_SIZE, size - MARK_SIZE);
    char first = json_reader_peek(&reader);
    return first != '[' && first != '{' && json_reader_value(&reader, raw, NULL) &&
           json_reader_end(&reader, NULL) && !is_held(raw);
}

/* Where a token that is no bracket, comma or colon ends. */
static size_t token_end(const char *text, size_t size, size_t at)
{
    if (text[at] == '"') {
        for (at++; at < size && text[at] != '"'; at++) {
            if (text[at] == '\\')
                at++;
        }
        return at < size ? at + 1 : size;
    }
    while (at < size && strchr(" \t\r\n[]{},:\"", text[at]) == NULL)
        at++;
    return at;
}

static bool append_token(struct bytes *out, const char *text, size_t size, struct error *error)
{
    struct text_slice token = {.data = text, .size = size};
    if (is_held(&token))
        return bytes_append(out, text, size, error);
    struct bytes marked;
    bytes_init(&marked, 0);
    bool good = bytes_append(&marked, mark, MARK_SIZE, error) && bytes_append(&marked, text, size, error) &&
                json_text_append_string(out, marked.data, marked.size, error);
    bytes_clear(&marked);
    return good;
}

/* The same text with what Jansson does not hold as strings. */
static bool rewrite(const char *text, size_t size, struct bytes *out, struct error *error)
{
    for (size_t at = 0; at < size;) {
        size_t end = at + 1;
        bool plain = strchr(" \t\r\n[]{},:", text[at]) != NULL;
        if (!plain)
            end = token_end(text, size, at);
        if (!(plain ? bytes_append(out, text + at, 1, error) : append_token(out, text + at, end - at, error)))
            return false;
        at = end;
    }
    return true;
}

json_t *json_whole_load(const char *text, size_t size, struct error *error)
{
    json_error_t problem;
    struct json_reader reader;
    struct text_slice value;
    struct bytes out;
    json_t *loaded = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (loaded != NULL)
        return loaded;
    json_reader_init(&reader, text, size);
    if (!json_reader_value(&reader, &value, error) || !json_reader_end(&reader, error))
        return NULL;
    bytes_init(&out, 0);
    if (rewrite(value.data, value.size, &out, error)) {
        loaded = json_loadb(out.data, out.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
        if (loaded == NULL)
            error_set(error, ERROR_INVALID, "JSON that cannot be held: %s", problem.text);
    }
    bytes_clear(&out);
    return loaded;
}
