#include "common/condition.h"

#include "common/clock.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stddef.h>

#define PATIENCE 120 /* seconds for what comes in milliseconds on an idle machine */

struct pair {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool told;
};

static void pair_init(struct pair *pair)
{
    *pair = (struct pair){.told = false};
    pthread_mutex_init(&pair->mutex, NULL);
    condition_init(&pair->changed);
}

static void pair_clear(struct pair *pair)
{
    pthread_cond_destroy(&pair->changed);
    pthread_mutex_destroy(&pair->mutex);
}

static void *tell(void *user)
{
    struct pair *pair = user;
    pthread_mutex_lock(&pair->mutex);
    pair->told = true;
    pthread_cond_signal(&pair->changed);
    pthread_mutex_unlock(&pair->mutex);
    return NULL;
}

/* Waits as everybody does: until told, or the deadline. */
static bool wait_for(struct pair *pair, double deadline)
{
    pthread_mutex_lock(&pair->mutex);
    while (!pair->told && condition_wait_until(&pair->changed, &pair->mutex, deadline))
        continue;
    bool told = pair->told;
    pthread_mutex_unlock(&pair->mutex);
    return told;
}

static void a_wait_ends_at_its_deadline_and_not_before(void)
{
    struct pair pair;
    pair_init(&pair);
    double deadline = clock_monotonic() + 0.05;
    CU_ASSERT_FALSE(wait_for(&pair, deadline));
    CU_ASSERT(clock_monotonic() >= deadline);
    pair_clear(&pair);
}

static void a_deadline_that_is_past_ends_it_too(void)
{
    struct pair pair;
    pair_init(&pair);
    CU_ASSERT_FALSE(wait_for(&pair, clock_monotonic() - 1));
    CU_ASSERT_FALSE(wait_for(&pair, -1e300));
    pair_clear(&pair);
}

static void a_signal_ends_it(void)
{
    const double deadlines[] = {clock_monotonic() + PATIENCE, INFINITY};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pthread_t thread;
        pair_init(&pair);
        CU_ASSERT_FATAL(pthread_create(&thread, NULL, tell, &pair) == 0);
        CU_ASSERT(wait_for(&pair, deadlines[i]));
        pthread_join(thread, NULL);
        pair_clear(&pair);
    }
}

UNIT_MAIN("condition",
          {"a wait ends at its deadline and not before", a_wait_ends_at_its_deadline_and_not_before},
          {"a deadline that is past ends it too", a_deadline_that_is_past_ends_it_too},
          {"a signal ends it", a_signal_ends_it})
