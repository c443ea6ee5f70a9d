#include "celeryc/message/iso_time.h"

#include "common/clock.h"

#include <stddef.h>

/* Takes exactly `count` digits. */
static bool take_digits(const char **at, int count, int *value)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        char digit = (*at)[i];
        if (digit < '0' || digit > '9')
            return false;
        sum = sum * 10 + (digit - '0');
    }
    *at += count;
    *value = sum;
    return true;
}

static bool take(const char **at, char character)
{
    if (**at != character)
        return false;
    (*at)++;
    return true;
}

static int count_digits(const char *at)
{
    int count = 0;
    while (at[count] >= '0' && at[count] <= '9')
        count++;
    return count;
}

static bool read_week(const char **at, int year, bool dashes, long *days)
{
    int week, day = 1;
    if (!take_digits(at, 2, &week))
        return false;
    if (**at != '\0' && ((dashes && !take(at, '-')) || !take_digits(at, 1, &day)))
        return false;
    if (week < 1 || week > 53 || day < 1 || day > 7)
        return false;
    long fourth = clock_days_from_civil(year, 1, 4); /* is in week 1 */
    long weekday = ((fourth + 3) % 7 + 7) % 7;       /* 0 is Monday; 1970-01-01 was a Thursday */
    *days = fourth - weekday + 7L * (week - 1) + (day - 1);
    return true;
}

static bool read_ordinal(const char **at, int year, long *days)
{
    int day;
    if (!take_digits(at, 3, &day) || day < 1 || day > (clock_is_leap(year) ? 366 : 365))
        return false;
    *days = clock_days_from_civil(year, 1, 1) + day - 1;
    return true;
}

static bool read_date(const char **at, long *days)
{
    int year, month = 1, day = 1;
    if (!take_digits(at, 4, &year) || year < 1)
        return false;
    *days = clock_days_from_civil(year, 1, 1);
    if (**at == '\0')
        return true;
    bool dashes = take(at, '-');
    if (take(at, 'W'))
        return read_week(at, year, dashes, days);
    if (count_digits(*at) == 3)
        return read_ordinal(at, year, days);
    if (!take_digits(at, 2, &month))
        return false;
    if (**at != '\0' || !dashes) {
        if ((dashes && !take(at, '-')) || !take_digits(at, 2, &day))
            return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > clock_days_in_month(year, month))
        return false;
    *days = clock_days_from_civil(year, month, day);
    return true;
}

static bool read_fraction(const char **at, int *micro)
{
    if (**at != '.' && **at != ',')
        return true;
    (*at)++;
    int count = count_digits(*at);
    if (count == 0)
        return false;
    *micro = 0;
    for (int i = 0; i < 6; i++)
        *micro = *micro * 10 + (i < count ? (*at)[i] - '0' : 0);
    *at += count;
    return true;
}

static bool read_clock(const char **at, double *seconds)
{
    int hour, minute = 0, second = 0, micro = 0;
    if (!take_digits(at, 2, &hour))
        return false;
    bool colons = **at == ':';
    if (colons || count_digits(*at) > 0) {
        if ((colons && !take(at, ':')) || !take_digits(at, 2, &minute))
            return false;
        if (colons ? take(at, ':') : count_digits(*at) > 0) {
            if (!take_digits(at, 2, &second) || !read_fraction(at, &micro))
                return false;
        }
    }
    if (hour > 24 || minute > 59 || second > 59 || (hour == 24 && (minute != 0 || second != 0 || micro != 0)))
        return false;
    *seconds = hour * 3600.0 + minute * 60.0 + second + micro / 1e6;
    return true;
}

static bool read_offset(const char **at, int *seconds)
{
    *seconds = 0;
    if (**at == '\0' || take(at, 'Z') || take(at, 'z'))
        return true;
    int sign = **at == '-' ? -1 : 1, hours, minutes = 0;
    if (!take(at, '+') && !take(at, '-'))
        return false;
    if (!take_digits(at, 2, &hours))
        return false;
    if (**at != '\0') {
        (void)take(at, ':');
        if (!take_digits(at, 2, &minutes))
            return false;
    }
    *seconds = sign * (hours * 3600 + minutes * 60);
    return hours <= 23 && minutes <= 59;
}

bool iso_time_parse(const char *text, double *wall)
{
    long days;
    double seconds = 0;
    int offset = 0;
    if (!read_date(&text, &days))
        return false;
    if (*text != '\0') {
        text++; /* any character parts date and time */
        if (!read_clock(&text, &seconds) || !read_offset(&text, &offset))
            return false;
    }
    if (*text != '\0')
        return false;
    const double beyond = 253402300800.0; /* the year 10000, which 24:00 may reach */
    *wall = (double)days * 86400.0 + seconds;
    if (*wall >= beyond)
        return false;
    *wall -= offset;
    return true;
}
