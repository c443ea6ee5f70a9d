#include "celeryc/message/decoders.h"

#include <lzma.h>

static enum stream_end run(lzma_stream *stream, struct bytes *bytes, struct error *error)
{
    for (;;) {
        size_t room;
        if (!decoder_room(bytes, &room, error))
            return STREAM_FAILED;
        stream->next_out = (uint8_t *)bytes->data + bytes->size;
        stream->avail_out = room;
        lzma_ret code = lzma_code(stream, LZMA_FINISH);
        bytes->size += room - stream->avail_out;
        switch (code) {
        case LZMA_OK:
            continue;
        case LZMA_STREAM_END:
            return STREAM_WHOLE;
        case LZMA_BUF_ERROR:
            error_set(error, ERROR_INVALID, "the xz stream is cut off");
            return STREAM_FAILED;
        case LZMA_MEMLIMIT_ERROR:
            error_set(error, ERROR_LIMIT, "the xz stream takes too much memory");
            return STREAM_FAILED;
        case LZMA_MEM_ERROR:
            error_set(error, ERROR_MEMORY, "no memory to decompress");
            return STREAM_FAILED;
        default:
            error_set(error, ERROR_INVALID, "no valid xz stream (%d)", (int)code);
            return STREAM_DAMAGED;
        }
    }
}

static enum stream_end decode_stream(struct compressed *from, struct bytes *bytes, struct error *error)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    uint64_t memory = (uint64_t)DECODER_MEMORY + (bytes->limit == 0 ? BYTES_NO_LIMIT : bytes->limit);
    if (lzma_auto_decoder(&stream, memory, 0) != LZMA_OK) {
        error_set(error, ERROR_MEMORY, "no memory to decompress");
        return STREAM_FAILED;
    }
    stream.next_in = from->data;
    stream.avail_in = from->size;
    enum stream_end end = run(&stream, bytes, error);
    from->data += from->size - stream.avail_in;
    from->size = stream.avail_in;
    lzma_end(&stream);
    return end;
}

bool decode_lzma(struct compressed from, struct bytes *bytes, struct error *error)
{
    return decoder_all_streams(decode_stream, from, bytes, error);
}
