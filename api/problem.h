/* Answers that say what went wrong, as RFC 9457 has them: application/problem+json with type, title, status,
 * detail, instance. Nothing else makes an answer of 400 or above. */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include "api/call.h"
#include "api/problem_type.h"

/* Answers the call with the problem. The detail is for the client: it says what is wrong this time and never
 * holds a secret; it is cut at 1 KiB. 503 carries Retry-After. */
void problem_answer(struct call *call, enum problem_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a further member (RFC 9457, section 3.2): `name` with the value `take`. */
void problem_answer_with(struct call *call, enum problem_kind kind, const char *name, json_t *take,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
