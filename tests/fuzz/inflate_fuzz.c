/* A compressed body: whatever comes, no more than the limit comes out. */
#include "celeryc/message/compression.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes;
    struct error error;
    bytes_init(&bytes, 20000);
    (void)compression_inflate(data, size, &bytes, &error);
    if (bytes.size > 20000)
        abort();
    bytes_clear(&bytes);
    return 0;
}
