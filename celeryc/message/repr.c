#include "celeryc/message/repr.h"

#include "celeryc/message/json_whole.h"
#include "celeryc/message/number.h"
#include "celeryc/message/printable.h"
#include "celeryc/message/utf8.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS_MOST = 3 }; /* task_repr_maxlevels */

/* saferepr works on a stream of tokens and counts what it has written down from the limit. The first token
 * that finds nothing left ends the text with ", ...", and of all that follows only the brackets of what is
 * open are shown. */
struct representation {
    struct bytes *bytes;
    struct error *error;
    int64_t left; /* characters that may still be written; may go below zero */
    bool limited;
    bool cut; /* ", ..." is written */
    int level;
};

static size_t count_characters(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static bool write_text(struct representation *to, const char *text, size_t size)
{
    if (!bytes_append(to->bytes, text, size, to->error))
        return false;
    if (to->limited)
        to->left -= (int64_t)count_characters(text, size);
    return true;
}

/* Whether the next token is to be left out; writes ", ..." where it is the first. */
static bool is_cut(struct representation *to, bool *failed)
{
    if (to->cut || !to->limited || to->left > 0)
        return to->cut;
    to->cut = true;
    *failed = !bytes_append_text(to->bytes, ", ...", to->error);
    return true;
}

static bool write_token(struct representation *to, const char *text)
{
    bool failed = false;
    if (is_cut(to, &failed))
        return !failed;
    return write_text(to, text, strlen(text));
}

/* The first `most` characters up to the last space among them, with an ellipsis, where the text is not
 * shorter than `most` (celery/utils/text.py truncate). Returns how many bytes to show. */
static size_t truncate_text(const struct representation *to, const char *text, size_t size, bool *truncated)
{
    *truncated = false;
    if (!to->limited || to->left <= 0)
        return size;
    int64_t characters = 0;
    size_t at = 0;
    for (; at < size && characters < to->left; characters++) {
        at++;
        while (at < size && ((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
    }
    if (characters < to->left)
        return size;
    *truncated = true;
    const char *space = memrchr(text, ' ', at);
    return space == NULL ? at : (size_t)(space - text);
}

static bool write_plain(struct representation *to, const char *text)
{
    bool failed = false, truncated;
    if (is_cut(to, &failed))
        return !failed;
    size_t size = truncate_text(to, text, strlen(text), &truncated);
    return write_text(to, text, size) && (!truncated || write_text(to, "...", 3));
}

static bool write_string(struct representation *to, const char *text, size_t size)
{
    bool failed = false, truncated;
    if (is_cut(to, &failed))
        return !failed;
    size = truncate_text(to, text, size, &truncated);
    if (!write_text(to, "'", 1))
        return false;
    size_t plain = 0;
    for (size_t at = 0; at <= size; at++) {
        if (at < size && text[at] != '\'')
            continue;
        if (!write_text(to, text + plain, at - plain))
            return false;
        if (at < size && !write_text(to, "\\", 1))
            return false;
        plain = at;
    }
    return (!truncated || write_text(to, "...", 3)) && write_text(to, "'", 1);
}

static bool write_value(struct representation *to, const json_t *value, bool tuple);

static bool write_members(struct representation *to, const json_t *object)
{
    bool first = true;
    json_t *members = (json_t *)(size_t)object; /* iterating changes nothing */
    for (void *at = json_object_iter(members); at != NULL && !to->cut;
         at = json_object_iter_next(members, at)) {
        if (!first && !write_token(to, ", "))
            return false;
        first = false;
        const char *key = json_object_iter_key(at);
        if (!write_string(to, key, strlen(key)) || !write_token(to, ": ") ||
            !write_value(to, json_object_iter_value(at), false))
            return false;
    }
    return true;
}

static bool write_elements(struct representation *to, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array) && !to->cut; i++) {
        if (i > 0 && !write_token(to, ", "))
            return false;
        if (!write_value(to, json_array_get(array, i), false))
            return false;
    }
    return true;
}

static bool write_container(struct representation *to, const json_t *value, const char *open,
                            const char *close)
{
    if (to->level >= LEVELS_MOST) {
        char hidden[16];
        (void)snprintf(hidden, sizeof hidden, "%s...%s", open, close);
        return write_token(to, hidden);
    }
    if (!write_token(to, open))
        return false;
    if (to->cut)
        return true; /* its opening is not shown, so its closing is not either */
    to->level++;
    if (!(json_is_array(value) ? write_elements(to, value) : write_members(to, value)))
        return false;
    to->level--;
    return write_text(to, close, strlen(close)); /* shown and not counted even where nothing is left */
}

static bool write_number(struct representation *to, const json_t *value)
{
    char text[NUMBER_TEXT_SIZE];
    if (json_is_integer(value))
        (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        number_float_text(json_real_value(value), text);
    return write_plain(to, text);
}

static bool is_token(const struct text_slice *slice, const char *text)
{
    return slice->size == strlen(text) && memcmp(slice->data, text, slice->size) == 0;
}

/* What passes through is shown as it came, but for what Python spells otherwise. */
static bool write_raw(struct representation *to, const struct text_slice *raw)
{
    if (is_token(raw, "NaN"))
        return write_plain(to, "nan");
    if (is_token(raw, "Infinity") || is_token(raw, "-Infinity"))
        return write_plain(to, raw->data[0] == '-' ? "-inf" : "inf");
    char *text = strndup(raw->data, raw->size);
    bool written =
        text != NULL ? write_plain(to, text) : error_set(to->error, ERROR_MEMORY, "no memory for a repr");
    free(text);
    return written;
}

static bool write_value(struct representation *to, const json_t *value, bool tuple)
{
    struct text_slice raw;
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_OBJECT:
        return write_container(to, value, "{", "}");
    case JSON_ARRAY:
        if (tuple)
            return write_container(to, value, "(", json_array_size(value) == 1 ? ",)" : ")");
        return write_container(to, value, "[", "]");
    case JSON_STRING:
        if (json_whole_raw(value, &raw))
            return write_raw(to, &raw);
        return write_string(to, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
    case JSON_REAL:
        return write_number(to, value);
    case JSON_TRUE:
        return write_plain(to, "True");
    case JSON_FALSE:
        return write_plain(to, "False");
    default:
        return write_plain(to, "None");
    }
}

bool repr_append(struct bytes *bytes, const json_t *value, bool tuple, size_t length, struct error *error)
{
    struct representation to = {
        .bytes = bytes, .error = error, .left = (int64_t)length, .limited = length > 0};
    return write_value(&to, value, tuple);
}

static char *repr_new(const json_t *value, bool tuple, struct error *error)
{
    struct bytes bytes;
    bytes_init(&bytes, 0);
    char *text = NULL;
    if (repr_append(&bytes, value, tuple, REPR_LENGTH_MOST, error))
        text = bytes_take(&bytes, NULL);
    bytes_clear(&bytes);
    return text;
}

char *repr_arguments(const json_t *args, struct error *error)
{
    return repr_new(args, true, error);
}

char *repr_value(const json_t *value, struct error *error)
{
    return repr_new(value, false, error);
}

static bool write_escaped(struct bytes *bytes, unsigned character, struct error *error)
{
    if (character == '\n' || character == '\r' || character == '\t')
        return bytes_append_format(bytes, error, "\\%c",
                                   character == '\n'   ? 'n'
                                   : character == '\r' ? 'r'
                                                       : 't');
    if (character < 0x100)
        return bytes_append_format(bytes, error, "\\x%02x", character);
    if (character < 0x10000)
        return bytes_append_format(bytes, error, "\\u%04x", character);
    return bytes_append_format(bytes, error, "\\U%08x", character);
}

bool repr_append_string(struct bytes *bytes, const char *text, size_t size, struct error *error)
{
    bool double_quotes = memchr(text, '\'', size) != NULL && memchr(text, '"', size) == NULL;
    char quote = double_quotes ? '"' : '\'';
    if (!bytes_append(bytes, &quote, 1, error))
        return false;
    for (size_t at = 0; at < size;) {
        unsigned character;
        size_t length = utf8_read(text + at, size - at, &character);
        if (length == 0) {
            character = 0xdc00 + (unsigned char)text[at];
            length = 1;
        }
        bool written;
        if (character == (unsigned char)quote || character == '\\')
            written = bytes_append(bytes, "\\", 1, error) && bytes_append(bytes, text + at, 1, error);
        else if (printable_is(character))
            written = bytes_append(bytes, text + at, length, error);
        else
            written = write_escaped(bytes, character, error);
        if (!written)
            return false;
        at += length;
    }
    return bytes_append(bytes, &quote, 1, error);
}

char *repr_exception(const char *type, const char *message, struct error *error)
{
    const char *dot = strrchr(type, '.');
    struct bytes bytes;
    bytes_init(&bytes, 0);
    char *text = NULL;
    if (bytes_append_text(&bytes, dot == NULL ? type : dot + 1, error) &&
        bytes_append(&bytes, "(", 1, error) &&
        (message == NULL || repr_append_string(&bytes, message, strlen(message), error)) &&
        bytes_append(&bytes, ")", 1, error))
        text = bytes_take(&bytes, NULL);
    bytes_clear(&bytes);
    return text;
}
