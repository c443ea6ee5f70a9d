#include "schemas/date_range.h"
#include "tests/unit/unit.h"

#include <string.h>

static bool is_date(const char *text)
{
    struct date date;
    return date_parse(text, strlen(text), &date, NULL);
}

static void days_that_exist_are_dates(void)
{
    static const char *const good[] = {"2019-08-17", "2020-02-29", "2000-02-29", "1970-01-01",
                                       "0001-01-01", "9999-12-31", "2019-12-31"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT(is_date(good[i]));
}

static void days_that_do_not_exist_are_none(void)
{
    static const char *const bad[] = {"2019-02-29", "1900-02-29", "2019-13-01", "2019-00-10",
                                      "2019-04-31", "2019-01-00", "0000-01-01", "2019-01-32"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(is_date(bad[i]));
    struct date date;
    struct error error = {0};
    CU_ASSERT_FALSE(date_parse("2019-02-29", 10, &date, &error));
    CU_ASSERT_STRING_EQUAL(error.message, "there is no 2019-02-29");
    CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
}

static void other_forms_are_no_dates(void)
{
    static const char *const bad[] = {
        "",           "2019",        "2019-8-17",        "2019/08/17",  "20190817",
        "2019-08-1",  "2019-08-170", "2019-08-17 ",      " 2019-08-17", "+019-08-17",
        "2019-+8-17", "2019-08- 7",  "2019-08-17T00:00", "2019-W33-6",  "abcd-ef-gh",
        "2019-08-1x", "-019-08-17",  "2019-229"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(is_date(bad[i]));
    struct date date;
    CU_ASSERT_FALSE(date_parse("2019-08-17", 9, &date, NULL));
    CU_ASSERT_FALSE(date_parse("2019-08-1\0", 10, &date, NULL));
    CU_ASSERT_FALSE(date_parse("\xd9\xa2\xd9\xa0-08-17", 10, &date, NULL)); /* digits, but Arabic ones */
}

static void a_wrong_value_is_quoted_but_not_at_length(void)
{
    char text[201];
    memset(text, 'x', 200);
    text[200] = '\0';
    struct date date;
    struct error error = {0};
    CU_ASSERT_FALSE(date_parse(text, 200, &date, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "..."));
    CU_ASSERT(strlen(error.message) < 100);
}

static void both_ends_count(void)
{
    struct date_range range;
    CU_ASSERT(date_range_parse("2019-08-19", "2019-08-19", 0, &range, NULL));
    CU_ASSERT_EQUAL(date_range_days(&range), 1);
    CU_ASSERT(date_range_parse("2019-12-31", "2020-01-01", 0, &range, NULL));
    CU_ASSERT_EQUAL(date_range_days(&range), 2);
    CU_ASSERT_STRING_EQUAL(range.start.text, "2019-12-31");
    CU_ASSERT_STRING_EQUAL(range.end.text, "2020-01-01");
    CU_ASSERT(date_range_parse("2020-01-01", "2020-12-31", 366, &range, NULL));
    CU_ASSERT_EQUAL(date_range_days(&range), 366);
}

static void start_is_not_after_end(void)
{
    struct date_range range;
    struct error error = {0};
    CU_ASSERT_FALSE(date_range_parse("2019-08-20", "2019-08-19", 0, &range, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "2019-08-20"));
}

static void a_range_over_the_maximum_is_refused(void)
{
    struct date_range range;
    struct error error = {0};
    CU_ASSERT(date_range_parse("2019-08-01", "2019-08-31", 31, &range, &error));
    CU_ASSERT_FALSE(date_range_parse("2019-08-01", "2019-09-01", 31, &range, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "32 days"));
}

static void the_wrong_end_is_named(void)
{
    struct date_range range;
    struct error error = {0};
    CU_ASSERT_FALSE(date_range_parse("2019-08-01", "yesterday", 0, &range, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "end_date"));
    CU_ASSERT_FALSE(date_range_parse("2019-08-32", "2019-08-01", 0, &range, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "start_date"));
}

UNIT_MAIN("dates and ranges", {"days that exist are dates", days_that_exist_are_dates},
          {"days that do not exist are none", days_that_do_not_exist_are_none},
          {"other forms are no dates", other_forms_are_no_dates},
          {"a wrong value is quoted, but not at length", a_wrong_value_is_quoted_but_not_at_length},
          {"both ends count", both_ends_count}, {"start is not after end", start_is_not_after_end},
          {"a range over the maximum is refused", a_range_over_the_maximum_is_refused},
          {"the wrong end is named", the_wrong_end_is_named})
