#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

int unit_run(const char *subject, const struct unit_test *tests, size_t count, int argc, char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite suite = CU_add_suite(subject, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (argc < 2 || strstr(tests[i].sentence, argv[1]) != NULL)
            CU_add_test(suite, tests[i].sentence, tests[i].run);
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned int ran = CU_get_number_of_tests_run(), failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    printf("%u passed, %u failed\n", ran - failed, failed);
    return failed != 0 || ran == 0;
}
