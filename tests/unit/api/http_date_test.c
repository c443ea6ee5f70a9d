#include "api/http_date.h"
#include "tests/unit/unit.h"

#include <string.h>

static void a_date_is_written_as_http_wants_it(void)
{
    char buffer[HTTP_DATE_SIZE];
    http_date_format(784111777, buffer);
    CU_ASSERT_STRING_EQUAL(buffer, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date_format(0, buffer);
    CU_ASSERT_STRING_EQUAL(buffer, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date_format(-5, buffer);
    CU_ASSERT_STRING_EQUAL(buffer, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date_format(INT64_MAX, buffer);
    CU_ASSERT_STRING_EQUAL(buffer, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void all_three_forms_are_read(void)
{
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        int64_t seconds = 0;
        CU_ASSERT(http_date_parse(forms[i], &seconds));
        CU_ASSERT_EQUAL(seconds, 784111777);
    }
}

static void what_is_no_date_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "784111777",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 06 Nov 1994 08:49:37 GMT!",
                                      "Sun, 31 Feb 1994 08:49:37 GMT",
                                      "Sun, 06 Non 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 25:49:37 GMT",
                                      "1994-11-06T08:49:37Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t seconds;
        CU_ASSERT_FALSE(http_date_parse(bad[i], &seconds));
    }
}

static void what_is_written_can_be_read(void)
{
    for (int64_t time = 0; time < 4000000000; time += 86399999) {
        char buffer[HTTP_DATE_SIZE];
        int64_t seconds = -1;
        http_date_format(time, buffer);
        CU_ASSERT(http_date_parse(buffer, &seconds));
        CU_ASSERT_EQUAL(seconds, time);
    }
}

UNIT_MAIN("HTTP dates", {"a date is written as HTTP wants it", a_date_is_written_as_http_wants_it},
          {"all three forms are read", all_three_forms_are_read},
          {"what is no date is refused", what_is_no_date_is_refused},
          {"what is written can be read", what_is_written_can_be_read})
