#include "celeryc/control/match.h"
#include "tests/unit/unit.h"

#include <string.h>

static void patterns_match_as_in_python(void)
{
    static const struct {
        const char *pattern, *matcher;
        bool matches;
    } rows[] = {
        {"w*", "glob", true},          {"*@host1", "glob", true}, {"w?@host[0-9]", "glob", true},
        {"w", "glob", false},          {"W*", "glob", false},     {"w[!1]*", "glob", false},
        {"w1\\@host1", "glob", false}, {"w", "pcre", true},       {"w\\d", "pcre", false},
        {"w[0-9]@", "pcre", true},     {"host", "pcre", false},   {".*host1$", "pcre", true},
        {"a|w1", "pcre", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool matches = !rows[i].matches;
        CU_ASSERT(control_match("w1@host1", rows[i].pattern, rows[i].matcher, &matches, NULL));
        CU_ASSERT_EQUAL(matches, rows[i].matches);
    }
}

static void what_cannot_be_matched_matches_nothing(void)
{
    static const char *const rows[][2] = {
        {"w*", "soundex"}, {"(", "pcre"}, {"((a*)*)*((b*)*)*((c*)*)*d", "pcre"}, {"a{1,1000}", "pcre"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {.code = ERROR_NONE};
        bool matches = true;
        CU_ASSERT_FALSE(control_match("w1@host1", rows[i][0], rows[i][1], &matches, &error));
        CU_ASSERT_FALSE(matches);
        CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
    }
}

static void a_pattern_has_a_bound(void)
{
    char pattern[1000];
    bool matches = true;
    memset(pattern, '*', sizeof pattern - 1);
    pattern[sizeof pattern - 1] = '\0';
    CU_ASSERT_FALSE(control_match("w1@host1", pattern, "glob", &matches, NULL));
    CU_ASSERT_FALSE(matches);
}

UNIT_MAIN("match", {"patterns match as in Python", patterns_match_as_in_python},
          {"what cannot be matched matches nothing", what_cannot_be_matched_matches_nothing},
          {"a pattern has a bound", a_pattern_has_a_bound})
