/* Compressed bodies, by kombu's names: "application/x-gzip" (which is a zlib stream), and where the libraries
 * were there when this was built "application/x-bz2", "application/x-lzma" (xz, or the older format),
 * "application/zstd" and "application/x-brotli", with kombu's aliases. Pure. Source: kombu/compression.py. */
#ifndef CELERYC_MESSAGE_COMPRESSION_H
#define CELERYC_MESSAGE_COMPRESSION_H

#include "common/bytes.h"

/* Whether a `compression` header of that value is understood. */
bool compression_is_known(const char *method);

/* Appends the decompressed data to `bytes`, whose limit bounds it, and by which the memory is bounded that
 * decompressing takes: 16 MiB more (ERROR_LIMIT). ERROR_INVALID: an unknown method, or no such stream,
 * damaged, or cut off. Streams that follow each other are one, and what follows them is ignored, where Python
 * does that. */
bool compression_undo(const char *method, const void *data, size_t size, struct bytes *bytes,
                      struct error *error);

#endif
