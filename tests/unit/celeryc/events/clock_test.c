#include "celeryc/events/clock.h"
#include "tests/unit/unit.h"

#include <pthread.h>

static void each_step_is_one(void)
{
    struct lamport_clock lamport = {0};
    CU_ASSERT_EQUAL(lamport_forward(&lamport), 1);
    CU_ASSERT_EQUAL(lamport_forward(&lamport), 2);
    CU_ASSERT_EQUAL(lamport_value(&lamport), 2);
}

static void the_later_of_two_clocks_counts(void)
{
    static const struct {
        int64_t own, other, after;
    } rows[] = {{0, 0, 1},  {5, 3, 6},         {5, 5, 6},        {5, 9, 10},
                {5, -7, 6}, {5, INT64_MAX, 6}, {5, INT64_MIN, 6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lamport_clock lamport = {rows[i].own};
        lamport_adjust(&lamport, rows[i].other);
        CU_ASSERT_EQUAL(lamport_value(&lamport), rows[i].after);
    }
}

static void *run_forward(void *clock)
{
    for (int i = 0; i < 100000; i++) {
        if (i % 2 == 0)
            lamport_forward(clock);
        else
            lamport_adjust(clock, 0);
    }
    return NULL;
}

static void no_step_of_any_thread_is_lost(void)
{
    struct lamport_clock lamport = {0};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, run_forward, &lamport), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(lamport_value(&lamport), 400000);
}

UNIT_MAIN("lamport clock", {"each step is one", each_step_is_one},
          {"the later of two clocks counts", the_later_of_two_clocks_counts},
          {"no step of any thread is lost", no_step_of_any_thread_is_lost})
