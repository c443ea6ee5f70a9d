/* Rate limits: Celery's "10/s", "100/m", "2/h", and the token bucket that keeps to them.
 *
 * A bucket holds at most one token, as Celery's does (consumer.py bucket_for_task, kombu/utils/limits.py):
 * runs are spaced, never bunched. Pure: the caller says what time it is (clock_monotonic()). */
#ifndef CELERYC_WORKER_RATE_H
#define CELERYC_WORKER_RATE_H

#include <stdbool.h>

struct rate {
    double per_second; /* 0: no limit */
    double tokens, at; /* how full it was at that time */
};

/* Reads "10/s", "100/m", "1000/h", "0.5/s", "10" (a second). NULL, "" and zero mean no limit. False when it
 * is none. */
bool rate_parse(const char *text, double *per_second);
void rate_init(struct rate *rate, double per_second, double now); /* full */
bool rate_take(struct rate *rate, double now);   /* takes a token; true where there is no limit */
double rate_wait(struct rate *rate, double now); /* seconds until there is a token; 0: now */

#endif
