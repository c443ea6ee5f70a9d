#include "celeryc/amqp/settlement.h"

#include <stdlib.h>
#include <string.h>

void settlement_clear(struct settlement_book *book)
{
    free(book->entries);
    memset(book, 0, sizeof *book);
}

static void drop_front(struct settlement_book *book)
{
    while (book->first < book->count && book->entries[book->first].how == SETTLEMENT_DONE) {
        book->first++;
        book->done--;
    }
}

/* Drops what is done at the front, and everything that is done once it is the greater part. */
static void compact(struct settlement_book *book)
{
    drop_front(book);
    size_t held = book->count - book->first;
    if (book->first <= held && book->done <= held / 2)
        return;
    size_t kept = 0;
    for (size_t i = book->first; i < book->count; i++)
        if (book->entries[i].how != SETTLEMENT_DONE)
            book->entries[kept++] = book->entries[i];
    book->first = book->done = book->lowest_pending = 0;
    book->count = kept;
}

bool settlement_deliver(struct settlement_book *book, uint64_t tag, uint32_t consumer)
{
    if (book->count == book->capacity) {
        size_t capacity = book->capacity == 0 ? 64 : book->capacity * 2;
        struct settlement_entry *grown = realloc(book->entries, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        book->entries = grown;
        book->capacity = capacity;
    }
    book->entries[book->count++] = (struct settlement_entry){.tag = tag, .consumer = consumer};
    return true;
}

/* Where it is held; `count` when it is not. */
static size_t place_of(const struct settlement_book *book, uint64_t tag)
{
    size_t low = book->first, high = book->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (book->entries[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    bool held =
        low < book->count && book->entries[low].tag == tag && book->entries[low].how == SETTLEMENT_NONE;
    return held ? low : book->count;
}

const struct settlement_entry *settlement_find(const struct settlement_book *book, uint64_t tag)
{
    size_t place = place_of(book, tag);
    return place < book->count ? &book->entries[place] : NULL;
}

bool settlement_settle(struct settlement_book *book, uint64_t tag, enum settlement how)
{
    size_t place = place_of(book, tag);
    if (place == book->count)
        return false;
    book->entries[place].how = how;
    if (book->pending == 0 || place < book->lowest_pending)
        book->lowest_pending = place;
    book->pending++;
    return true;
}

static void mark_done(struct settlement_book *book, size_t at)
{
    book->entries[at].how = SETTLEMENT_DONE;
    book->done++;
    book->pending--;
}

/* The acks from the front on, up to the first delivery that is held or rejected, as one. */
static bool next_joined(struct settlement_book *book, struct settlement_frame *frame)
{
    size_t acks = 0;
    for (size_t i = book->first; i < book->count; i++) {
        enum settlement how = book->entries[i].how;
        if (how != SETTLEMENT_ACK && how != SETTLEMENT_DONE)
            break;
        if (how == SETTLEMENT_DONE)
            continue;
        *frame = (struct settlement_frame){book->entries[i].tag, SETTLEMENT_ACK, acks > 0};
        mark_done(book, i);
        acks++;
    }
    drop_front(book);
    return acks > 0;
}

bool settlement_next(struct settlement_book *book, struct settlement_frame *frame)
{
    if (book->pending == 0) {
        compact(book);
        return false;
    }
    if (next_joined(book, frame))
        return true;
    for (size_t i = book->lowest_pending > book->first ? book->lowest_pending : book->first; i < book->count;
         i++) {
        enum settlement how = book->entries[i].how;
        if (how == SETTLEMENT_NONE || how == SETTLEMENT_DONE)
            continue;
        *frame = (struct settlement_frame){book->entries[i].tag, how, false};
        mark_done(book, i);
        book->lowest_pending = i + 1;
        return true;
    }
    book->pending = 0;
    return false;
}

size_t settlement_held(const struct settlement_book *book)
{
    return book->count - book->first - book->done - book->pending;
}
