/* How large the parts of an upload are, so that 10,000 of them reach 5 TiB while a small object stays cheap.
 * Pure.
 *
 * When the size is known before, all parts are equal: 8 MiB, or as much as makes 9,000 parts enough. When it
 * is not, parts 1 to 1,000 are equal, and then each 62 parts they grow by the first size again (up to
 * some 1.2 GiB). What is written beyond the expected size grows in the same way behind part 9,000. */
#ifndef S3_PART_SIZE_H
#define S3_PART_SIZE_H

#include <stddef.h>
#include <stdint.h>

struct s3_part_plan {
    size_t base;      /* of the first parts */
    unsigned plateau; /* how many parts have it */
    size_t memory;    /* that a part in flight may take before there are fewer of them */
};

/* `part_size` 0: 8 MiB; less than 5 MiB counts as 5 MiB. `expected` 0: not known. */
struct s3_part_plan s3_part_plan_make(size_t part_size, uint64_t expected);

size_t s3_part_plan_size(const struct s3_part_plan *plan, unsigned number); /* of part `number`, from 1 */

/* How many parts may be in flight while part `number` is filled: `wanted`, or fewer, but at least one, so
 * that (in flight + 1) * size stays within (wanted + 1) * memory where it can. */
unsigned s3_part_plan_in_flight(const struct s3_part_plan *plan, unsigned number, unsigned wanted);

#endif
