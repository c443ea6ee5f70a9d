#include "api/http_date.h"

#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

#define LAST_SECOND 253402300799 /* of the year 9999 */

void http_date_format(int64_t seconds, char buffer[HTTP_DATE_SIZE])
{
    seconds = seconds < 0 ? 0 : seconds > LAST_SECOND ? LAST_SECOND : seconds;
    time_t time = (time_t)seconds;
    struct tm parts;
    gmtime_r(&time, &parts);
    /* The remainders change nothing; they tell the compiler how long each number is. */
    (void)snprintf(buffer, HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[parts.tm_wday % 7],
                   (unsigned)parts.tm_mday % 100, months[parts.tm_mon % 12],
                   (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)parts.tm_hour % 100,
                   (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100);
}

static bool month_of(const char *name, int *month)
{
    for (int i = 0; i < 12; i++) {
        if (strcmp(name, months[i]) == 0) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/* An RFC 850 year of two digits is in the century that puts it less than 50 years into the future. */
static int full_year(int two_digits)
{
    time_t now = (time_t)clock_wall();
    struct tm parts;
    gmtime_r(&now, &parts);
    int this_year = parts.tm_year + 1900, year = this_year / 100 * 100 + two_digits;
    return year > this_year + 50 ? year - 100 : year;
}

bool http_date_parse(const char *text, int64_t *seconds)
{
    char month_name[4];
    int year, month, day, hour, minute, second, used = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month_name, &year, &hour,
               &minute, &second, &used) == 6 &&
        used > 0) {
        /* IMF-fixdate */
    } else if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, month_name, &year,
                      &hour, &minute, &second, &used) == 6 &&
               used > 0) {
        year = full_year(year); /* RFC 850 */
    } else if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month_name, &day, &hour, &minute,
                      &second, &year, &used) == 6 &&
               used > 0) {
        /* asctime() */
    } else {
        return false;
    }
    if (text[used] != '\0' || !month_of(month_name, &month))
        return false;
    if (year < 1 || year > 9999 || day < 1 || day > clock_days_in_month(year, month) || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    *seconds = (int64_t)clock_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}
