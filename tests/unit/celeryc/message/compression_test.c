#include "celeryc/message/compression.h"
#include "tests/unit/unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* "hello", made by the tools of each format. */
static const struct sample {
    const char *method;
    uint8_t data[80];
    size_t size;
    bool is_series; /* several streams that follow each other are one, and what follows is ignored */
} samples[] = {
    {"application/x-bz2",
     {0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0x19, 0x31, 0x65, 0x3d,
      0x00, 0x00, 0x00, 0x81, 0x00, 0x02, 0x44, 0xa0, 0x00, 0x21, 0x9a, 0x68, 0x33, 0x4d,
      0x07, 0x33, 0x8b, 0xb9, 0x22, 0x9c, 0x28, 0x48, 0x0c, 0x98, 0xb2, 0x9e, 0x80},
     41,
     true},
    {"application/x-lzma",
     {0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01,
      0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x04, 0x68, 0x65, 0x6c, 0x6c, 0x6f,
      0x00, 0x00, 0x00, 0x00, 0xb1, 0x37, 0xb9, 0xdb, 0xe5, 0xda, 0x1e, 0x9b, 0x00, 0x01, 0x1d, 0x05,
      0xb8, 0x2d, 0x80, 0xaf, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a},
     64,
     true},
    {"lzma",
     {0x5d, 0x00, 0x00, 0x80, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
      0x34, 0x19, 0x49, 0xee, 0x8e, 0x68, 0x21, 0xff, 0xff, 0xff, 0xb9, 0xe0, 0x00, 0x00},
     28,
     false},
    {"application/zstd",
     {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x05, 0x29, 0x00, 0x00, 0x68, 0x65, 0x6c, 0x6c, 0x6f},
     14,
     false},
    {"application/x-brotli", {0x0b, 0x02, 0x80, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x03}, 9, false},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

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
    CU_ASSERT_TRUE(compression_undo("zlib", packed, size, &bytes, NULL));
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
    CU_ASSERT_TRUE(compression_undo("zlib", packed, size, &bytes, NULL));
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
    CU_ASSERT_FALSE(compression_undo("zlib", packed, packed_size, &bytes, &error));
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
        CU_ASSERT_FALSE(compression_undo("zlib", packed, kept, &bytes, &error));
        CU_ASSERT(error.code == ERROR_INVALID);
        bytes_clear(&bytes);
    }
    packed[size - 1] ^= 1; /* the checksum */
    struct bytes bytes;
    bytes_init(&bytes, 4096);
    CU_ASSERT_FALSE(compression_undo("zlib", packed, size, &bytes, NULL));
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
    CU_ASSERT_TRUE(compression_undo("zlib", packed, size + 3, &bytes, NULL));
    CU_ASSERT(bytes.size == 5);
    bytes_clear(&bytes);
    free(packed);
}

static void check(const struct sample *sample, const void *data, size_t size, const char *expected)
{
    struct bytes bytes;
    struct error error = {.code = ERROR_NONE};
    bytes_init(&bytes, 4096);
    bool done = compression_undo(sample->method, data, size, &bytes, &error);
    CU_ASSERT(done == (expected != NULL));
    if (expected == NULL) {
        CU_ASSERT(error.code == ERROR_INVALID);
    } else {
        CU_ASSERT(bytes.size == strlen(expected) && memcmp(bytes.data, expected, bytes.size) == 0);
    }
    bytes_clear(&bytes);
}

static void every_method_comes_back(void)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *sample = &samples[i];
        if (!compression_is_known(sample->method)) /* its library was not there */
            continue;
        uint8_t twice[200];
        memcpy(twice, sample->data, sample->size);
        memcpy(twice + sample->size, sample->data, sample->size);
        check(sample, sample->data, sample->size, "hello");
        for (size_t kept = 0; kept < sample->size; kept++)
            check(sample, sample->data, kept, NULL);
        check(sample, "this is no such stream", 22, NULL);
        if (sample->is_series) {
            check(sample, twice, 2 * sample->size, "hellohello");
            memcpy(twice + sample->size, "what follows", 12);
            check(sample, twice, sample->size + 12, "hello");
        }
    }
}

static void every_method_is_held_to_the_limit(void)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct bytes bytes;
        struct error error = {.code = ERROR_NONE};
        if (!compression_is_known(samples[i].method))
            continue;
        bytes_init(&bytes, 4);
        CU_ASSERT_FALSE(
            compression_undo(samples[i].method, samples[i].data, samples[i].size, &bytes, &error));
        CU_ASSERT(error.code == ERROR_LIMIT && bytes.size <= 4);
        bytes_clear(&bytes);
    }
}

UNIT_MAIN("compression", {"a zlib stream comes back", a_zlib_stream_comes_back},
          {"every method comes back", every_method_comes_back},
          {"every method is held to the limit", every_method_is_held_to_the_limit},
          {"nothing comes back as nothing", nothing_comes_back_as_nothing},
          {"what grows beyond the limit is refused", what_grows_beyond_the_limit_is_refused},
          {"what is cut off or damaged is refused", what_is_cut_off_or_damaged_is_refused},
          {"what follows the stream is ignored", what_follows_the_stream_is_ignored})
