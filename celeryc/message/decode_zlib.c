#include "celeryc/message/decoders.h"

#include <zlib.h>

static bool inflate_all(z_stream *stream, struct bytes *bytes, struct error *error)
{
    for (;;) {
        size_t room;
        if (!decoder_room(bytes, &room, error))
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

/* zlib.decompress() takes one stream. */
bool decode_zlib(struct compressed from, struct bytes *bytes, struct error *error)
{
    z_stream stream = {.next_in = (Bytef *)(size_t)from.data, .avail_in = (uInt)from.size};
    if (inflateInit(&stream) != Z_OK)
        return error_set(error, ERROR_MEMORY, "no memory to decompress");
    bool done = inflate_all(&stream, bytes, error);
    inflateEnd(&stream);
    return done;
}
