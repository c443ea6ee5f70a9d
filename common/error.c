#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool set(struct error *error, enum error_code code, const char *format, va_list arguments)
{
    if (error != NULL) {
        error->code = code;
        (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    }
    return false;
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, code, format, arguments);
    va_end(arguments);
    return false;
}

bool error_set_errno(struct error *error, const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    set(error, ERROR_SYSTEM, format, arguments);
    va_end(arguments);
    if (error != NULL) {
        size_t length = strlen(error->message);
        char reason[128];
        (void)snprintf(error->message + length, sizeof error->message - length, ": %s",
                       strerror_r(number, reason, sizeof reason));
    }
    errno = number;
    return false;
}

bool error_context(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    struct error inner = *error;
    va_list arguments;
    va_start(arguments, format);
    set(error, inner.code, format, arguments);
    va_end(arguments);
    size_t length = strlen(error->message);
    (void)snprintf(error->message + length, sizeof error->message - length, ": %s", inner.message);
    return false;
}

const char *error_code_name(enum error_code code)
{
    static const char *const names[] = {
        [ERROR_NONE] = "none",           [ERROR_MEMORY] = "memory",       [ERROR_SYSTEM] = "system",
        [ERROR_INVALID] = "invalid",     [ERROR_LIMIT] = "limit",         [ERROR_NOT_FOUND] = "not-found",
        [ERROR_DENIED] = "denied",       [ERROR_UNAVAILABLE] = "unavailable", [ERROR_TIMEOUT] = "timeout",
        [ERROR_CANCELLED] = "cancelled", [ERROR_CHANGED] = "changed",     [ERROR_UNSORTED] = "unsorted",
        [ERROR_PROTOCOL] = "protocol",   [ERROR_UNSUPPORTED] = "unsupported",
    };
    if ((size_t)code >= sizeof names / sizeof names[0] || names[code] == NULL)
        return "unknown";
    return names[code];
}
