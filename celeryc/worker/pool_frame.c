#include "celeryc/worker/pool_frame.h"

#include <string.h>

/* What a JSON value begins with. */
enum mark {
    MARK_NONE,
    MARK_NULL,
    MARK_FALSE,
    MARK_TRUE,
    MARK_INTEGER,
    MARK_REAL,
    MARK_TEXT,
    MARK_ARRAY,
    MARK_OBJECT
};

/* ---- writing ---- */

static void put(struct frame_writer *writer, const void *data, size_t size)
{
    struct error error;
    if (writer->failed || bytes_append(writer->to, data, size, &error))
        return;
    writer->failed = true;
    writer->out_of_memory = error.code == ERROR_MEMORY;
}

void frame_begin(struct frame_writer *writer, struct bytes *to, enum frame_kind kind)
{
    *writer = (struct frame_writer){.to = to, .start = to->size};
    frame_put_u32(writer, 0);
    frame_put_u8(writer, (uint8_t)kind);
}

void frame_put_u8(struct frame_writer *writer, uint8_t value)
{
    put(writer, &value, sizeof value);
}

void frame_put_u32(struct frame_writer *writer, uint32_t value)
{
    put(writer, &value, sizeof value);
}

void frame_put_i64(struct frame_writer *writer, int64_t value)
{
    put(writer, &value, sizeof value);
}

void frame_put_double(struct frame_writer *writer, double value)
{
    put(writer, &value, sizeof value);
}

void frame_put_bytes(struct frame_writer *writer, const void *data, size_t size)
{
    if (size >= FRAME_MOST) {
        writer->failed = true;
        return;
    }
    frame_put_u32(writer, (uint32_t)size);
    put(writer, data, size);
}

/* Text goes with its NUL, so that the reader can lend it; the length counts the NUL, 0 is NULL. */
void frame_put_text(struct frame_writer *writer, const char *text)
{
    frame_put_bytes(writer, text, text == NULL ? 0 : strlen(text) + 1);
}

static void put_json(struct frame_writer *writer, json_t *value, int depth);

static void put_object(struct frame_writer *writer, json_t *object, int depth)
{
    const char *key;
    json_t *value;
    frame_put_u8(writer, MARK_OBJECT);
    frame_put_u32(writer, (uint32_t)json_object_size(object));
    json_object_foreach(object, key, value)
    {
        frame_put_bytes(writer, key, strlen(key) + 1);
        put_json(writer, value, depth + 1);
    }
}

