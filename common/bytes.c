#include "common/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t limit_of(const struct bytes *bytes)
{
    return bytes->limit == 0 ? BYTES_NO_LIMIT : bytes->limit;
}

void bytes_init(struct bytes *bytes, size_t limit)
{
    *bytes = (struct bytes){.limit = limit};
}

void bytes_clear(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){.limit = bytes->limit};
}

/* One byte more than asked is always there, for the NUL of bytes_text(). */
static bool grow(struct bytes *bytes, size_t size, struct error *error)
{
    if (size < bytes->capacity)
        return true;
    size_t capacity = bytes->capacity < 64 ? 64 : bytes->capacity;
    while (capacity <= size)
        capacity *= 2;
    char *data = realloc(bytes->data, capacity);
    if (data == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a buffer of %zu bytes", capacity);
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

bool bytes_reserve(struct bytes *bytes, size_t extra, struct error *error)
{
    size_t limit = limit_of(bytes);
    if (extra > limit || bytes->size > limit - extra)
        return error_set(error, ERROR_LIMIT, "more than %zu bytes", limit);
    return grow(bytes, bytes->size + extra, error);
}

char *bytes_take(struct bytes *bytes, size_t *size)
{
    if (bytes_text(bytes) == NULL)
        return NULL;
    char *data = bytes->data;
    if (size != NULL)
        *size = bytes->size;
    *bytes = (struct bytes){.limit = bytes->limit};
    return data;
}

bool bytes_append(struct bytes *bytes, const void *data, size_t size, struct error *error)
{
    if (!bytes_reserve(bytes, size, error))
        return false;
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return true;
}

bool bytes_append_text(struct bytes *bytes, const char *text, struct error *error)
{
    return bytes_append(bytes, text, strlen(text), error);
}

bool bytes_append_format(struct bytes *bytes, struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    bool ok = length >= 0 && bytes_reserve(bytes, (size_t)length + 1, error);
    if (ok) {
        (void)vsnprintf(bytes->data + bytes->size, (size_t)length + 1, format, again);
        bytes->size += (size_t)length;
    }
    va_end(again);
    return ok;
}

void bytes_consume(struct bytes *bytes, size_t count)
{
    if (count >= bytes->size) {
        bytes->size = 0;
        return;
    }
    if (count == 0)
        return;
    memmove(bytes->data, bytes->data + count, bytes->size - count);
    bytes->size -= count;
}

void bytes_truncate(struct bytes *bytes, size_t size)
{
    if (size < bytes->size)
        bytes->size = size;
}

const char *bytes_text(struct bytes *bytes)
{
    if (!grow(bytes, bytes->size, NULL))
        return NULL;
    bytes->data[bytes->size] = '\0';
    return bytes->data;
}
