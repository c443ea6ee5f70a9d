/* The page that the parent shares with each child: what became of every request that was handed over, at any
 * moment and without a message. It lets the parent take back what has not begun, and hit with a signal
 * exactly the request that was meant and never the one after it.
 *
 *     parent                               child
 *     page_offer     FREE    -> OFFERED
 *                    OFFERED -> CLAIMED    page_claim: it may begin
 *     page_take_back OFFERED -> CLOSED                 (a claim fails from then on)
 *                    CLAIMED -> DONE       page_finish: the task's function has returned
 *     page_condemn   CLAIMED -> CONDEMNED              (a finish fails: the child kills its own process
 * group, so that no signal can come late)
 *
 * Each change is one compare-and-swap, so exactly one side wins. A request is known by its serial, which
 * counts up and wraps; the page remembers the last PAGE_ENTRIES serials, and the parent has no more than that
 * in a child's hands. The page is sealed against resizing and holds no pointers; whatever a child gone mad
 * writes there harms that child alone. All functions are lock-free; the parent's are for its one thread, the
 * child's for its main thread. */
#ifndef CELERYC_WORKER_PAGE_H
#define CELERYC_WORKER_PAGE_H

#include "common/error.h"

#include <stdint.h>

#define PAGE_ENTRIES 128

enum page_state {
    PAGE_FREE, /* unknown serial: never offered, or long ago */
    PAGE_OFFERED,
    PAGE_CLAIMED,
    PAGE_CLOSED,
    PAGE_DONE,
    PAGE_CONDEMNED,
};

struct page;

/* ---- life cycle ---- */
struct page *page_new(int *fd, struct error *error); /* all FREE; `fd` (close-on-exec) is for the child, owned
                                                        by the caller */
struct page *page_map(int fd, struct error *error);  /* the child's view; the fd may be closed afterwards */
void page_free(struct page *page);                   /* unmaps; NULL is allowed */

/* ---- the parent's side ---- */
void page_offer(struct page *page, uint32_t serial);
bool page_take_back(struct page *page, uint32_t serial);
bool page_condemn(struct page *page, uint32_t serial);
enum page_state page_state(const struct page *page, uint32_t serial);
/* When it was claimed, clock_monotonic(); 0 before. */
double page_claimed_at(const struct page *page, uint32_t serial);

/* ---- the child's side ---- */
bool page_claim(struct page *page, uint32_t serial, double now); /* `now`: clock_monotonic() */
bool page_finish(struct page *page, uint32_t serial);

#endif