static void put_array(struct frame_writer *writer, json_t *array, int depth)
{
    size_t count = json_array_size(array);
    frame_put_u8(writer, MARK_ARRAY);
    frame_put_u32(writer, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        put_json(writer, json_array_get(array, i), depth + 1);
}

static void put_json(struct frame_writer *writer, json_t *value, int depth)
{
    if (depth > FRAME_JSON_DEPTH) {
        writer->failed = true;
        return;
    }
    if (value == NULL) {
        frame_put_u8(writer, MARK_NONE);
        return;
    }
    switch (json_typeof(value)) {
    case JSON_NULL:
        frame_put_u8(writer, MARK_NULL);
        break;
    case JSON_FALSE:
        frame_put_u8(writer, MARK_FALSE);
        break;
    case JSON_TRUE:
        frame_put_u8(writer, MARK_TRUE);
        break;
    case JSON_INTEGER:
        frame_put_u8(writer, MARK_INTEGER);
        frame_put_i64(writer, json_integer_value(value));
        break;
    case JSON_REAL:
        frame_put_u8(writer, MARK_REAL);
        frame_put_double(writer, json_real_value(value));
        break;
    case JSON_STRING:
        frame_put_u8(writer, MARK_TEXT);
        frame_put_bytes(writer, json_string_value(value), json_string_length(value));
        break;
    case JSON_ARRAY:
        put_array(writer, value, depth);
        break;
    case JSON_OBJECT:
        put_object(writer, value, depth);
        break;
    }
}

void frame_put_json(struct frame_writer *writer, json_t *value)
{
    put_json(writer, value, 0);
}

bool frame_end(struct frame_writer *writer, struct error *error)
{
    size_t length = writer->to->size - writer->start - sizeof(uint32_t);
    if (writer->failed || length > FRAME_MOST) {
        bytes_truncate(writer->to, writer->start);
        if (writer->out_of_memory)
            return error_set(error, ERROR_MEMORY, "no memory to hand the message over");
        return error_set(error, ERROR_LIMIT,
                         "the message is too large to hand over (over %zu bytes, or nested too deep)",
                         FRAME_MOST);
    }
    uint32_t head = (uint32_t)length;
    memcpy(writer->to->data + writer->start, &head, sizeof head);
    return true;
}

/* ---- reading ---- */

enum frame_next frame_next(const char *data, size_t available, enum frame_kind *kind,
                           struct frame_reader *reader, size_t *size)
{
    uint32_t length;
    *size = 0;
    if (available < sizeof length)
        return FRAME_NEXT_MORE;
    memcpy(&length, data, sizeof length);
    if (length < 1 || length > FRAME_MOST)
        return FRAME_NEXT_BAD;
    *size = sizeof length + length;
    if (available < *size)
        return FRAME_NEXT_MORE;
    *kind = (enum frame_kind)(unsigned char)data[sizeof length];
    *reader = (struct frame_reader){.at = (const unsigned char *)data + FRAME_HEAD,
                                    .end = (const unsigned char *)data + *size};
    return FRAME_NEXT_WHOLE;
}

static const unsigned char *get(struct frame_reader *reader, size_t size)
{
    if (reader->failed || (size_t)(reader->end - reader->at) < size) {
        reader->failed = true;
        return NULL;
    }
    const unsigned char *at = reader->at;
    reader->at += size;
    return at;
}

static void get_into(struct frame_reader *reader, void *to, size_t size)
{
    const unsigned char *at = get(reader, size);
    if (at != NULL)
        memcpy(to, at, size);
}

uint8_t frame_get_u8(struct frame_reader *reader)
{
    uint8_t value = 0;
    get_into(reader, &value, sizeof value);
    return value;
}

uint32_t frame_get_u32(struct frame_reader *reader)
{
    uint32_t value = 0;
    get_into(reader, &value, sizeof value);
    return value;
}

int64_t frame_get_i64(struct frame_reader *reader)
{
    int64_t value = 0;
    get_into(reader, &value, sizeof value);
    return value;
}

double frame_get_double(struct frame_reader *reader)
{
    double value = 0;
    get_into(reader, &value, sizeof value);
    return value;
}

const char *frame_get_bytes(struct frame_reader *reader, size_t *size)
{
    uint32_t length = frame_get_u32(reader);
    const unsigned char *at = get(reader, length);
    *size = at == NULL ? 0 : length;
    return (const char *)at;
}

const char *frame_get_text(struct frame_reader *reader)
{
    size_t size;
    const char *text = frame_get_bytes(reader, &size);
    if (text == NULL || size == 0)
        return NULL;
    if (text[size - 1] != '\0') {
        reader->failed = true;
        return NULL;
    }
    return text;
}

static json_t *get_json(struct frame_reader *reader, int depth);

static json_t *get_array(struct frame_reader *reader, int depth)
{
    json_t *array = json_array();
    uint32_t count = frame_get_u32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        json_t *value = get_json(reader, depth + 1);
        if (value == NULL || json_array_append_new(array, value) != 0)
            reader->failed = true;
    }
    return array;
}

static json_t *get_object(struct frame_reader *reader, int depth)
{
    json_t *object = json_object();
    uint32_t count = frame_get_u32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        const char *key = frame_get_text(reader);
        json_t *value = key == NULL ? NULL : get_json(reader, depth + 1);
        if (value == NULL || json_object_set_new_nocheck(object, key, value) != 0)
            reader->failed = true;
    }
    return object;
}

static json_t *get_text(struct frame_reader *reader)
{
    size_t size;
    const char *text = frame_get_bytes(reader, &size);
    return text == NULL ? NULL : json_stringn_nocheck(text, size);
}

/* NULL for MARK_NONE, and after a failure. */
static json_t *get_json(struct frame_reader *reader, int depth)
{
    if (depth > FRAME_JSON_DEPTH)
        reader->failed = true;
    json_t *value = NULL;
    switch (reader->failed ? MARK_NONE : frame_get_u8(reader)) {
    case MARK_NONE:
        return NULL;
    case MARK_NULL:
        value = json_null();
        break;
    case MARK_FALSE:
        value = json_false();
        break;
    case MARK_TRUE:
        value = json_true();
        break;
    case MARK_INTEGER:
        value = json_integer(frame_get_i64(reader));
        break;
    case MARK_REAL:
        value = json_real(frame_get_double(reader));
        break;
    case MARK_TEXT:
        value = get_text(reader);
        break;
    case MARK_ARRAY:
        value = get_array(reader, depth);
        break;
    case MARK_OBJECT:
        value = get_object(reader, depth);
        break;
    default:
        break;
    }
    if (value == NULL)
        reader->failed = true;
    return value;
}

json_t *frame_get_json(struct frame_reader *reader)
{
    json_t *value = get_json(reader, 0);
    if (!reader->failed)
        return value;
    json_decref(value);
    return NULL;
}

bool frame_is_read(const struct frame_reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}
