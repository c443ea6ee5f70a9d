#include "celeryc/worker/rate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rate_parse(const char *text, double *per_second)
{
    *per_second = 0;
    if (text == NULL || text[0] == '\0')
        return true;
    char *end;
    double number = strtod(text, &end);
    if (end == text || !isfinite(number) || number < 0)
        return false;
    if (*end == '\0' || strcmp(end, "/s") == 0)
        *per_second = number;
    else if (strcmp(end, "/m") == 0)
        *per_second = number / 60;
    else if (strcmp(end, "/h") == 0)
        *per_second = number / 3600;
    else
        return false;
    return true;
}

void rate_init(struct rate *rate, double per_second, double now)
{
    rate->per_second = per_second;
    rate->tokens = 1;
    rate->at = now;
}

static void fill(struct rate *rate, double now)
{
    if (now > rate->at)
        rate->tokens = fmin(1, rate->tokens + rate->per_second * (now - rate->at));
    rate->at = now;
}

bool rate_take(struct rate *rate, double now)
{
    if (rate->per_second == 0)
        return true;
    fill(rate, now);
    /* Sums of steps end a little below one; a billionth of a token is no reason to wait again. */
    if (rate->tokens < 1 - 1e-9)
        return false;
    rate->tokens -= 1;
    if (rate->tokens < 0)
        rate->tokens = 0;
    return true;
}

double rate_wait(struct rate *rate, double now)
{
    if (rate->per_second == 0)
        return 0;
    fill(rate, now);
    return rate->tokens >= 1 ? 0 : (1 - rate->tokens) / rate->per_second;
}
