#include "celeryc/message/json_text.h"

#include "celeryc/message/json_whole.h"
#include "celeryc/message/number.h"
#include "celeryc/message/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool append_escape(struct bytes *bytes, unsigned character, struct error *error)
{
    const char *short_form = NULL;
    switch (character) {
    case '"':
        short_form = "\\\"";
        break;
    case '\\':
        short_form = "\\\\";
        break;
    case '\n':
        short_form = "\\n";
        break;
    case '\r':
        short_form = "\\r";
        break;
    case '\t':
        short_form = "\\t";
        break;
    case '\f':
        short_form = "\\f";
        break;
    case '\b':
        short_form = "\\b";
        break;
    default:
        break;
    }
    if (short_form != NULL)
        return bytes_append(bytes, short_form, 2, error);
    if (character < 0x10000)
        return bytes_append_format(bytes, error, "\\u%04x", character);
    unsigned rest = character - 0x10000;
    return bytes_append_format(bytes, error, "\\u%04x\\u%04x", 0xd800 + (rest >> 10),
                               0xdc00 + (rest & 0x3ff));
}

bool json_text_append_string(struct bytes *bytes, const char *text, size_t size, struct error *error)
{
    if (!bytes_append(bytes, "\"", 1, error))
        return false;
    size_t plain = 0; /* where the bytes begin that are still to be copied as they are */
    for (size_t at = 0; at < size;) {
        unsigned char byte = (unsigned char)text[at];
        if (byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\') {
            at++;
            continue;
        }
        unsigned character;
        size_t length = utf8_read(text + at, size - at, &character);
        if (length == 0) {
            character = 0xfffd;
            length = 1;
        }
        if (!bytes_append(bytes, text + plain, at - plain, error) || !append_escape(bytes, character, error))
            return false;
        at += length;
        plain = at;
    }
    return bytes_append(bytes, text + plain, size - plain, error) && bytes_append(bytes, "\"", 1, error);
}

static bool append_real(struct bytes *bytes, double value, struct error *error)
{
    if (isnan(value))
        return bytes_append_text(bytes, "NaN", error);
    if (isinf(value))
        return bytes_append_text(bytes, value < 0 ? "-Infinity" : "Infinity", error);
    char text[NUMBER_TEXT_SIZE];
    return bytes_append(bytes, text, number_float_text(value, text), error);
}

static bool append_integer(struct bytes *bytes, json_int_t value, struct error *error)
{
    char text[NUMBER_TEXT_SIZE];
    int size = snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, value);
    return bytes_append(bytes, text, (size_t)size, error);
}

static bool append_value(struct bytes *bytes, const json_t *value, int depth, struct error *error);

static bool append_array(struct bytes *bytes, const json_t *array, int depth, struct error *error)
{
    if (!bytes_append(bytes, "[", 1, error))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0 && !bytes_append(bytes, ", ", 2, error))
            return false;
        if (!append_value(bytes, json_array_get(array, i), depth, error))
            return false;
    }
    return bytes_append(bytes, "]", 1, error);
}

static bool append_object(struct bytes *bytes, const json_t *object, int depth, struct error *error)
{
    if (!bytes_append(bytes, "{", 1, error))
        return false;
    bool first = true;
    json_t *members = (json_t *)(size_t)object; /* iterating changes nothing */
    for (void *at = json_object_iter(members); at != NULL; at = json_object_iter_next(members, at)) {
        const char *key = json_object_iter_key(at);
        if (!first && !bytes_append(bytes, ", ", 2, error))
            return false;
        first = false;
        if (!json_text_append_string(bytes, key, strlen(key), error) ||
            !bytes_append(bytes, ": ", 2, error) ||
            !append_value(bytes, json_object_iter_value(at), depth, error))
            return false;
    }
    return bytes_append(bytes, "}", 1, error);
}

static bool append_value(struct bytes *bytes, const json_t *value, int depth, struct error *error)
{
    struct text_slice raw;
    if (depth > JSON_TEXT_DEPTH_MOST)
        return error_set(error, ERROR_LIMIT, "JSON nested more than %d deep", JSON_TEXT_DEPTH_MOST);
    if (value == NULL)
        return bytes_append(bytes, "null", 4, error);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return append_object(bytes, value, depth + 1, error);
    case JSON_ARRAY:
        return append_array(bytes, value, depth + 1, error);
    case JSON_STRING:
        if (json_whole_raw(value, &raw))
            return bytes_append(bytes, raw.data, raw.size, error);
        return json_text_append_string(bytes, json_string_value(value), json_string_length(value), error);
    case JSON_INTEGER:
        return append_integer(bytes, json_integer_value(value), error);
    case JSON_REAL:
        return append_real(bytes, json_real_value(value), error);
    case JSON_TRUE:
        return bytes_append(bytes, "true", 4, error);
    case JSON_FALSE:
        return bytes_append(bytes, "false", 5, error);
    default:
        return bytes_append(bytes, "null", 4, error);
    }
}

bool json_text_append(struct bytes *bytes, const json_t *value, struct error *error)
{
    return append_value(bytes, value, 0, error);
}

char *json_text_dump(const json_t *value, size_t *size, struct error *error)
{
    struct bytes bytes;
    bytes_init(&bytes, 0);
    char *text = NULL;
    if (json_text_append(&bytes, value, error)) {
        text = bytes_take(&bytes, size);
        if (text == NULL)
            error_set(error, ERROR_MEMORY, "no memory for JSON text");
    }
    bytes_clear(&bytes);
    return text;
}
