/* Which keys are log files. */
#include "tests/unit/unit.h"
#include "worker/plan.h"

#include <string.h>

static void keys_of_a_date_and_a_number_are_logs(void)
{
    static const char *const keys[] = {"2019-08-17_1",  "2019-08-17_0",
                                       "2019-08-17_01", "2020-02-29_12345678901234567890",
                                       "0001-01-01_1",  "9999-12-31_1"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct date date;
        CU_ASSERT(plan_is_log(keys[i], &date));
        CU_ASSERT(strncmp(date.text, keys[i], 10) == 0);
    }
}

static void other_keys_are_not(void)
{
    static const char *const keys[] = {"",
                                       "2019-08-17",
                                       "2019-08-17_",
                                       "2019-08-17_x",
                                       "2019-08-17_1x",
                                       "2019-08-17_1.gz",
                                       "2019-08-17_-1",
                                       "2019-08-17_+1",
                                       "2019-08-17_ 1",
                                       "2019-08-17_1/2",
                                       "2019-02-29_1",
                                       "2019-13-01_1",
                                       "2019-08-32_1",
                                       "2019-8-17_1",
                                       "2019-08-17-1",
                                       "x2019-08-17_1",
                                       "logs/2019-08-17_1",
                                       "0000-01-01_1",
                                       "2019-08-17_\xd9\xa1"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct date date;
        CU_ASSERT(!plan_is_log(keys[i], &date));
    }
}

UNIT_MAIN("plan", {"keys of a date and a number are logs", keys_of_a_date_and_a_number_are_logs},
          {"other keys are not", other_keys_are_not})
