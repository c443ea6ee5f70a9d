#include "celeryc/message/compression.h"

#include "celeryc/message/decoders.h"

#include <limits.h>
#include <string.h>

static const struct method {
    const char *names[4]; /* the content type, then kombu's aliases */
    bool (*decode)(struct compressed from, struct bytes *bytes, struct error *error);
} methods[] = {
    {{"application/x-gzip", "gzip", "zlib"}, decode_zlib},
#ifdef HAVE_BZIP2
    {{"application/x-bz2", "bzip2", "bzip"}, decode_bzip2},
#endif
#ifdef HAVE_LZMA
    {{"application/x-lzma", "lzma", "xz"}, decode_lzma},
#endif
#ifdef HAVE_ZSTD
    {{"application/zstd", "zstd", "zstandard"}, decode_zstd},
#endif
#ifdef HAVE_BROTLI
    {{"application/x-brotli", "brotli"}, decode_brotli},
#endif
};

static const struct method *find(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        for (const char *const *known = methods[i].names; *known != NULL; known++) {
            if (strcmp(*known, name) == 0)
                return &methods[i];
        }
    }
    return NULL;
}

bool compression_is_known(const char *method)
{
    return find(method) != NULL;
}

bool compression_undo(const char *method, const void *data, size_t size, struct bytes *bytes,
                      struct error *error)
{
    const struct method *found = find(method);
    if (found == NULL)
        return error_set(error, ERROR_INVALID, "unknown compression");
    if (size > UINT_MAX)
        return error_set(error, ERROR_LIMIT, "more than %u bytes compressed", UINT_MAX);
    return found->decode((struct compressed){data, size}, bytes, error);
}

bool decoder_room(struct bytes *bytes, size_t *room, struct error *error)
{
    size_t limit = bytes->limit == 0 ? BYTES_NO_LIMIT : bytes->limit;
    if (bytes->size >= limit)
        return error_set(error, ERROR_LIMIT, "more than %zu bytes decompressed", limit);
    *room = limit - bytes->size < 64 * 1024 ? limit - bytes->size : 64 * 1024;
    return bytes_reserve(bytes, *room, error);
}

bool decoder_all_streams(decoder_stream *decode, struct compressed from, struct bytes *bytes,
                         struct error *error)
{
    bool first = true;
    do {
        size_t before = bytes->size;
        enum stream_end end = decode(&from, bytes, error);
        if (end == STREAM_DAMAGED && !first) {
            bytes_truncate(bytes, before);
            return true;
        }
        if (end != STREAM_WHOLE)
            return false;
        first = false;
    } while (from.size > 0);
    return true;
}
