#include "s3/part_size.h"

#include "s3/multipart.h"
#include "tests/unit/unit.h"

#define MEBIBYTE ((uint64_t)1 << 20)
#define TEBIBYTE ((uint64_t)1 << 40)

static uint64_t capacity(const struct s3_part_plan *plan)
{
    uint64_t sum = 0;
    for (unsigned number = 1; number <= S3_PART_LIMIT; number++)
        sum += s3_part_plan_size(plan, number);
    return sum;
}

static void parts_begin_with_8_mib(void)
{
    struct s3_part_plan plan = s3_part_plan_make(0, 0);
    CU_ASSERT_EQUAL(s3_part_plan_size(&plan, 1), 8 * MEBIBYTE);
    CU_ASSERT_EQUAL(s3_part_plan_size(&plan, 1000), 8 * MEBIBYTE);
    CU_ASSERT_EQUAL(s3_part_plan_size(&plan, 1001), 16 * MEBIBYTE);
}

static void ten_thousand_parts_reach_5_tib(void)
{
    struct s3_part_plan unknown = s3_part_plan_make(0, 0), known = s3_part_plan_make(0, 5 * TEBIBYTE);
    CU_ASSERT(capacity(&unknown) >= 5 * TEBIBYTE);
    CU_ASSERT(capacity(&known) >= 5 * TEBIBYTE);
    CU_ASSERT(s3_part_plan_size(&known, 1) < 600 * MEBIBYTE);
    CU_ASSERT(s3_part_plan_size(&unknown, S3_PART_LIMIT) <= 5 * 1024 * MEBIBYTE);
}

static void parts_are_equal_when_the_size_is_known(void)
{
    struct s3_part_plan small = s3_part_plan_make(0, 300 * MEBIBYTE),
                        large = s3_part_plan_make(0, 200 * 1024 * MEBIBYTE);
    CU_ASSERT_EQUAL(s3_part_plan_size(&small, 1), 8 * MEBIBYTE);
    CU_ASSERT_EQUAL(s3_part_plan_size(&large, 1), s3_part_plan_size(&large, 9000));
    CU_ASSERT(9000 * s3_part_plan_size(&large, 1) >= 200 * 1024 * MEBIBYTE);
}

static void no_part_is_smaller_than_s3_allows(void)
{
    struct s3_part_plan plan = s3_part_plan_make(1, 0);
    CU_ASSERT_EQUAL(s3_part_plan_size(&plan, 1), S3_PART_SMALLEST);
}

static void fewer_are_in_flight_as_parts_grow(void)
{
    struct s3_part_plan plan = s3_part_plan_make(0, 0);
    CU_ASSERT_EQUAL(s3_part_plan_in_flight(&plan, 1, 2), 2);
    CU_ASSERT_EQUAL(s3_part_plan_in_flight(&plan, 1001, 2), 1);
    CU_ASSERT_EQUAL(s3_part_plan_in_flight(&plan, 10000, 16), 1);
    for (unsigned number = 1; number <= S3_PART_LIMIT; number++) {
        unsigned in_flight = s3_part_plan_in_flight(&plan, number, 4);
        uint64_t memory = (in_flight + 1) * (uint64_t)s3_part_plan_size(&plan, number);
        CU_ASSERT(in_flight == 1 || memory <= 5 * 8 * MEBIBYTE);
    }
}

UNIT_MAIN("part sizes", {"parts begin with 8 MiB", parts_begin_with_8_mib},
          {"ten thousand parts reach 5 TiB", ten_thousand_parts_reach_5_tib},
          {"parts are equal when the size is known", parts_are_equal_when_the_size_is_known},
          {"no part is smaller than S3 allows", no_part_is_smaller_than_s3_allows},
          {"fewer are in flight as parts grow", fewer_are_in_flight_as_parts_grow})
