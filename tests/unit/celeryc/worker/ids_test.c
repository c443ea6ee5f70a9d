#include "celeryc/worker/ids.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static void an_id_is_remembered_with_its_retries(void)
{
    struct id_ring *ring = id_ring_new(10, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
    CU_ASSERT_FALSE(id_ring_has(ring, "a", 0, NULL));
    id_ring_add(ring, "a", 0, 7);
    CU_ASSERT_TRUE(id_ring_has(ring, "a", 0, NULL));
    CU_ASSERT_FALSE(id_ring_has(ring, "a", 1, NULL));
    CU_ASSERT_FALSE(id_ring_has(ring, "b", 0, NULL));
    id_ring_free(ring);
}

static void the_oldest_id_falls_out(void)
{
    struct id_ring *ring = id_ring_new(100, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
    char id[32];
    for (int i = 0; i < 1050; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        id_ring_add(ring, id, 0, 7);
    }
    for (int i = 0; i < 1050; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        CU_ASSERT_EQUAL(id_ring_has(ring, id, 0, NULL), i >= 950);
    }
    size_t at = 0;
    for (int i = 950; i < 1050; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        CU_ASSERT_STRING_EQUAL(id_ring_next(ring, &at), id);
    }
    CU_ASSERT_PTR_NULL(id_ring_next(ring, &at));
    id_ring_free(ring);
}

static void an_id_that_came_twice_stays_until_both_fall_out(void)
{
    struct id_ring *ring = id_ring_new(2, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
    id_ring_add(ring, "a", 0, 7);
    id_ring_add(ring, "a", 0, 7);
    id_ring_add(ring, "b", 0, 7);
    CU_ASSERT_TRUE(id_ring_has(ring, "a", 0, NULL));
    id_ring_add(ring, "c", 0, 7);
    CU_ASSERT_FALSE(id_ring_has(ring, "a", 0, NULL));
    CU_ASSERT_TRUE(id_ring_has(ring, "b", 0, NULL));
    id_ring_free(ring);
}

static void an_id_is_forgotten_with_all_its_entries(void)
{
    struct id_ring *ring = id_ring_new(4, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
    id_ring_add(ring, "a", 0, 1);
    id_ring_add(ring, "b", 0, 2);
    id_ring_add(ring, "a", 0, 3);
    uint32_t mark = 0;
    CU_ASSERT_TRUE(id_ring_has(ring, "a", 0, &mark));
    CU_ASSERT_EQUAL(mark, 3);
    id_ring_forget(ring, "a", 0);
    CU_ASSERT_FALSE(id_ring_has(ring, "a", 0, NULL));
    CU_ASSERT_TRUE(id_ring_has(ring, "b", 0, NULL));
    for (int i = 0; i < 9; i++)
        id_ring_add(ring, "c", 0, 4);
    CU_ASSERT_FALSE(id_ring_has(ring, "b", 0, NULL));
    id_ring_free(ring);
}

UNIT_MAIN("ids", {"an id is remembered with its retries", an_id_is_remembered_with_its_retries},
          {"the oldest id falls out", the_oldest_id_falls_out},
          {"an id that came twice stays until both fall out",
           an_id_that_came_twice_stays_until_both_fall_out},
          {"an id is forgotten with all its entries", an_id_is_forgotten_with_all_its_entries})
