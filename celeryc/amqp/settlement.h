/* The book of deliveries that are not settled, of one channel: what may be settled, and how acks are joined.
 * Pure.
 *
 * A multiple ack settles everything up to its tag, so acks are joined only where nothing below is held any
 * more; behind a slow task they go out one by one. Settling twice closes the channel (406), so a tag that is
 * not in the book, or was settled before, is dropped. Tags come in rising order. Costs: a binary search a
 * settling; memory for each delivery that is held, and at most as much again. */
#ifndef CELERYC_AMQP_SETTLEMENT_H
#define CELERYC_AMQP_SETTLEMENT_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

enum settlement { SETTLEMENT_NONE, SETTLEMENT_ACK, SETTLEMENT_REJECT, SETTLEMENT_REQUEUE, SETTLEMENT_DONE };

struct settlement_entry {
    uint64_t tag;
    uint32_t consumer;   /* whom it was delivered to: a number of the caller's */
    enum settlement how; /* NONE: held; ACK, REJECT, REQUEUE: to be written; DONE: written */
};

struct settlement_book {
    struct settlement_entry *entries; /* by rising tag, from `first` on */
    size_t first, count, capacity;
    size_t done;           /* entries of `first`..`count` that are DONE */
    size_t pending;        /* entries that are to be written */
    size_t lowest_pending; /* no entry before it is to be written */
};

void settlement_clear(struct settlement_book *book); /* empty, and memory freed */

/* A delivery that must be settled came. False when memory is out. */
bool settlement_deliver(struct settlement_book *book, uint64_t tag, uint32_t consumer);
/* NULL when the tag is not held. Borrowed until the book is changed. */
const struct settlement_entry *settlement_find(const struct settlement_book *book, uint64_t tag);
/* False, and nothing happens, when the tag is not held. */
bool settlement_settle(struct settlement_book *book, uint64_t tag, enum settlement how);

/* One frame to write: basic.ack (with `multiple`) or basic.reject. */
struct settlement_frame {
    uint64_t tag;
    enum settlement how;
    bool multiple;
};

/* The next frame of those to be written; what it covers is DONE. False when there is none. */
bool settlement_next(struct settlement_book *book, struct settlement_frame *frame);
size_t settlement_held(const struct settlement_book *book); /* deliveries that are not settled */

#endif
