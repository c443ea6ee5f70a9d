#include "worker/failures.h"

const char *failure_type(enum failure_step step, enum error_code code)
{
    switch (code) {
    case ERROR_UNSORTED:
        return "UnsortedInput";
    case ERROR_CHANGED:
        return "ObjectChanged";
    case ERROR_LIMIT:
        return step == FAILURE_PLANNING  ? "TooManyFiles"
               : step == FAILURE_READING ? "LineTooLong"
                                         : "StorageError";
    case ERROR_UNAVAILABLE:
    case ERROR_TIMEOUT:
        return "StorageUnavailable";
    case ERROR_DENIED:
        return "StorageDenied";
    case ERROR_MEMORY:
        return "MemoryError";
    case ERROR_SYSTEM:
        return "OSError";
    case ERROR_CANCELLED:
        return "MergeCancelled";
    case ERROR_NONE:
    case ERROR_INVALID:
    case ERROR_NOT_FOUND:
    case ERROR_PROTOCOL:
    case ERROR_UNSUPPORTED:
        break;
    }
    return "StorageError";
}
