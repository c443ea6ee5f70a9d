#include "schemas/strict_json.h"
#include "tests/unit/unit.h"

#include <string.h>

static bool reads(const char *text)
{
    struct error error = {0};
    json_t *value = strict_json_read(text, strlen(text), &error);
    bool read = value != NULL;
    CU_ASSERT(read || error.message[0] != '\0');
    json_decref(value);
    return read;
}

static void one_value_of_any_type_is_read(void)
{
    static const char *const good[] = {
        "{}", "[]", "1", "\"x\"", "null", " {\"a\": [1, 2.5, true]} \r\n", "\"\\u0000\"", "\"\xc3\xa9\""};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT(reads(good[i]));
}

static void what_is_no_json_is_refused(void)
{
    static const char *const bad[] = {
        "",       "   \n",       "{",  "{\"a\":}", "{'a': 1}",  "{\"a\": 1,}",    "undefined",
        "NaN",    "{\"a\": 01}", "\"", "// x\n1",  "{\"a\" 1}", "\xef\xbb\xbf{}", "]",
        "\"\\x\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(reads(bad[i]));
}

static void nothing_may_follow_the_value(void)
{
    CU_ASSERT_FALSE(reads("{} x"));
    CU_ASSERT_FALSE(reads("{}{}"));
    CU_ASSERT_FALSE(reads("1 2"));
    CU_ASSERT_PTR_NULL(strict_json_read("{}\0", 3, NULL));
    CU_ASSERT_PTR_NULL(strict_json_read("1\0", 2, NULL));
    CU_ASSERT_PTR_NULL(strict_json_read("[1\0]", 4, NULL));
}

static void no_member_may_come_twice(void)
{
    CU_ASSERT_FALSE(reads("{\"a\": 1, \"a\": 1}"));
    CU_ASSERT_FALSE(reads("{\"a\": 1, \"\\u0061\": 2}"));
    CU_ASSERT_FALSE(reads("[{\"b\": {\"a\": 1, \"a\": 2}}]"));
    CU_ASSERT(reads("[{\"a\": 1}, {\"a\": 1}]"));
}

static void text_must_be_utf8(void)
{
    static const char *const bad[] = {"\"\xff\"",         "\"\xc3\"",      "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"", "{\"\xfe\": 1}", "\"\xf4\x90\x80\x80\"",
                                      "\"\\ud800\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(reads(bad[i]));
}

static void nesting_is_bounded(void)
{
    char text[200];
    for (int depth = STRICT_JSON_DEPTH; depth <= STRICT_JSON_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        CU_ASSERT_EQUAL(reads(text), depth == STRICT_JSON_DEPTH);
    }
    struct error error = {0};
    memset(text, '[', sizeof text);
    CU_ASSERT_PTR_NULL(strict_json_read(text, sizeof text, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    CU_ASSERT(reads("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[\""));
}

UNIT_MAIN("strict JSON", {"one value of any type is read", one_value_of_any_type_is_read},
          {"what is no JSON is refused", what_is_no_json_is_refused},
          {"nothing may follow the value", nothing_may_follow_the_value},
          {"no member may come twice", no_member_may_come_twice}, {"text must be UTF-8", text_must_be_utf8},
          {"nesting is bounded", nesting_is_bounded})
