#include "common/bytes.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void what_is_appended_is_held_with_nuls(void)
{
    struct bytes bytes;
    bytes_init(&bytes, 0);
    CU_ASSERT(bytes_append(&bytes, "a\0b", 3, NULL));
    CU_ASSERT(bytes_append_format(&bytes, NULL, "%d", 42));
    CU_ASSERT_EQUAL(bytes.size, 5);
    CU_ASSERT(memcmp(bytes.data, "a\0b42", 5) == 0);
    CU_ASSERT(memcmp(bytes_text(&bytes), "a\0b42\0", 6) == 0);
    bytes_clear(&bytes);
}

static void the_limit_refuses_and_changes_nothing(void)
{
    struct bytes bytes;
    struct error error = {0};
    bytes_init(&bytes, 4);
    CU_ASSERT(bytes_append(&bytes, "1234", 4, &error));
    CU_ASSERT_FALSE(bytes_append(&bytes, "5", 1, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    CU_ASSERT_EQUAL(bytes.size, 4);
    bytes_clear(&bytes);
}

static void a_huge_size_is_refused_without_overflow(void)
{
    struct bytes bytes;
    struct error error = {0};
    bytes_init(&bytes, 0);
    bytes_append(&bytes, "x", 1, NULL);
    CU_ASSERT_FALSE(bytes_reserve(&bytes, (size_t)-1, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    bytes_clear(&bytes);
}

static void consuming_keeps_the_rest(void)
{
    struct bytes bytes;
    bytes_init(&bytes, 0);
    bytes_append_text(&bytes, "headbody", NULL);
    bytes_consume(&bytes, 4);
    CU_ASSERT_STRING_EQUAL(bytes_text(&bytes), "body");
    bytes_consume(&bytes, 99);
    CU_ASSERT_EQUAL(bytes.size, 0);
    bytes_clear(&bytes);
}

static void taking_leaves_it_empty_and_usable(void)
{
    struct bytes bytes;
    size_t size = 99;
    bytes_init(&bytes, 0);
    char *nothing = bytes_take(&bytes, &size);
    CU_ASSERT_STRING_EQUAL(nothing, "");
    CU_ASSERT_EQUAL(size, 0);
    free(nothing);
    bytes_append_text(&bytes, "again", NULL);
    char *text = bytes_take(&bytes, &size);
    CU_ASSERT_STRING_EQUAL(text, "again");
    CU_ASSERT_EQUAL(size, 5);
    CU_ASSERT_PTR_NULL(bytes.data);
    free(text);
}

UNIT_MAIN("bytes", {"what is appended is held, with NULs", what_is_appended_is_held_with_nuls},
          {"the limit refuses and changes nothing", the_limit_refuses_and_changes_nothing},
          {"a huge size is refused without overflow", a_huge_size_is_refused_without_overflow},
          {"consuming keeps the rest", consuming_keeps_the_rest},
          {"taking leaves it empty and usable", taking_leaves_it_empty_and_usable})
