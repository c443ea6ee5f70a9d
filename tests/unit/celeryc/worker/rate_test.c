#include "celeryc/worker/rate.h"
#include "tests/unit/unit.h"

#include <math.h>

static void rates_are_read_as_celery_writes_them(void)
{
    double rate;
    CU_ASSERT_TRUE(rate_parse("10/s", &rate) && rate == 10);
    CU_ASSERT_TRUE(rate_parse("120/m", &rate) && rate == 2);
    CU_ASSERT_TRUE(rate_parse("3600/h", &rate) && rate == 1);
    CU_ASSERT_TRUE(rate_parse("0.5/s", &rate) && rate == 0.5);
    CU_ASSERT_TRUE(rate_parse("7", &rate) && rate == 7);
    CU_ASSERT_TRUE(rate_parse(NULL, &rate) && rate == 0);
    CU_ASSERT_TRUE(rate_parse("", &rate) && rate == 0);
    CU_ASSERT_TRUE(rate_parse("0", &rate) && rate == 0);
    const char *const bad[] = {"x", "10/d", "10/", "-1/s", "nan/s", "inf/s", "10/sec", "/s"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(rate_parse(bad[i], &rate));
}

static void runs_are_spaced_not_bunched(void)
{
    struct rate rate;
    rate_init(&rate, 10, 100);
    CU_ASSERT_TRUE(rate_take(&rate, 100));
    CU_ASSERT_FALSE(rate_take(&rate, 100));
    CU_ASSERT_TRUE(fabs(rate_wait(&rate, 100.05) - 0.05) < 1e-6);
    CU_ASSERT_TRUE(rate_take(&rate, 100.1));
    CU_ASSERT_TRUE(rate_take(&rate, 500));
    CU_ASSERT_FALSE(rate_take(&rate, 500));
}

static void where_there_is_no_limit_there_is_always_a_token(void)
{
    struct rate rate;
    rate_init(&rate, 0, 1);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_TRUE(rate_take(&rate, 1));
    CU_ASSERT_EQUAL(rate_wait(&rate, 1), 0);
}

UNIT_MAIN("rate", {"rates are read as Celery writes them", rates_are_read_as_celery_writes_them},
          {"runs are spaced, not bunched", runs_are_spaced_not_bunched},
          {"where there is no limit there is always a token",
           where_there_is_no_limit_there_is_always_a_token})
