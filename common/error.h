/* What went wrong: a code that callers branch on and a sentence that a person can act on.
 *
 * Functions that can fail return bool (or a pointer) and fill the `struct error` that the caller owns. The
 * sentence names the object, the offset, the server's own words; it never holds a secret. A caller that passes an
 * error up adds context with error_context(). All functions accept NULL for callers that do not want to know. */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#include <stdbool.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

enum error_code {
    ERROR_NONE = 0,
    ERROR_MEMORY,       /* an allocation failed, or a size would overflow */
    ERROR_SYSTEM,       /* a system call failed; the sentence has strerror() */
    ERROR_INVALID,      /* bad input: the caller, a file or the peer sent what is not allowed */
    ERROR_LIMIT,        /* input over a stated limit of size, depth, count */
    ERROR_NOT_FOUND,    /* what was asked for does not exist */
    ERROR_DENIED,       /* credentials missing, wrong, or not enough */
    ERROR_UNAVAILABLE,  /* a server is away or refuses for now; trying again later may help */
    ERROR_TIMEOUT,      /* gave up waiting */
    ERROR_CANCELLED,    /* told to stop */
    ERROR_CHANGED,      /* the object is not the one it was when the work began */
    ERROR_UNSORTED,     /* a merge input is not sorted */
    ERROR_PROTOCOL,     /* a server answered what its protocol does not allow */
    ERROR_UNSUPPORTED,  /* what was chosen (a backend, say) cannot do this; another could */
};

struct error {
    enum error_code code;
    char message[1024]; /* one sentence, UTF-8 unless it quotes input, always terminated */
};

/* Fills `error`; always returns false, so that `return error_set(...)` reads well. A longer sentence is cut. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set() with ERROR_SYSTEM, and ": " + strerror(errno) behind the sentence. */
bool error_set_errno(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<sentence>: " before what the error says; the code stays. Always returns false. */
bool error_context(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The code's name in lower case with hyphens ("not-found"), for logs and problem types. Static storage. */
const char *error_code_name(enum error_code code);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
