#include "common/clock.h"
#include "tests/unit/unit.h"

#include <math.h>

static void times_are_written_as_python_writes_them(void)
{
    static const struct {
        double wall;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00+00:00"},
        {1700000000.5, "2023-11-14T22:13:20.500000+00:00"},
        {1.9999999, "1970-01-01T00:00:02+00:00"},
        {951782400, "2000-02-29T00:00:00+00:00"},
        {-1, "1969-12-31T23:59:59+00:00"},
        {-62135596800.0, "0001-01-01T00:00:00+00:00"},
        {1e300, "9999-12-31T23:59:59+00:00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[CLOCK_ISO_SIZE];
        clock_iso8601(rows[i].wall, text);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
    }
}

static void times_are_read_in_every_form_that_celery_sends(void)
{
    static const struct {
        const char *text;
        double wall;
    } rows[] = {
        {"1970-01-01T00:00:00+00:00", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01", 0},
        {"1970-01-01 00:01", 60},
        {"1970-01-01T02:00:00.250000+02:00", 0.25},
        {"1970-01-01T00:00:00-0130", 5400},
        {"2000-02-29T12:00:00", 951825600},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double wall = -1;
        CU_ASSERT(clock_parse_iso8601(rows[i].text, true, &wall));
        CU_ASSERT(fabs(wall - rows[i].wall) < 1e-6);
    }
}

static void what_is_no_time_is_refused(void)
{
    static const char *const rows[] = {"",           "2019-02-29",       "2019-13-01",          "2019-1-1",
                                       "0000-01-01", "2019-01-01T24:00", "2019-01-01T00:00:60", "2019-01-01T00:00x",
                                       "now",        "2019-01-01T",      "2019-01-01T00:00+99", "2019-01-01T00:00:00."};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double wall;
        CU_ASSERT_FALSE(clock_parse_iso8601(rows[i], true, &wall));
    }
}

static void writing_and_reading_agree(void)
{
    for (double wall = -3e9; wall < 5e9; wall += 86399.123457 * 97) {
        char text[CLOCK_ISO_SIZE];
        double back = 0;
        clock_iso8601(wall, text);
        CU_ASSERT(clock_parse_iso8601(text, true, &back));
        CU_ASSERT(fabs(back - wall) < 2e-6);
    }
}

UNIT_MAIN("clock", {"times are written as Python writes them", times_are_written_as_python_writes_them},
          {"times are read in every form that Celery sends", times_are_read_in_every_form_that_celery_sends},
          {"what is no time is refused", what_is_no_time_is_refused},
          {"writing and reading agree", writing_and_reading_agree})
