#include "celeryc/message/json_text.h"
#include "celeryc/message/json_whole.h"
#include "celeryc/message/repr.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void check_passes(const char *text)
{
    struct error error = {.code = ERROR_NONE};
    json_t *value = json_whole_load(text, strlen(text), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    char *again = json_text_dump(value, NULL, &error);
    CU_ASSERT_STRING_EQUAL(again, text);
    free(again);
    json_decref(value);
}

static void values_that_jansson_does_not_hold_pass_through(void)
{
    check_passes("10000000000000000000000000000000000000000");
    check_passes("[1, -9223372036854775809, NaN, {\"a\": Infinity, \"b\": [-Infinity, 0.1]}]");
    check_passes("{\"text\": \"\\ud800 alone\", \"number\": 18446744073709551616}");
    check_passes("[\"10000000000000000000000000\", \"NaN, 1e999\", \"\\\\\\\"\", 1e-05]");
}

static void what_is_no_json_is_refused(void)
{
    static const char *const texts[] = {"",          "[1,", "[NaN", "{\"a\" 100000000000000000000}",
                                        "[1e999] x", "nul"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error error = {.code = ERROR_NONE};
        CU_ASSERT_PTR_NULL(json_whole_load(texts[i], strlen(texts[i]), &error));
        CU_ASSERT_NOT_EQUAL(error.code, ERROR_NONE);
    }
}

static void they_are_shown_as_python_shows_them(void)
{
    const char *text = "[100000000000000000000, NaN, -Infinity]";
    json_t *value = json_whole_load(text, strlen(text), NULL);
    char *shown = repr_arguments(value, NULL);
    CU_ASSERT_STRING_EQUAL(shown, "(100000000000000000000, nan, -inf)");
    free(shown);
    json_decref(value);
}

/* Text of a sender that looks like ours is text: only what Jansson does not hold passes. */
static void a_string_with_the_mark_is_a_string(void)
{
    struct text_slice raw;
    json_t *value = json_stringn("\0as it came: {\"a\": 1}", 21);
    CU_ASSERT_FALSE(json_whole_raw(value, &raw));
    json_decref(value);
    value = json_stringn("\0as it came: 12", 15);
    CU_ASSERT_FALSE(json_whole_raw(value, &raw));
    json_decref(value);
}

UNIT_MAIN("JSON read whole",
          {"values that Jansson does not hold pass through", values_that_jansson_does_not_hold_pass_through},
          {"what is no JSON is refused", what_is_no_json_is_refused},
          {"they are shown as Python shows them", they_are_shown_as_python_shows_them},
          {"a string with the mark is a string", a_string_with_the_mark_is_a_string})
