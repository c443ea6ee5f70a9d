/* The decoders behind compression.h, one for each library. Internal to this room. Each appends all that
 * `data` decompresses to, as compression_undo() says it. */
#ifndef CELERYC_MESSAGE_DECODERS_H
#define CELERYC_MESSAGE_DECODERS_H

#include "common/bytes.h"

#include <stdint.h>

struct compressed {
    const uint8_t *data;
    size_t size;
};

enum { DECODER_MEMORY = 16 * 1024 * 1024 }; /* bytes of memory beside what comes out */

/* What comes out next: makes room in `bytes` and tells how much. ERROR_LIMIT when its limit is reached. */
bool decoder_room(struct bytes *bytes, size_t *room, struct error *error);

/* One stream at the beginning of `from`, which is moved behind it. */
enum stream_end {
    STREAM_WHOLE,
    STREAM_DAMAGED, /* or none at all */
    STREAM_FAILED,  /* cut off, too large, no memory */
};
typedef enum stream_end decoder_stream(struct compressed *from, struct bytes *bytes, struct error *error);

/* All streams that follow each other. What follows them, and is none, is ignored. */
bool decoder_all_streams(decoder_stream *decode, struct compressed from, struct bytes *bytes,
                         struct error *error);

bool decode_zlib(struct compressed from, struct bytes *bytes, struct error *error);
bool decode_bzip2(struct compressed from, struct bytes *bytes, struct error *error);
bool decode_lzma(struct compressed from, struct bytes *bytes, struct error *error);
bool decode_zstd(struct compressed from, struct bytes *bytes, struct error *error);
bool decode_brotli(struct compressed from, struct bytes *bytes, struct error *error);

#endif
