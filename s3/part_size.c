#include "s3/part_size.h"

#include "s3/multipart.h"

#define MEBIBYTE ((size_t)1 << 20)
#define DEFAULT_SIZE (8 * MEBIBYTE)
#define LARGEST (5 * 1024 * MEBIBYTE)
#define PLATEAU 1000u
#define KNOWN_PLATEAU 9000u
#define STEP 62u

struct s3_part_plan s3_part_plan_make(size_t part_size, uint64_t expected)
{
    size_t base = part_size == 0 ? DEFAULT_SIZE : part_size;
    if (base < S3_PART_SMALLEST)
        base = S3_PART_SMALLEST;
    if (base > LARGEST)
        base = LARGEST;
    struct s3_part_plan plan = {.base = base, .plateau = PLATEAU, .memory = base};
    if (expected == 0)
        return plan;
    plan.plateau = KNOWN_PLATEAU;
    uint64_t needed = (expected / KNOWN_PLATEAU / MEBIBYTE + 1) * MEBIBYTE;
    if (needed > LARGEST)
        needed = LARGEST;
    if (plan.base < needed)
        plan.base = (size_t)needed;
    return plan;
}

size_t s3_part_plan_size(const struct s3_part_plan *plan, unsigned number)
{
    if (number <= plan->plateau)
        return plan->base;
    size_t times = 1 + (number - plan->plateau + STEP - 1) / STEP;
    return plan->base > LARGEST / times ? LARGEST : plan->base * times;
}

unsigned s3_part_plan_in_flight(const struct s3_part_plan *plan, unsigned number, unsigned wanted)
{
    size_t fit = (wanted + 1) * plan->memory / s3_part_plan_size(plan, number);
    if (fit <= 2)
        return 1;
    return fit - 1 < wanted ? (unsigned)(fit - 1) : wanted;
}
