#include "celeryc/message/compression.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

bool compression_is_known(const char *method)
{
    return strcmp(method, "application/x-gzip") == 0 || strcmp(method, "gzip") == 0 ||
           strcmp(method, "zlib") == 0;
}

static bool inflate_all(z_stream *stream, struct bytes *bytes, struct error *error)
{
    for (;;) {
        if (bytes->size == bytes->limit && bytes->limit != 0)
            return error_set(error, ERROR_LIMIT, "more than %zu bytes decompressed", bytes->limit);
        size_t room = 64 * 1024;
        if (bytes->limit != 0 && bytes->limit - bytes->size < room)
            room = bytes->limit - bytes->size;
        if (!bytes_reserve(bytes, room, error))
            return false;
        stream->next_out = (Bytef *)bytes->data + bytes->size;
        stream->avail_out = (uInt)room;
        int code = inflate(stream, Z_NO_FLUSH);
        bytes->size += room - stream->avail_out;
        if (code == Z_STREAM_END)
            return true;
        if (code == Z_MEM_ERROR)
            return error_set(error, ERROR_MEMORY, "no memory to decompress");
        if (code == Z_BUF_ERROR || (code == Z_OK && stream->avail_in == 0 && stream->avail_out > 0))
            return error_set(error, ERROR_INVALID, "the zlib stream is cut off");
        if (code != Z_OK)
            return error_set(error, ERROR_INVALID, "no valid zlib stream: %s",
                             stream->msg == NULL ? "it needs a dictionary" : stream->msg);
    }
}

bool compression_inflate(const void *data, size_t size, struct bytes *bytes, struct error *error)
{
    if (size > UINT_MAX)
        return error_set(error, ERROR_LIMIT, "more than %u bytes compressed", UINT_MAX);
    z_stream stream = {.next_in = (Bytef *)(size_t)data, .avail_in = (uInt)size};
    if (inflateInit(&stream) != Z_OK)
        return error_set(error, ERROR_MEMORY, "no memory to decompress");
    bool done = inflate_all(&stream, bytes, error);
    inflateEnd(&stream);
    return done;
}
