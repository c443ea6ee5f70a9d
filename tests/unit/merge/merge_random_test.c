/* Merges of random inputs give what qsort() with memcmp() gives. */
#include "tests/unit/merge/random.h"
#include "tests/unit/unit.h"

static const struct merge_options tiny = {.memory = 1}; /* windows of the minimum size */

static void any_number_of_inputs(void)
{
    static const struct random_shape shape = {.alphabet = 26, .longest = 40, .lines = 40};
    for (size_t count = 1; count <= 300; count += count < 20 ? 1 : 37)
        CU_ASSERT(random_merge(count, count, &shape, NULL));
}

static void many_equal_lines(void)
{
    static const struct random_shape shape = {.alphabet = 2, .longest = 4, .lines = 200};
    for (size_t seed = 1; seed <= 20; seed++)
        CU_ASSERT(random_merge(seed, 1 + seed * 3, &shape, NULL));
}

static void any_bytes(void)
{
    static const struct random_shape shape = {.alphabet = 256, .longest = 20, .lines = 100};
    for (size_t seed = 1; seed <= 20; seed++)
        CU_ASSERT(random_merge(seed, 1 + seed * 5, &shape, NULL));
}

static void one_letter_lines_of_all_lengths(void)
{
    static const struct random_shape shape = {.alphabet = 1, .longest = 30, .lines = 50};
    for (size_t seed = 1; seed <= 20; seed++)
        CU_ASSERT(random_merge(seed, 40, &shape, NULL));
}

static void long_common_prefixes(void)
{
    for (size_t prefix = 1; prefix < 70; prefix += 3) {
        struct random_shape shape = {.alphabet = 3, .longest = 10, .prefix = prefix, .lines = 60};
        CU_ASSERT(random_merge(prefix, 25, &shape, NULL));
    }
}

static void prefixes_longer_than_a_code_can_say(void)
{
    static const struct random_shape shape = {.alphabet = 3, .longest = 12, .prefix = 60000, .lines = 8};
    CU_ASSERT(random_merge(1, 8, &shape, NULL));
    CU_ASSERT(random_merge(2, 8, &shape, &(struct merge_options){.memory = 8 * MERGE_WINDOW_MINIMUM}));
}

static void windows_smaller_than_the_inputs(void)
{
    static const struct random_shape shape = {.alphabet = 26, .longest = 100, .lines = 600};
    for (size_t seed = 1; seed <= 4; seed++) {
        size_t count = seed * 10;
        struct merge_options options = {.memory = count * MERGE_WINDOW_MINIMUM};
        CU_ASSERT(random_merge(seed, count, &shape, &options));
    }
    CU_ASSERT(random_merge(5, 2, &shape, &tiny));
}

static void lines_around_the_size_of_a_window(void)
{
    static const struct random_shape shape = {.alphabet = 2, .longest = 9000, .lines = 20};
    for (size_t seed = 1; seed <= 6; seed++) {
        struct merge_options options = {.memory = 6 * MERGE_WINDOW_MINIMUM};
        CU_ASSERT(random_merge(seed, 6, &shape, &options));
    }
}

UNIT_MAIN("merges of random inputs", {"any number of inputs, 1 to 300", any_number_of_inputs},
          {"many equal lines", many_equal_lines}, {"any bytes", any_bytes},
          {"lines of one letter and all lengths", one_letter_lines_of_all_lengths},
          {"long common prefixes", long_common_prefixes},
          {"prefixes longer than a code can say", prefixes_longer_than_a_code_can_say},
          {"windows smaller than the inputs", windows_smaller_than_the_inputs},
          {"lines around the size of a window", lines_around_the_size_of_a_window})
