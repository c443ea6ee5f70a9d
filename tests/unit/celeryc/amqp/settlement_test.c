#include "celeryc/amqp/settlement.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void deliver(struct settlement_book *book, uint64_t first, uint64_t last)
{
    for (uint64_t tag = first; tag <= last; tag++)
        CU_ASSERT_FATAL(settlement_deliver(book, tag, 1));
}

/* The frames as text: "5*" a multiple ack, "7" an ack, "8x" a reject, "9r" a requeue. */
static const char *frames(struct settlement_book *book)
{
    static char text[4096];
    struct settlement_frame frame;
    size_t used = 0;
    text[0] = '\0';
    while (settlement_next(book, &frame))
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu%s", used > 0 ? " " : "",
                                 (unsigned long long)frame.tag,
                                 frame.how == SETTLEMENT_ACK      ? (frame.multiple ? "*" : "")
                                 : frame.how == SETTLEMENT_REJECT ? "x"
                                                                  : "r");
    return text;
}

static void contiguous_acks_go_out_as_one(void)
{
    struct settlement_book book = {0};
    deliver(&book, 1, 10);
    for (uint64_t tag = 5; tag >= 1; tag--)
        CU_ASSERT(settlement_settle(&book, tag, SETTLEMENT_ACK));
    CU_ASSERT_STRING_EQUAL(frames(&book), "5*");
    CU_ASSERT_EQUAL(settlement_held(&book), 5);
    settlement_settle(&book, 6, SETTLEMENT_ACK);
    CU_ASSERT_STRING_EQUAL(frames(&book), "6");
    settlement_clear(&book);
}

static void acks_behind_one_that_is_held_go_out_alone(void)
{
    struct settlement_book book = {0};
    deliver(&book, 1, 6);
    for (uint64_t tag = 1; tag <= 6; tag++)
        if (tag != 3)
            settlement_settle(&book, tag, SETTLEMENT_ACK);
    CU_ASSERT_STRING_EQUAL(frames(&book), "2* 4 5 6");
    settlement_settle(&book, 3, SETTLEMENT_ACK);
    CU_ASSERT_STRING_EQUAL(frames(&book), "3");
    CU_ASSERT_EQUAL(settlement_held(&book), 0);
    settlement_clear(&book);
}

static void a_multiple_ack_never_covers_a_reject_that_is_not_written(void)
{
    struct settlement_book book = {0};
    deliver(&book, 1, 5);
    settlement_settle(&book, 1, SETTLEMENT_ACK);
    settlement_settle(&book, 2, SETTLEMENT_REJECT);
    settlement_settle(&book, 3, SETTLEMENT_REQUEUE);
    settlement_settle(&book, 4, SETTLEMENT_ACK);
    settlement_settle(&book, 5, SETTLEMENT_ACK);
    CU_ASSERT_STRING_EQUAL(frames(&book), "1 2x 3r 5*");
    settlement_clear(&book);
}

static void nothing_is_settled_twice_or_unseen(void)
{
    struct settlement_book book = {0};
    deliver(&book, 1, 2);
    CU_ASSERT_FALSE(settlement_settle(&book, 0, SETTLEMENT_ACK));
    CU_ASSERT_FALSE(settlement_settle(&book, 3, SETTLEMENT_ACK));
    CU_ASSERT(settlement_settle(&book, 1, SETTLEMENT_ACK));
    CU_ASSERT_FALSE(settlement_settle(&book, 1, SETTLEMENT_REJECT));
    CU_ASSERT_STRING_EQUAL(frames(&book), "1");
    CU_ASSERT_FALSE(settlement_settle(&book, 1, SETTLEMENT_ACK));
    CU_ASSERT_STRING_EQUAL(frames(&book), "");
    settlement_clear(&book);
}

static void gaps_in_the_tags_are_no_hindrance(void)
{
    struct settlement_book book = {0};
    deliver(&book, 3, 3);
    deliver(&book, 9, 9);
    deliver(&book, 20, 20);
    settlement_settle(&book, 9, SETTLEMENT_ACK);
    settlement_settle(&book, 3, SETTLEMENT_ACK);
    CU_ASSERT_STRING_EQUAL(frames(&book), "9*");
    settlement_clear(&book);
}

static void memory_follows_what_is_held_and_not_what_was_delivered(void)
{
    struct settlement_book book = {0};
    deliver(&book, 1, 1);
    for (uint64_t tag = 2; tag < 100000; tag++) {
        deliver(&book, tag, tag);
        settlement_settle(&book, tag, SETTLEMENT_ACK);
        frames(&book);
    }
    CU_ASSERT_EQUAL(settlement_held(&book), 1);
    CU_ASSERT(book.capacity <= 128);
    settlement_clear(&book);
}

/* Any order of deliveries and settlings, against a plain model of what the broker would do. */
static void random_orders_settle_each_delivery_exactly_as_asked(void)
{
    enum { TAGS = 3000 };
    static enum settlement wanted[TAGS + 1], got[TAGS + 1];
    struct settlement_book book = {0};
    struct settlement_frame frame;
    uint64_t delivered = 0, random = 12345;
    memset(wanted, 0, sizeof wanted);
    memset(got, 0, sizeof got);
    for (size_t step = 0; step < 40000; step++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t draw = random >> 33;
        if (draw % 4 == 0 && delivered < TAGS)
            CU_ASSERT_FATAL(settlement_deliver(&book, ++delivered, 1));
        uint64_t tag = delivered == 0 ? 1 : 1 + (draw >> 3) % delivered;
        if (draw % 97 != 0 || tag > 50) {
            enum settlement how = draw % 11 == 0   ? SETTLEMENT_REJECT
                                  : draw % 13 == 0 ? SETTLEMENT_REQUEUE
                                                   : SETTLEMENT_ACK;
            bool fresh = delivered > 0 && wanted[tag] == SETTLEMENT_NONE;
            CU_ASSERT_FATAL(settlement_settle(&book, tag, how) == fresh);
            if (fresh)
                wanted[tag] = how;
        }
        while (draw % 5 == 0 && settlement_next(&book, &frame)) {
            CU_ASSERT_FATAL(got[frame.tag] == SETTLEMENT_NONE);
            for (uint64_t each = frame.multiple ? 1 : frame.tag; each <= frame.tag; each++)
                if (got[each] == SETTLEMENT_NONE)
                    got[each] = frame.how;
        }
        if (draw % 5 == 0)
            CU_ASSERT_FATAL(memcmp(wanted, got, sizeof wanted) == 0);
    }
    settlement_clear(&book);
}

UNIT_MAIN("settlement book", {"contiguous acks go out as one", contiguous_acks_go_out_as_one},
          {"acks behind one that is held go out alone", acks_behind_one_that_is_held_go_out_alone},
          {"a multiple ack never covers a reject that is not written",
           a_multiple_ack_never_covers_a_reject_that_is_not_written},
          {"nothing is settled twice or unseen", nothing_is_settled_twice_or_unseen},
          {"gaps in the tags are no hindrance", gaps_in_the_tags_are_no_hindrance},
          {"memory follows what is held and not what was delivered",
           memory_follows_what_is_held_and_not_what_was_delivered},
          {"random orders settle each delivery exactly as asked",
           random_orders_settle_each_delivery_exactly_as_asked})
