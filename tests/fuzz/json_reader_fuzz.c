/* JSON text: what Jansson takes, the reader takes too; printed as Python prints it, it reads back as the same
 * value. */
#include "celeryc/message/json_reader.h"
#include "celeryc/message/json_text.h"
#include "celeryc/message/repr.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void print_and_read_back(const json_t *value)
{
    size_t size;
    char *text = json_text_dump(value, &size, NULL);
    check(text != NULL);
    json_t *again = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    check(json_equal(value, again));
    json_decref(again);
    free(text);
    for (size_t length = 0; length < 70; length += 23) {
        struct bytes bytes;
        bytes_init(&bytes, 0);
        check(repr_append(&bytes, value, true, length, NULL));
        bytes_clear(&bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_reader reader;
    struct text_slice value;
    struct bytes bytes;
    json_reader_init(&reader, (const char *)data, size);
    bool taken = json_reader_value(&reader, &value, NULL) && json_reader_end(&reader, NULL);
    json_t *held = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool has_nul = size > 0 && memchr(data, '\0', size) != NULL; /* Jansson overlooks one behind a literal */
    check(held == NULL || taken || has_nul || size > JSON_READER_DEPTH_MOST);
    if (held != NULL && taken)
        print_and_read_back(held);
    json_decref(held);
    bytes_init(&bytes, 0);
    check(repr_append_string(&bytes, (const char *)data, size, NULL));
    check(json_text_append_string(&bytes, (const char *)data, size, NULL));
    bytes_clear(&bytes);
    return 0;
}
