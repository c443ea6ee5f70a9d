#include "celeryc/message/decoders.h"

#include <bzlib.h>

static enum stream_end run(bz_stream *stream, struct bytes *bytes, struct error *error)
{
    for (;;) {
        size_t room;
        if (!decoder_room(bytes, &room, error))
            return STREAM_FAILED;
        stream->next_out = bytes->data + bytes->size;
        stream->avail_out = (unsigned)room;
        int code = BZ2_bzDecompress(stream);
        bytes->size += room - stream->avail_out;
        if (code == BZ_STREAM_END)
            return STREAM_WHOLE;
        if (code == BZ_OK && (stream->avail_in > 0 || stream->avail_out == 0))
            continue;
        if (code == BZ_OK)
            error_set(error, ERROR_INVALID, "the bzip2 stream is cut off");
        else if (code == BZ_MEM_ERROR)
            error_set(error, ERROR_MEMORY, "no memory to decompress");
        else
            error_set(error, ERROR_INVALID, "no valid bzip2 stream (%d)", code);
        return code == BZ_OK || code == BZ_MEM_ERROR ? STREAM_FAILED : STREAM_DAMAGED;
    }
}

static enum stream_end decode_stream(struct compressed *from, struct bytes *bytes, struct error *error)
{
    bz_stream stream = {.next_in = (char *)(size_t)from->data, .avail_in = (unsigned)from->size};
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) {
        error_set(error, ERROR_MEMORY, "no memory to decompress");
        return STREAM_FAILED;
    }
    enum stream_end end = run(&stream, bytes, error);
    from->data += from->size - stream.avail_in;
    from->size = stream.avail_in;
    BZ2_bzDecompressEnd(&stream);
    return end;
}

bool decode_bzip2(struct compressed from, struct bytes *bytes, struct error *error)
{
    return decoder_all_streams(decode_stream, from, bytes, error);
}
