/* A condition whose timed waits go by the monotonic clock: setting the machine's time neither ends nor
 * prolongs one, as it does with pthread_cond_init()'s default, the wall's clock. */
#ifndef COMMON_CONDITION_H
#define COMMON_CONDITION_H

#include <pthread.h>
#include <stdbool.h>

/* Ended by pthread_cond_destroy(). */
void condition_init(pthread_cond_t *condition);

/* Waits, the mutex held as for pthread_cond_wait(), until it is signalled or `deadline` (clock_monotonic) is
 * past. False: it is past. As with any condition, a wait may end without reason: look at what is waited for.
 */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, double deadline);

#endif
