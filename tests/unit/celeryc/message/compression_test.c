#include "celeryc/message/compression.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static size_t deflated(const char *text, size_t size, Bytef **made)
{
    uLongf room = compressBound(size);
    *made = malloc(room);
    CU_ASSERT(compress(*made, &room, (const Bytef *)text, size) == Z_OK);
    return room;
}

static void a_zlib_stream_comes_back(void)
{
    Bytef *packed;
    size_t size = deflated("hello", 5, &packed);
    struct bytes bytes;
    bytes_init(&bytes, 5);
    CU_ASSERT_TRUE(compression_inflate(packed, size, &bytes, NULL));
    CU_ASSERT(bytes.size == 5 && memcmp(bytes.data, "hello", 5) == 0);
    bytes_clear(&bytes);
    free(packed);
}

static void nothing_comes_back_as_nothing(void)
{
    Bytef *packed;
    size_t size = deflated("", 0, &packed);
    struct bytes bytes;
    bytes_init(&bytes, 100);
    CU_ASSERT_TRUE(compression_inflate(packed, size, &bytes, NULL));
    CU_ASSERT(bytes.size == 0);
    bytes_clear(&bytes);
    free(packed);
}

static void what_grows_beyond_the_limit_is_refused(void)
{
    size_t size = 50 * 1024 * 1024;
    char *zeros = calloc(1, size);
    Bytef *packed;
    size_t packed_size = deflated(zeros, size, &packed);
    free(zeros);
    struct bytes bytes;
    struct error error;
    bytes_init(&bytes, 1024 * 1024);
    CU_ASSERT_FALSE(compression_inflate(packed, packed_size, &bytes, &error));
    CU_ASSERT(error.code == ERROR_LIMIT);
    CU_ASSERT(bytes.size <= 1024 * 1024);
    bytes_clear(&bytes);
    free(packed);
}

static void what_is_cut_off_or_damaged_is_refused(void)
{
    const char *text = "some text that is long enough to be compressed, some text that is long enough";
    Bytef *packed;
    size_t size = deflated(text, strlen(text), &packed);
    for (size_t kept = 0; kept < size; kept++) {
        struct bytes bytes;
        struct error error;
        bytes_init(&bytes, 4096);
        CU_ASSERT_FALSE(compression_inflate(packed, kept, &bytes, &error));
        CU_ASSERT(error.code == ERROR_INVALID);
        bytes_clear(&bytes);
    }
    packed[size - 1] ^= 1; /* the checksum */
    struct bytes bytes;
    bytes_init(&bytes, 4096);
    CU_ASSERT_FALSE(compression_inflate(packed, size, &bytes, NULL));
    bytes_clear(&bytes);
    free(packed);
}

static void what_follows_the_stream_is_ignored(void)
{
    Bytef *packed;
    size_t size = deflated("hello", 5, &packed);
    packed = realloc(packed, size + 3);
    memcpy(packed + size, "???", 3);
    struct bytes bytes;
    bytes_init(&bytes, 100);
    CU_ASSERT_TRUE(compression_inflate(packed, size + 3, &bytes, NULL));
    CU_ASSERT(bytes.size == 5);
    bytes_clear(&bytes);
    free(packed);
}

UNIT_MAIN("compression", {"a zlib stream comes back", a_zlib_stream_comes_back},
          {"nothing comes back as nothing", nothing_comes_back_as_nothing},
          {"what grows beyond the limit is refused", what_grows_beyond_the_limit_is_refused},
          {"what is cut off or damaged is refused", what_is_cut_off_or_damaged_is_refused},
          {"what follows the stream is ignored", what_follows_the_stream_is_ignored})
