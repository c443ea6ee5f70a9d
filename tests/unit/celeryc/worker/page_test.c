#include "celeryc/worker/page.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

static struct page *new_page(void)
{
    struct error error;
    int fd;
    struct page *page = page_new(&fd, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(page);
    close(fd);
    return page;
}

static void what_was_taken_back_cannot_be_claimed(void)
{
    struct page *page = new_page();
    page_offer(page, 5);
    CU_ASSERT_EQUAL(page_state(page, 5), PAGE_OFFERED);
    CU_ASSERT(page_take_back(page, 5));
    CU_ASSERT_FALSE(page_claim(page, 5, 1));
    CU_ASSERT_FALSE(page_take_back(page, 5));
    CU_ASSERT_EQUAL(page_state(page, 5), PAGE_CLOSED);
    page_free(page);
}

static void what_was_claimed_cannot_be_taken_back_but_condemned(void)
{
    struct page *page = new_page();
    page_offer(page, 5);
    CU_ASSERT_EQUAL(page_claimed_at(page, 5), 0);
    CU_ASSERT_FALSE(page_condemn(page, 5));
    CU_ASSERT(page_claim(page, 5, 12.5));
    CU_ASSERT_EQUAL(page_claimed_at(page, 5), 12.5);
    CU_ASSERT_FALSE(page_take_back(page, 5));
    CU_ASSERT(page_condemn(page, 5));
    CU_ASSERT_FALSE(page_finish(page, 5));
    page_free(page);
}

static void what_has_finished_cannot_be_condemned(void)
{
    struct page *page = new_page();
    page_offer(page, 5);
    CU_ASSERT(page_claim(page, 5, 1));
    CU_ASSERT(page_finish(page, 5));
    CU_ASSERT_FALSE(page_condemn(page, 5));
    CU_ASSERT_EQUAL(page_state(page, 5), PAGE_DONE);
    page_free(page);
}

static void an_old_serial_does_not_touch_the_entry_of_a_new_one(void)
{
    struct page *page = new_page();
    page_offer(page, 5);
    page_offer(page, 5 + PAGE_ENTRIES);
    CU_ASSERT_FALSE(page_claim(page, 5, 1));
    CU_ASSERT_EQUAL(page_state(page, 5), PAGE_FREE);
    CU_ASSERT(page_claim(page, 5 + PAGE_ENTRIES, 1));
    page_free(page);
}

static void the_other_side_sees_the_same_page(void)
{
    struct error error;
    int fd;
    struct page *mine = page_new(&fd, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mine);
    struct page *other = page_map(fd, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    CU_ASSERT_NOT_EQUAL(ftruncate(fd, 0), 0); /* a child cannot pull it from under the parent */
    close(fd);
    page_offer(mine, 1);
    CU_ASSERT(page_claim(other, 1, 2));
    CU_ASSERT_EQUAL(page_state(mine, 1), PAGE_CLAIMED);
    page_free(mine);
    page_free(other);
}

enum { RACES = 2000 };
struct race {
    struct page *page;
    _Atomic uint32_t done; /* serials before this one are decided, and both sides know */
    int claimed, taken;
};

static void *claim_all(void *context)
{
    struct race *race = context;
    for (uint32_t serial = 0; serial < RACES; serial++) {
        while (page_state(race->page, serial) == PAGE_FREE)
            sched_yield();
        race->claimed += page_claim(race->page, serial, 1);
        race->done = serial + 1;
    }
    return NULL;
}

static void exactly_one_side_wins(void)
{
    struct race race = {.page = new_page()};
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, claim_all, &race), 0);
    for (uint32_t serial = 0; serial < RACES; serial++) {
        page_offer(race.page, serial);
        race.taken += page_take_back(race.page, serial);
        while (race.done <= serial)
            sched_yield();
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(race.claimed + race.taken, RACES);
    page_free(race.page);
}

UNIT_MAIN("page", {"what was taken back cannot be claimed", what_was_taken_back_cannot_be_claimed},
          {"what was claimed cannot be taken back, but condemned",
           what_was_claimed_cannot_be_taken_back_but_condemned},
          {"what has finished cannot be condemned", what_has_finished_cannot_be_condemned},
          {"an old serial does not touch the entry of a new one",
           an_old_serial_does_not_touch_the_entry_of_a_new_one},
          {"the other side sees the same page", the_other_side_sees_the_same_page},
          {"exactly one side wins", exactly_one_side_wins})
