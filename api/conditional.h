/* Conditional requests and ranges (RFC 9110, sections 13 and 14), for GET and HEAD of something that exists.
 * Pure.
 *
 * Header values are NULL where the request has none. What is not well-formed is ignored, as the RFC has it,
 * except that an If-Match that is not well-formed matches nothing. */
#ifndef API_CONDITIONAL_H
#define API_CONDITIONAL_H

#include <stdbool.h>
#include <stdint.h>

struct conditional_headers {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since, *if_range, *range;
};

struct representation {
    const char *etag; /* with its quotes; strong unless it begins with W/ */
    int64_t modified; /* seconds since 1970, 0 unknown */
    uint64_t size;
};

enum condition {
    CONDITION_PROCEED,
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED,       /* 412 */
};

/* The preconditions in the order of section 13.2.2. */
enum condition conditional_check(const struct conditional_headers *headers,
                                 const struct representation *representation);

enum range_kind {
    RANGE_WHOLE,   /* no range, or one that is to be ignored */
    RANGE_PART,    /* 206 */
    RANGE_OUTSIDE, /* 416 */
};

/* Which bytes to send: sets `*first` and `*size` (all of them for RANGE_WHOLE). Only one range of bytes is
 * served; several in one request are ignored, and so is a range whose If-Range does not hold. */
enum range_kind conditional_range(const struct conditional_headers *headers,
                                  const struct representation *representation, uint64_t *first,
                                  uint64_t *size);

#endif
