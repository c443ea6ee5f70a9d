#include "api/conditional.h"
#include "tests/unit/unit.h"

#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct representation file = {"\"abc-2\"", 784111777, 1000};

static enum condition check(struct conditional_headers headers)
{
    return conditional_check(&headers, &file);
}

static void without_conditions_all_proceeds(void)
{
    CU_ASSERT_EQUAL(check((struct conditional_headers){0}), CONDITION_PROCEED);
}

static void if_none_match_compares_weakly(void)
{
    static const char *const matching[] = {"\"abc-2\"",        "W/\"abc-2\"",       "*",
                                           "\"x\", \"abc-2\"", "\"x\",W/\"abc-2\"", ", ,\"abc-2\""};
    for (size_t i = 0; i < sizeof matching / sizeof matching[0]; i++)
        CU_ASSERT_EQUAL(check((struct conditional_headers){.if_none_match = matching[i]}),
                        CONDITION_NOT_MODIFIED);
    static const char *const others[] = {"\"abc\"", "abc-2", "\"\"", "", "\"abc-2", "\"x\" abc-2"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CU_ASSERT_EQUAL(check((struct conditional_headers){.if_none_match = others[i]}), CONDITION_PROCEED);
}

static void if_match_compares_strongly(void)
{
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_match = "\"abc-2\""}), CONDITION_PROCEED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_match = "\"x\", \"abc-2\""}), CONDITION_PROCEED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_match = "*"}), CONDITION_PROCEED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_match = "W/\"abc-2\""}), CONDITION_FAILED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_match = "\"x\""}), CONDITION_FAILED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_match = "nonsense"}), CONDITION_FAILED);
}

static void dates_are_compared_to_the_second(void)
{
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_modified_since = EARLIER}), CONDITION_PROCEED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_modified_since = SAME}), CONDITION_NOT_MODIFIED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_modified_since = LATER}), CONDITION_NOT_MODIFIED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_modified_since = "nonsense"}), CONDITION_PROCEED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_unmodified_since = EARLIER}), CONDITION_FAILED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_unmodified_since = SAME}), CONDITION_PROCEED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_unmodified_since = "nonsense"}),
                    CONDITION_PROCEED);
}

static void tags_go_before_dates(void)
{
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_none_match = "\"x\"", .if_modified_since = LATER}),
                    CONDITION_PROCEED);
    CU_ASSERT_EQUAL(
        check((struct conditional_headers){.if_match = "\"abc-2\"", .if_unmodified_since = EARLIER}),
        CONDITION_PROCEED);
    CU_ASSERT_EQUAL(check((struct conditional_headers){.if_match = "\"x\"", .if_none_match = "\"abc-2\""}),
                    CONDITION_FAILED);
}

static enum range_kind select_range(const char *range, const char *if_range, uint64_t *first, uint64_t *size)
{
    struct conditional_headers headers = {.range = range, .if_range = if_range};
    return conditional_range(&headers, &file, first, size);
}

static void a_range_selects_its_bytes(void)
{
    static const struct {
        const char *range;
        uint64_t first, size;
    } cases[] = {
        {"bytes=0-0", 0, 1},         {"bytes=0-99", 0, 100},
        {"bytes=100-199", 100, 100}, {"bytes=999-999", 999, 1},
        {"bytes=500-", 500, 500},    {"bytes=0-", 0, 1000},
        {"bytes=-1", 999, 1},        {"bytes=-1000", 0, 1000},
        {"bytes=-5000", 0, 1000},    {"bytes=900-5000", 900, 100},
        {"Bytes= 1-2 ", 1, 2},       {"bytes=0-99999999999999999999999999", 0, 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t first, size;
        CU_ASSERT_EQUAL(select_range(cases[i].range, NULL, &first, &size), RANGE_PART);
        CU_ASSERT_EQUAL(first, cases[i].first);
        CU_ASSERT_EQUAL(size, cases[i].size);
    }
}

static void a_range_outside_of_the_file_is_told(void)
{
    static const char *const outside[] = {"bytes=1000-", "bytes=1000-2000", "bytes=-0",
                                          "bytes=99999999999999999999999999-"};
    uint64_t first, size;
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        CU_ASSERT_EQUAL(select_range(outside[i], NULL, &first, &size), RANGE_OUTSIDE);
}

static void what_is_no_single_range_of_bytes_is_ignored(void)
{
    static const char *const ignored[] = {"",          "bytes",    "bytes=",    "bytes=-",       "bytes=5-2",
                                          "lines=1-2", "bytes=a-", "bytes=1-b", "bytes=0-1,5-6", "bytes=--1",
                                          "bytes=+1-2"};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        uint64_t first, size;
        CU_ASSERT_EQUAL(select_range(ignored[i], NULL, &first, &size), RANGE_WHOLE);
        CU_ASSERT_EQUAL(first, 0);
        CU_ASSERT_EQUAL(size, 1000);
    }
}

static void if_range_must_name_the_same_file(void)
{
    uint64_t first, size;
    CU_ASSERT_EQUAL(select_range("bytes=1-2", "\"abc-2\"", &first, &size), RANGE_PART);
    CU_ASSERT_EQUAL(select_range("bytes=1-2", SAME, &first, &size), RANGE_PART);
    static const char *const others[] = {"\"x\"", "W/\"abc-2\"", EARLIER, LATER, "nonsense", ""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CU_ASSERT_EQUAL(select_range("bytes=1-2", others[i], &first, &size), RANGE_WHOLE);
    CU_ASSERT_EQUAL(select_range("bytes=5000-", "\"x\"", &first, &size), RANGE_WHOLE);
}

static void an_empty_file_has_no_ranges(void)
{
    const struct representation empty = {"\"e\"", 0, 0};
    uint64_t first, size;
    struct conditional_headers headers = {.range = "bytes=0-"};
    CU_ASSERT_EQUAL(conditional_range(&headers, &empty, &first, &size), RANGE_OUTSIDE);
    headers.range = "bytes=-5";
    CU_ASSERT_EQUAL(conditional_range(&headers, &empty, &first, &size), RANGE_WHOLE);
    CU_ASSERT_EQUAL(size, 0);
}

UNIT_MAIN("conditions and ranges", {"without conditions all proceeds", without_conditions_all_proceeds},
          {"If-None-Match compares weakly", if_none_match_compares_weakly},
          {"If-Match compares strongly", if_match_compares_strongly},
          {"dates are compared to the second", dates_are_compared_to_the_second},
          {"tags go before dates", tags_go_before_dates},
          {"a range selects its bytes", a_range_selects_its_bytes},
          {"a range outside of the file is told", a_range_outside_of_the_file_is_told},
          {"what is no single range of bytes is ignored", what_is_no_single_range_of_bytes_is_ignored},
          {"If-Range must name the same file", if_range_must_name_the_same_file},
          {"an empty file has no ranges", an_empty_file_has_no_ranges})
