#include "celeryc/message/repr.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void arguments_look_like_a_tuple(void)
{
    static const struct {
        const char *json, *shown;
    } cases[] = {{"[]", "()"},
                 {"[1]", "(1,)"},
                 {"[\"2019-08-19\", \"2019-08-25\"]", "('2019-08-19', '2019-08-25')"},
                 {"[null, true, 0.1, [1], {\"a\": []}]", "(None, True, 0.1, [1], {'a': []})"},
                 {"[[[[1]]], \"it's\"]", "([[[...]]], 'it\\'s')"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *args = json_loads(cases[i].json, 0, NULL);
        char *shown = repr_arguments(args, NULL);
        CU_ASSERT_STRING_EQUAL(shown, cases[i].shown);
        free(shown);
        json_decref(args);
    }
}

static void long_text_is_cut_at_1024_characters(void)
{
    char text[3001];
    memset(text, 'x', 3000);
    text[3000] = '\0';
    json_t *value = json_string(text);
    char *shown = repr_value(value, NULL);
    CU_ASSERT(strlen(shown) == 1024 + 5);
    CU_ASSERT_STRING_EQUAL(shown + 1024 + 1, "...'");
    free(shown);
    json_decref(value);
}

static void bytes_that_are_no_text_are_shown(void)
{
    struct bytes bytes;
    bytes_init(&bytes, 0);
    CU_ASSERT_TRUE(repr_append_string(&bytes, "a\xff\0b", 4, NULL));
    CU_ASSERT_STRING_EQUAL(bytes_text(&bytes), "'a\\udcff\\x00b'");
    bytes_clear(&bytes);
}

static void an_exception_without_a_message_has_empty_brackets(void)
{
    char *shown = repr_exception("WorkerLostError", NULL, NULL);
    CU_ASSERT_STRING_EQUAL(shown, "WorkerLostError()");
    free(shown);
}

UNIT_MAIN("repr", {"arguments look like a tuple", arguments_look_like_a_tuple},
          {"long text is cut at 1024 characters", long_text_is_cut_at_1024_characters},
          {"bytes that are no text are shown", bytes_that_are_no_text_are_shown},
          {"an exception without a message has empty brackets",
           an_exception_without_a_message_has_empty_brackets})
