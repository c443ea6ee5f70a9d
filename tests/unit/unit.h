/* A table of tests, each a sentence of behaviour, run by CUnit; the program's exit code tells the outcome.
 *
 *     static void an_empty_range_is_no_error(void) { CU_ASSERT(...); }
 *     UNIT_MAIN("date range", {"an empty range is no error", an_empty_range_is_no_error})
 *
 * An argument selects the tests whose sentence contains it. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include <stddef.h>

struct unit_test {
    const char *sentence;
    void (*run)(void);
};

/* Runs them and prints "N passed, N failed" (tests, not assertions). 0 when all passed and at least one ran. */
int unit_run(const char *subject, const struct unit_test *tests, size_t count, int argc, char **argv);

#define UNIT_MAIN(subject, ...)                                                                                        \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        static const struct unit_test tests[] = {__VA_ARGS__};                                                         \
        return unit_run(subject, tests, sizeof tests / sizeof tests[0], argc, argv);                                   \
    }

#endif
