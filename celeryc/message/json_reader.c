#include "celeryc/message/json_reader.h"

#include "celeryc/message/utf8.h"

#include <jansson.h>
#include <limits.h>
#include <string.h>

enum { INTEGER_DIGITS_MOST = 4300 }; /* sys.int_info.default_max_str_digits */

static bool refuse(const struct json_reader *reader, struct error *error, const char *why)
{
    return error_set(error, ERROR_INVALID, "%s at byte %zu of the JSON text", why,
                     (size_t)(reader->at - reader->text));
}

void json_reader_init(struct json_reader *reader, const char *text, size_t size)
{
    *reader = (struct json_reader){.text = text, .at = text, .end = text + size};
}

static void skip_space(struct json_reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r'))
        reader->at++;
}

char json_reader_peek(struct json_reader *reader)
{
    skip_space(reader);
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool is_digit(const struct json_reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

static size_t skip_digits(struct json_reader *reader)
{
    const char *from = reader->at;
    while (is_digit(reader))
        reader->at++;
    return (size_t)(reader->at - from);
}

static bool skip_word(struct json_reader *reader, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0)
        return false;
    reader->at += size;
    return true;
}

static bool read_number(struct json_reader *reader, struct error *error)
{
    if (*reader->at == '-') {
        reader->at++;
        if (skip_word(reader, "Infinity"))
            return true;
    }
    if (!is_digit(reader))
        return refuse(reader, error, "no value");
    size_t digits = 1;
    if (*reader->at == '0')
        reader->at++;
    else
        digits = skip_digits(reader);
    bool integer = true;
    const char *fraction = reader->at;
    if (reader->at < reader->end && *reader->at == '.') {
        reader->at++;
        if (skip_digits(reader) == 0) {
            reader->at = fraction; /* as Python: the number ends before the point, which is then in the way */
            return true;
        }
        integer = false;
    }
    const char *exponent = reader->at;
    if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
        reader->at++;
        if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
            reader->at++;
        if (skip_digits(reader) == 0)
            reader->at = exponent;
        else
            integer = false;
    }
    if (integer && digits > INTEGER_DIGITS_MOST)
        return refuse(reader, error, "an integer of too many digits");
    return true;
}

static bool read_escape(struct json_reader *reader, struct error *error)
{
    reader->at++;
    if (reader->at == reader->end)
        return refuse(reader, error, "a string without an end");
    char kind = *reader->at;
    if (kind != 'u') {
        if (kind == '\0' || strchr("\"\\/bfnrt", kind) == NULL)
            return refuse(reader, error, "an unknown escape");
        reader->at++;
        return true;
    }
    reader->at++;
    for (int i = 0; i < 4; i++, reader->at++) {
        if (reader->at == reader->end || *reader->at == '\0' ||
            strchr("0123456789abcdefABCDEF", *reader->at) == NULL)
            return refuse(reader, error, "a \\u escape without four hexadecimal digits");
    }
    return true;
}

static bool read_string(struct json_reader *reader, struct error *error)
{
    reader->at++;
    while (reader->at < reader->end) {
        unsigned char byte = (unsigned char)*reader->at;
        if (byte == '"') {
            reader->at++;
            return true;
        }
        if (byte == '\\') {
            if (!read_escape(reader, error))
                return false;
        } else if (byte < ' ') {
            return refuse(reader, error, "a control character in a string");
        } else if (byte < 0x80) {
            reader->at++;
        } else {
            unsigned character;
            size_t length = utf8_read(reader->at, (size_t)(reader->end - reader->at), &character);
            if (length == 0)
                return refuse(reader, error, "invalid UTF-8");
            reader->at += length;
        }
    }
    return refuse(reader, error, "a string without an end");
}

static bool read_scalar(struct json_reader *reader, struct error *error)
{
    switch (json_reader_peek(reader)) {
    case '"':
        return read_string(reader, error);
    case 't':
        return skip_word(reader, "true") || refuse(reader, error, "no value");
    case 'f':
        return skip_word(reader, "false") || refuse(reader, error, "no value");
    case 'n':
        return skip_word(reader, "null") || refuse(reader, error, "no value");
    case 'N':
        return skip_word(reader, "NaN") || refuse(reader, error, "no value");
    case 'I':
        return skip_word(reader, "Infinity") || refuse(reader, error, "no value");
    case '-':
    case '0' ... '9':
        return read_number(reader, error);
    default:
        return refuse(reader, error, "no value");
    }
}

