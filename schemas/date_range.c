#include "schemas/date_range.h"

#include "common/clock.h"

#include <string.h>

#define SHOWN 40 /* bytes of a wrong value that the error quotes */

/* The number in `digits` ASCII digits, or -1. The locale has no say, unlike with isdigit() and strtol(). */
static int number(const char *text, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static bool wrong_form(const char *text, size_t size, struct error *error)
{
    size_t shown = size > SHOWN ? SHOWN : size;
    while (shown > 0 && shown < size && ((unsigned char)text[shown] & 0xc0) == 0x80)
        shown--; /* never cut within a UTF-8 sequence */
    return error_set(error, ERROR_INVALID, "\"%.*s\"%s is not of the form YYYY-MM-DD", (int)shown, text,
                     shown < size ? "..." : "");
}

bool date_parse(const char *text, size_t size, struct date *date, struct error *error)
{
    if (size != DATE_SIZE - 1 || text[4] != '-' || text[7] != '-')
        return wrong_form(text, size, error);
    int year = number(text, 4), month = number(text + 5, 2), day = number(text + 8, 2);
    if (year < 0 || month < 0 || day < 0)
        return wrong_form(text, size, error);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > clock_days_in_month(year, month))
        return error_set(error, ERROR_INVALID, "there is no %.10s", text);
    memcpy(date->text, text, DATE_SIZE - 1);
    date->text[DATE_SIZE - 1] = '\0';
    date->day = clock_days_from_civil(year, month, day);
    return true;
}

long date_range_days(const struct date_range *range)
{
    return range->end.day - range->start.day + 1;
}

bool date_range_check(const struct date_range *range, long maximum_days, struct error *error)
{
    long days = date_range_days(range);
    if (days < 1)
        return error_set(error, ERROR_INVALID, "the range ends (%s) before it starts (%s)", range->end.text,
                         range->start.text);
    if (maximum_days > 0 && days > maximum_days)
        return error_set(error, ERROR_LIMIT, "the range has %ld days, more than the %ld that are allowed",
                         days, maximum_days);
    return true;
}

bool date_range_parse(const char *start, const char *end, long maximum_days, struct date_range *range,
                      struct error *error)
{
    if (!date_parse(start, strlen(start), &range->start, error))
        return error_context(error, "start_date");
    if (!date_parse(end, strlen(end), &range->end, error))
        return error_context(error, "end_date");
    return date_range_check(range, maximum_days, error);
}
