#include "celeryc/message/decoders.h"

#include <brotli/decode.h>

static bool decode_stream(BrotliDecoderState *state, struct compressed from, struct bytes *bytes,
                          struct error *error)
{
    for (;;) {
        size_t room;
        if (!decoder_room(bytes, &room, error))
            return false;
        uint8_t *out = (uint8_t *)bytes->data + bytes->size;
        size_t left = room;
        BrotliDecoderResult result =
            BrotliDecoderDecompressStream(state, &from.size, &from.data, &left, &out, NULL);
        bytes->size += room - left;
        if (result == BROTLI_DECODER_RESULT_SUCCESS)
            return from.size == 0 || error_set(error, ERROR_INVALID, "something follows the brotli stream");
        if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT)
            return error_set(error, ERROR_INVALID, "the brotli stream is cut off");
        if (result == BROTLI_DECODER_RESULT_ERROR)
            return error_set(error, ERROR_INVALID, "no valid brotli stream: %s",
                             BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state)));
    }
}

/* A window is 16 MiB at most. */
bool decode_brotli(struct compressed from, struct bytes *bytes, struct error *error)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (state == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to decompress");
    bool done = decode_stream(state, from, bytes, error);
    BrotliDecoderDestroyInstance(state);
    return done;
}