static bool read_key(struct json_reader *reader, struct error *error)
{
    if (json_reader_peek(reader) != '"')
        return refuse(reader, error, "no member's name");
    if (!read_string(reader, error))
        return false;
    if (json_reader_peek(reader) != ':')
        return refuse(reader, error, "no colon");
    reader->at++;
    return true;
}

/* The containers that are open, one bit each: whether it is an object. */
struct open_containers {
    unsigned char bits[(JSON_READER_DEPTH_MOST + CHAR_BIT - 1) / CHAR_BIT];
    int depth;
};

static bool innermost_is_object(const struct open_containers *open)
{
    int at = open->depth - 1;
    return open->bits[at / CHAR_BIT] >> at % CHAR_BIT & 1;
}

static bool push(struct json_reader *reader, struct open_containers *open, bool object, struct error *error)
{
    if (open->depth == JSON_READER_DEPTH_MOST)
        return refuse(reader, error, "nesting too deep");
    unsigned char bit = (unsigned char)(1u << open->depth % CHAR_BIT);
    unsigned char *bits = &open->bits[open->depth / CHAR_BIT];
    *bits = (unsigned char)(object ? *bits | bit : *bits & ~bit);
    open->depth++;
    reader->at++;
    return true;
}

/* After a value: closes the containers that end here, takes a comma (and the next member's name) if one
 * follows. */
static bool read_separator(struct json_reader *reader, struct open_containers *open, struct error *error)
{
    while (open->depth > 0) {
        bool object = innermost_is_object(open);
        char next = json_reader_peek(reader);
        if (next == ',') {
            reader->at++;
            return !object || read_key(reader, error);
        }
        if (next != (object ? '}' : ']'))
            return refuse(reader, error, "no comma");
        reader->at++;
        open->depth--;
    }
    return true;
}

static bool read_value(struct json_reader *reader, struct error *error)
{
    struct open_containers open = {.depth = 0};
    do {
        char next = json_reader_peek(reader);
        if (next == '[' || next == '{') {
            bool object = next == '{';
            if (!push(reader, &open, object, error))
                return false;
            next = json_reader_peek(reader);
            if (next != (object ? '}' : ']')) {
                if (object && !read_key(reader, error))
                    return false;
                continue;
            }
            reader->at++;
            open.depth--;
        } else if (!read_scalar(reader, error)) {
            return false;
        }
        if (!read_separator(reader, &open, error))
            return false;
    } while (open.depth > 0);
    return true;
}

bool json_reader_value(struct json_reader *reader, struct text_slice *value, struct error *error)
{
    skip_space(reader);
    const char *from = reader->at;
    if (!read_value(reader, error))
        return false;
    *value = (struct text_slice){from, (size_t)(reader->at - from)};
    return true;
}

void json_reader_open(struct json_reader *reader)
{
    skip_space(reader);
    reader->at++;
    reader->first = true;
}

bool json_reader_next(struct json_reader *reader, struct text_slice *key, struct text_slice *value,
                      struct error *error)
{
    char close = key == NULL ? ']' : '}', next = json_reader_peek(reader);
    if (next == close) {
        reader->at++;
        reader->first = false; /* a value of the container around has been read */
        *value = (struct text_slice){NULL, 0};
        return true;
    }
    if (!reader->first) {
        if (next != ',')
            return refuse(reader, error, "no comma");
        reader->at++;
    }
    reader->first = false;
    if (key != NULL) {
        skip_space(reader);
        key->data = reader->at;
        if (!read_key(reader, error))
            return false;
        const char *quote = memrchr(key->data, '"', (size_t)(reader->at - key->data));
        key->size = (size_t)(quote + 1 - key->data);
    }
    return json_reader_value(reader, value, error);
}

bool json_reader_end(struct json_reader *reader, struct error *error)
{
    return json_reader_peek(reader) == '\0' && reader->at == reader->end
               ? true
               : refuse(reader, error, "more than one value");
}

bool text_slice_is(const struct text_slice *string, const char *text)
{
    if (memchr(string->data, '\\', string->size) == NULL)
        return string->size == strlen(text) + 2 && memcmp(string->data + 1, text, string->size - 2) == 0;
    json_t *value = json_loadb(string->data, string->size, JSON_DECODE_ANY, NULL);
    bool same = json_is_string(value) && strcmp(json_string_value(value), text) == 0;
    json_decref(value);
    return same;
}
