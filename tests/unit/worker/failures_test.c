/* The names of failures are a contract: with the API, and with clients in Python. */
#include "tests/unit/unit.h"
#include "worker/failures.h"

static void every_error_has_its_exception(void)
{
    static const struct {
        enum failure_step step;
        enum error_code code;
        const char *type;
    } cases[] = {
        {FAILURE_READING, ERROR_UNSORTED, "UnsortedInput"},
        {FAILURE_READING, ERROR_LIMIT, "LineTooLong"},
        {FAILURE_PLANNING, ERROR_LIMIT, "TooManyFiles"},
        {FAILURE_WRITING, ERROR_LIMIT, "StorageError"},
        {FAILURE_READING, ERROR_CHANGED, "ObjectChanged"},
        {FAILURE_READING, ERROR_UNAVAILABLE, "StorageUnavailable"},
        {FAILURE_WRITING, ERROR_TIMEOUT, "StorageUnavailable"},
        {FAILURE_WRITING, ERROR_DENIED, "StorageDenied"},
        {FAILURE_PLANNING, ERROR_NOT_FOUND, "StorageError"},
        {FAILURE_WRITING, ERROR_PROTOCOL, "StorageError"},
        {FAILURE_READING, ERROR_MEMORY, "MemoryError"},
        {FAILURE_READING, ERROR_SYSTEM, "OSError"},
        {FAILURE_PLANNING, ERROR_CANCELLED, "MergeCancelled"},
        {FAILURE_PLANNING, ERROR_INVALID, "StorageError"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_STRING_EQUAL(failure_type(cases[i].step, cases[i].code), cases[i].type);
}

UNIT_MAIN("failures", {"every error has its exception", every_error_has_its_exception})
