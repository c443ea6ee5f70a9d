#include "celeryc/message/body_parts.h"

#include "celeryc/message/compression.h"
#include "common/bytes.h"

#include <stdlib.h>
#include <string.h>

bool body_type_is_json(const struct wire_message *wire)
{
    return wire->content_type != NULL && strcmp(wire->content_type, "application/json") == 0;
}

bool body_type_is_trusted(const struct wire_message *wire)
{
    return wire->content_type == NULL || wire->content_type[0] == '\0' ||
           strcmp(wire->content_type, "application/data") == 0 ||
           strcmp(wire->content_type, "application/text") == 0;
}

/* Python's truth of the header: what is empty, zero or null means no compression. */
static bool is_compressed(const struct wire_message *wire)
{
    json_t *method = json_object_get(wire->headers, "compression");
    if (json_is_string(method))
        return json_string_length(method) > 0;
    if (json_is_number(method))
        return json_number_value(method) != 0;
    return json_is_true(method) || json_array_size(method) > 0 || json_object_size(method) > 0;
}

bool body_compression_is_known(const struct wire_message *wire)
{
    if (!is_compressed(wire))
        return true;
    const char *method = json_string_value(json_object_get(wire->headers, "compression"));
    return method != NULL && compression_is_known(method);
}

/* The body's text: the wire message's own bytes, or decompressed ones in `parts`. */
static enum message_fault body_text(const struct wire_message *wire, size_t limit, struct body_parts *parts,
                                    struct text_slice *text, struct error *error)
{
    *text = (struct text_slice){wire->body, wire->body_size};
    if (is_compressed(wire)) {
        struct bytes bytes;
        bytes_init(&bytes, limit);
        if (!body_compression_is_known(wire) ||
            !compression_undo(json_string_value(json_object_get(wire->headers, "compression")), wire->body,
                              wire->body_size, &bytes, error)) {
            bytes_clear(&bytes);
            error_context(error, "its body does not decompress");
            return MESSAGE_UNDECODABLE;
        }
        parts->text = bytes_take(&bytes, &parts->text_size);
        if (parts->text == NULL) {
            bytes_clear(&bytes);
            error_set(error, ERROR_MEMORY, "no memory for a body");
            return MESSAGE_UNDECODABLE;
        }
        *text = (struct text_slice){parts->text, parts->text_size};
    }
    if (text->size > limit) {
        error_set(error, ERROR_LIMIT, "its body is longer than %zu bytes", limit);
        return MESSAGE_UNDECODABLE;
    }
    return MESSAGE_GOOD;
}

static bool is_null(const struct text_slice *value)
{
    return value->size == 4 && memcmp(value->data, "null", 4) == 0;
}

/* What Python takes for false: the embedded part may be any such value, and is then nothing. */
static bool is_false(const struct text_slice *value)
{
    const char *const texts[] = {"null", "false", "0", "0.0", "-0", "-0.0", "\"\"", "[]", "{}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (value->size == strlen(texts[i]) && memcmp(value->data, texts[i], value->size) == 0)
            return true;
    }
    return false;
}

