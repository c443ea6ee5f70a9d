/* Compressed bodies. kombu names a zlib stream "application/x-gzip"; its other methods (bzip2, lzma, zstd,
 * brotli) are optional there and not known here. Pure. Source: kombu/compression.py. */
#ifndef CELERYC_MESSAGE_COMPRESSION_H
#define CELERYC_MESSAGE_COMPRESSION_H

#include "common/bytes.h"

/* Whether a `compression` header of that value is understood: "application/x-gzip", "gzip", "zlib". */
bool compression_is_known(const char *method);

/* Appends the decompressed data to `bytes`, whose limit bounds it (ERROR_LIMIT); what follows the stream is
 * ignored, as zlib.decompress() does. ERROR_INVALID: no zlib stream, damaged, or cut off. */
bool compression_inflate(const void *data, size_t size, struct bytes *bytes, struct error *error);

#endif
