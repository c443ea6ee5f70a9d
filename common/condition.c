#include "common/condition.h"

#include <math.h>
#include <time.h>

#define FURTHEST 1e12 /* seconds: further than any clock goes, and still a time_t */

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, double deadline)
{
    double bounded = fmin(fmax(deadline, 0), FURTHEST), seconds = floor(bounded);
    struct timespec until = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((bounded - seconds) * 1e9)};
    return pthread_cond_timedwait(condition, mutex, &until) == 0;
}