/* Adds one member to the decoded fields, unless Jansson cannot hold it. False when memory is out. */
static bool add_field(json_t *fields, const struct text_slice *key, const struct text_slice *value)
{
    json_t *name = json_loadb(key->data, key->size, JSON_DECODE_ANY, NULL);
    json_t *held = json_loadb(value->data, value->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool good = name == NULL || held == NULL || json_object_set(fields, json_string_value(name), held) == 0;
    json_decref(name);
    json_decref(held);
    return good;
}

static bool read_members(struct json_reader *reader, struct body_parts *parts, bool object_body,
                         struct error *error)
{
    struct {
        const char *name;
        struct text_slice *to;
        bool keep_null;
    } const known[] = {
        {"args", &parts->args, true},
        {"kwargs", &parts->kwargs, true},
        {"callbacks", &parts->callbacks, false},
        {"errbacks", &parts->errbacks, false},
        {"chain", &parts->chain, false},
        {"chord", &parts->chord, false},
    };
    json_reader_open(reader);
    for (;;) {
        struct text_slice key, value;
        if (!json_reader_next(reader, &key, &value, error))
            return false;
        if (value.data == NULL)
            return true;
        for (size_t i = object_body ? 0 : 2; i < sizeof known / sizeof known[0]; i++) {
            if (text_slice_is(&key, known[i].name))
                *known[i].to = !known[i].keep_null && is_null(&value) ? (struct text_slice){NULL, 0} : value;
        }
        if (parts->fields != NULL && !add_field(parts->fields, &key, &value))
            return error_set(error, ERROR_MEMORY, "no memory for a body");
    }
}

/* [args, kwargs, embed]; `fits` tells whether it is that, or JSON of another shape. */
static bool read_triple(struct json_reader *reader, struct body_parts *parts, bool *fits, struct error *error)
{
    struct text_slice items[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}}, item;
    size_t count = 0;
    json_reader_open(reader);
    for (;;) {
        if (!json_reader_next(reader, NULL, &item, error))
            return false;
        if (item.data == NULL)
            break;
        if (count < 3)
            items[count] = item;
        count++;
    }
    *fits = count == 3 && (items[2].data[0] == '{' || is_false(&items[2]));
    parts->args = items[0];
    parts->kwargs = items[1];
    if (!*fits || is_false(&items[2]))
        return true;
    struct json_reader embed;
    json_reader_init(&embed, items[2].data, items[2].size);
    return read_members(&embed, parts, false, error);
}

static bool read_document(const struct text_slice *text, bool fields, struct body_parts *parts, bool *fits,
                          struct error *error)
{
    struct json_reader reader;
    json_reader_init(&reader, text->data, text->size);
    *fits = false;
    char first = json_reader_peek(&reader);
    struct text_slice value;
    if (first == '{') {
        parts->fields = fields ? json_object() : NULL;
        if (fields && parts->fields == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for a body");
        if (!read_members(&reader, parts, true, error))
            return false;
        parts->chain = (struct text_slice){NULL, 0}; /* protocol 1 has none */
        *fits = true;
    } else if (first == '[') {
        parts->is_triple = true;
        if (!read_triple(&reader, parts, fits, error))
            return false;
    } else if (!json_reader_value(&reader, &value, error)) {
        return false;
    }
    return json_reader_end(&reader, error);
}

enum message_fault body_parts_read(const struct wire_message *wire, size_t limit, bool fields,
                                   struct body_parts *parts, struct error *error)
{
    *parts = (struct body_parts){.text = NULL};
    struct text_slice text;
    enum message_fault fault = body_text(wire, limit == 0 ? BODY_SIZE_MOST : limit, parts, &text, error);
    if (fault != MESSAGE_GOOD)
        return fault;
    if (!body_type_is_json(wire)) {
        error_set(error, ERROR_INVALID, "content of type %.64s is not accepted",
                  wire->content_type == NULL ? "application/data" : wire->content_type);
        return MESSAGE_NOT_ACCEPTED;
    }
    if (text.size == 0) {
        error_set(error, ERROR_INVALID, "its body is empty");
        return MESSAGE_INVALID;
    }
    bool fits;
    if (!read_document(&text, fields, parts, &fits, error)) {
        error_context(error, "its body does not decode");
        return MESSAGE_UNDECODABLE;
    }
    if (!fits) {
        error_set(error, ERROR_INVALID, "its body is not [args, kwargs, embed]");
        return MESSAGE_INVALID;
    }
    return MESSAGE_GOOD;
}

void body_parts_clear(struct body_parts *parts)
{
    json_decref(parts->fields);
    free(parts->text);
    *parts = (struct body_parts){.text = NULL};
}
