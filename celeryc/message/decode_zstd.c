#include "celeryc/message/decoders.h"

#include <zstd.h>
#include <zstd_errors.h>

static bool decode_frames(ZSTD_DCtx *context, struct compressed from, struct bytes *bytes,
                          struct error *error)
{
    ZSTD_inBuffer in = {from.data, from.size, 0};
    for (;;) {
        size_t room;
        if (!decoder_room(bytes, &room, error))
            return false;
        ZSTD_outBuffer out = {bytes->data + bytes->size, room, 0};
        size_t more = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(more)) {
            bool large = ZSTD_getErrorCode(more) == ZSTD_error_frameParameter_windowTooLarge;
            return error_set(error, large ? ERROR_LIMIT : ERROR_INVALID, "no valid zstd frame: %s",
                             ZSTD_getErrorName(more));
        }
        bytes->size += out.pos;
        if (more == 0 && in.pos == in.size)
            return true;
        if (in.pos == in.size && out.pos < out.size)
            return error_set(error, ERROR_INVALID, "the zstd frame is cut off");
    }
}

bool decode_zstd(struct compressed from, struct bytes *bytes, struct error *error)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (context == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to decompress");
    /* The window that a frame asks for is memory before a byte has come out. */
    int window_log = bytes->limit != 0 && bytes->limit <= DECODER_MEMORY ? 24 : 27;
    (void)ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, window_log);
    bool done = decode_frames(context, from, bytes, error);
    ZSTD_freeDCtx(context);
    return done;
}
