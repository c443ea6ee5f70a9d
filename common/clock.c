#include "common/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double clock_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double clock_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool clock_is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int clock_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12)
        return 0;
    return month == 2 && clock_is_leap(year) ? 29 : days[month - 1];
}

/* Counts years from March, so that the leap day is the last day of a year of 365 or 366 days; an era is 400 years. */
long clock_days_from_civil(int year, int month, int day)
{
    long y = month <= 2 ? year - 1L : year;
    long era = (y >= 0 ? y : y - 399) / 400;
    long year_of_era = y - era * 400;
    long day_of_year = (153L * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    long day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void clock_iso8601(double wall, char buffer[CLOCK_ISO_SIZE])
{
    const double first = -62135596800.0, last = 253402300799.0;
    if (!(wall >= first))
        wall = first;
    if (wall > last)
        wall = last;
    time_t seconds = (time_t)floor(wall);
    long micro = lround((wall - (double)seconds) * 1e6);
    if (micro == 1000000) {
        micro = 0;
        seconds++;
    }
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(buffer, CLOCK_ISO_SIZE, "%FT%T", &parts);
    if (parts.tm_year + 1900 < 1000)
        length = (size_t)snprintf(buffer, CLOCK_ISO_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900,
                                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    if (micro != 0)
        length += (size_t)snprintf(buffer + length, CLOCK_ISO_SIZE - length, ".%06ld", micro);
    (void)snprintf(buffer + length, CLOCK_ISO_SIZE - length, "+00:00");
}

/* Reads exactly `count` digits at *text and moves it on. */
static bool digits(const char **text, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*text)[i];
        if (c < '0' || c > '9')
            return false;
        *value = *value * 10 + (c - '0');
    }
    *text += count;
    return true;
}

static bool skip(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool parse_offset(const char **text, int *seconds)
{
    int sign = **text == '-' ? -1 : 1, hours, minutes = 0;
    (*text)++;
    if (!digits(text, 2, &hours))
        return false;
    if (skip(text, ':') || **text != '\0') {
        if (!digits(text, 2, &minutes))
            return false;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool parse_time(const char **text, int *hour, int *minute, int *second, double *fraction)
{
    if (!digits(text, 2, hour) || !skip(text, ':') || !digits(text, 2, minute))
        return false;
    if (skip(text, ':')) {
        if (!digits(text, 2, second))
            return false;
        if (**text == '.' || **text == ',') {
            (*text)++;
            double scale = 0.1;
            if (**text < '0' || **text > '9')
                return false;
            for (; **text >= '0' && **text <= '9'; (*text)++, scale /= 10)
                *fraction += scale * (**text - '0');
        }
    }
    return *hour <= 23 && *minute <= 59 && *second <= 59;
}

bool clock_parse_iso8601(const char *text, bool local_is_utc, double *wall)
{
    int year, month, day, hour = 0, minute = 0, second = 0, offset = 0;
    double fraction = 0;
    bool has_offset = false;
    if (!digits(&text, 4, &year) || !skip(&text, '-') || !digits(&text, 2, &month) || !skip(&text, '-') ||
        !digits(&text, 2, &day))
        return false;
    if (year < 1 || day < 1 || day > clock_days_in_month(year, month))
        return false;
    if (*text == 'T' || *text == ' ') {
        text++;
        if (!parse_time(&text, &hour, &minute, &second, &fraction))
            return false;
        if (skip(&text, 'Z')) {
            has_offset = true;
        } else if (*text == '+' || *text == '-') {
            has_offset = true;
            if (!parse_offset(&text, &offset))
                return false;
        }
    }
    if (*text != '\0')
        return false;
    if (!has_offset && !local_is_utc) {
        struct tm parts = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour,
                           .tm_min = minute, .tm_sec = second, .tm_isdst = -1};
        *wall = (double)mktime(&parts) + fraction;
        return true;
    }
    *wall = (double)clock_days_from_civil(year, month, day) * 86400.0 + hour * 3600.0 + minute * 60.0 + second +
            fraction - offset;
    return true;
}
