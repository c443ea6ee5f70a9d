/* A compressed body, its first byte the method: whatever comes, no more than the limit comes out. */
#include "celeryc/message/compression.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"zlib", "bzip2", "lzma", "zstd", "brotli"};
    struct bytes bytes;
    struct error error;
    if (size == 0)
        return 0;
    bytes_init(&bytes, 20000);
    (void)compression_undo(methods[data[0] % 5], data + 1, size - 1, &bytes, &error);
    if (bytes.size > 20000)
        abort();
    bytes_clear(&bytes);
    return 0;
}
