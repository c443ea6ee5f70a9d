#include "celeryc/message/json_reader.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static bool is_json(const char *text, size_t size)
{
    char *exact = malloc(size + 1); /* so that a byte read beyond the end is seen */
    memcpy(exact, text, size);
    exact = realloc(exact, size == 0 ? 1 : size);
    struct json_reader reader;
    struct text_slice value;
    json_reader_init(&reader, exact, size);
    bool good = json_reader_value(&reader, &value, NULL) && json_reader_end(&reader, NULL);
    free(exact);
    return good;
}

static void what_python_takes_is_taken(void)
{
    static const char *const good[] = {"null",
                                       "true",
                                       "false",
                                       "NaN",
                                       "Infinity",
                                       "-Infinity",
                                       "0",
                                       "-0",
                                       "10",
                                       "-1.5e+10",
                                       "1E5",
                                       "\"\"",
                                       "\"\\u00e9\\n\\/\"",
                                       "\"\\ud800\"",
                                       "[]",
                                       "{}",
                                       " [ 1 , { } , [ ] ] ",
                                       "{\"a\": {\"b\": [1, 2]}}",
                                       "{\"a\": 1, \"a\": 2}",
                                       "\"\xc3\xa9\xf0\x9f\x98\x80\"",
                                       "123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(is_json(good[i], strlen(good[i])));
}

static void what_python_refuses_is_refused(void)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "nul",
                                      "nulll",
                                      "-",
                                      "+1",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "-NaN",
                                      "- 1",
                                      "'a'",
                                      "\"",
                                      "\"a",
                                      "\"\\",
                                      "\"\\u12\"",
                                      "\"\\x\"",
                                      "\"\n\"",
                                      "\"\x01\"",
                                      "[",
                                      "]",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{",
                                      "{1: 2}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\": 1,}",
                                      "{\"a\" 1}",
                                      "[1}",
                                      "{\"a\": 1]",
                                      "[] []",
                                      "1 2",
                                      "\xef\xbb\xbf[]",
                                      "\"\xff\"",
                                      "\"\xc3\"",
                                      "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xf4\x90\x80\x80\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(is_json(bad[i], strlen(bad[i])));
    CU_ASSERT_FALSE(is_json("[]\0", 3));
    CU_ASSERT_FALSE(is_json("\"\\\0\"", 4));
}

static bool is_json_at_depth(int depth)
{
    char *text = malloc(2 * (size_t)depth);
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    bool good = is_json(text, 2 * (size_t)depth);
    free(text);
    return good;
}

static void nesting_has_a_limit(void)
{
    CU_ASSERT_TRUE(is_json_at_depth(JSON_READER_DEPTH_MOST));
    CU_ASSERT_FALSE(is_json_at_depth(JSON_READER_DEPTH_MOST + 1));
    CU_ASSERT_FALSE(is_json_at_depth(1000000));
}

static void integers_have_a_limit_of_digits(void)
{
    char digits[4302];
    memset(digits, '7', sizeof digits);
    CU_ASSERT_TRUE(is_json(digits, 4300));
    CU_ASSERT_FALSE(is_json(digits, 4301));
}

static void members_come_as_slices(void)
{
    const char *text = " { \"a\" : [1, 2] , \"b\\u0063\": \"x\" } ";
    struct json_reader reader;
    struct text_slice key, value;
    json_reader_init(&reader, text, strlen(text));
    CU_ASSERT(json_reader_peek(&reader) == '{');
    json_reader_open(&reader);
    CU_ASSERT_TRUE(json_reader_next(&reader, &key, &value, NULL));
    CU_ASSERT_TRUE(text_slice_is(&key, "a"));
    CU_ASSERT_FALSE(text_slice_is(&key, ""));
    CU_ASSERT(value.size == 6 && memcmp(value.data, "[1, 2]", 6) == 0);
    CU_ASSERT_TRUE(json_reader_next(&reader, &key, &value, NULL));
    CU_ASSERT_TRUE(text_slice_is(&key, "bc"));
    CU_ASSERT_TRUE(json_reader_next(&reader, &key, &value, NULL));
    CU_ASSERT(value.data == NULL);
    CU_ASSERT_TRUE(json_reader_end(&reader, NULL));
}

UNIT_MAIN("JSON reader", {"what Python takes is taken", what_python_takes_is_taken},
          {"what Python refuses is refused", what_python_refuses_is_refused},
          {"nesting has a limit", nesting_has_a_limit},
          {"integers have a limit of digits", integers_have_a_limit_of_digits},
          {"members come as slices", members_come_as_slices})
