/* Time: two clocks and ISO 8601, as Celery writes and reads it. Pure but for the clocks; thread-safe. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdbool.h>
#include <stddef.h>

double clock_monotonic(void); /* seconds since some point; never goes back; for timers and durations */
double clock_wall(void);      /* seconds since 1970-01-01T00:00:00Z; may jump; for what others read */

#define CLOCK_ISO_SIZE 40

/* Writes `wall` as Python's datetime.isoformat() does for an aware UTC time: "2026-11-25T21:52:01.123456+00:00",
 * without the fraction where it is zero. `buffer` has CLOCK_ISO_SIZE bytes. Years 1 to 9999; others are clamped. */
void clock_iso8601(double wall, char buffer[CLOCK_ISO_SIZE]);

/* Reads an ISO 8601 / RFC 3339 date and time: `YYYY-MM-DD`, then optionally `T` or space, `HH:MM[:SS[.ffffff]]`,
 * then optionally `Z` or `+HH[:]MM`. Without an offset the time is UTC when `local_is_utc`, else local time.
 * False when it is no such text or no such time (2019-02-29). Source: celery/utils/iso8601.py, Python's
 * datetime.fromisoformat. */
bool clock_parse_iso8601(const char *text, bool local_is_utc, double *wall);

bool clock_is_leap(int year);
int clock_days_in_month(int year, int month); /* 28 to 31; 0 when month is not 1 to 12 */
/* Days from 1970-01-01 to the date (proleptic Gregorian), negative before. The date must exist. */
long clock_days_from_civil(int year, int month, int day);

#endif
