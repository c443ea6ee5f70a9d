/* Dates as this service takes them, and ranges of them.
 *
 * A date is exactly ten characters `YYYY-MM-DD` (RFC 3339, full-date; ASCII digits, no spaces, no sign) and a
 * day that exists in the proleptic Gregorian calendar, years 0001 to 9999. A range has both ends inclusive
 * and start <= end. Who holds a `struct date_range` that one of these functions filled may rely on all of
 * that. Pure; thread-safe. */
#ifndef SCHEMAS_DATE_RANGE_H
#define SCHEMAS_DATE_RANGE_H

#include "common/error.h"

#include <stddef.h>

#define DATE_SIZE 11 /* ten characters and a NUL */

struct date {
    char text[DATE_SIZE]; /* as it came, which is also the only form there is */
    long day;             /* days since 1970-01-01, negative before */
};

struct date_range {
    struct date start;
    struct date end; /* inclusive */
};

/* Reads a date of exactly `size` bytes at `text` (no NUL needed). ERROR_INVALID with a sentence that tells
 * the wrong form
 * ("is not of the form YYYY-MM-DD") from the day that does not exist ("there is no 2019-02-29"). */
bool date_parse(const char *text, size_t size, struct date *date, struct error *error);

/* Days in the range, both ends counted: 1 when start and end are the same day. Negative or 0 when end is
 * before start. */
long date_range_days(const struct date_range *range);

/* Whether start <= end (ERROR_INVALID) and the range has at most `maximum_days` days (ERROR_LIMIT; 0 means
 * any). */
bool date_range_check(const struct date_range *range, long maximum_days, struct error *error);

/* Reads and checks both ends; the sentence names the one that is wrong. The texts are NUL-terminated. */
bool date_range_parse(const char *start, const char *end, long maximum_days, struct date_range *range,
                      struct error *error);

#endif
