/* An input's window: the part of it that is in memory, its head, the line that is next in the merge, and the
 * line behind that.
 *
 *     data        run          line     line + length + 1                filled     capacity
 *      | handed on | to hand on | head line | \n | lines not looked at yet | free space | slack
 *
 * Invariants: run <= line + length + 1; the byte behind the head is '\n'; number is the head's line number, 0
 * before the first. The bytes of [run, line) were smaller than or equal to the head and have won already, but
 * have not been copied to the output.
 *
 * The line behind the head is found and coded against the head (which shows that it is sorted) when the head
 * becomes the head, not when it is needed: so its code is there at once when the head has won, and a
 * processor finds lines of one input while it plays the matches of another.
 *
 * Internal to merge/. Not thread-safe. */
#ifndef MERGE_WINDOW_H
#define MERGE_WINDOW_H

#include "merge/code.h"
#include "merge/merge.h"

/* What all windows of a merge share. */
struct window_pool {
    size_t window_size; /* what a window begins with */
    size_t line_limit;
    size_t memory_limit; /* for all windows together */
    size_t memory_used;
};

struct window {
    char *data;
    size_t capacity; /* of data, without CODE_SLACK */
    size_t filled;
    size_t run;
    size_t line;
    size_t length;       /* of the head, without '\n' */
    size_t ahead;        /* length of the line behind the head; WINDOW_UNKNOWN: window_next() must find it */
    uint64_t ahead_code; /* its code against the head */
    uint64_t number;
    uint64_t offset; /* of data[0] within the input */
    bool ended;      /* the source has given all it has */
    struct merge_source *source;
    struct window_pool *pool;
    struct merge_counters *counters; /* of bytes_read and sources_done; NULL: not counted */
};

#define WINDOW_UNKNOWN SIZE_MAX

void window_init(struct window *window, struct merge_source *source, struct window_pool *pool,
                 struct merge_counters *counters);
void window_clear(struct window *window); /* frees */

/* Makes the line behind the head the head where window_advance() cannot: reads more of the input, and finds
 * out what is wrong with the line. All up to the head's end must have been handed on. *code is CODE_END when
 * the input has no more lines; its memory is freed then. */
bool window_next(struct window *window, uint64_t *code, struct error *error);

/* Finds the line behind the head. Whatever is in its way is left to window_next(). */
static inline void window_look_ahead(struct window *window)
{
    const char *data = window->data, *head = data + window->line;
    size_t next = window->line + window->length + 1;
    window->ahead = WINDOW_UNKNOWN;
    const char *end = memchr(data + next, '\n', window->filled - next);
    if (__builtin_expect(end == NULL, 0))
        return;
    /* It will be some time before this window's turn comes again; by then its next line shall be in the
     * cache. */
    __builtin_prefetch(end + 64);
    __builtin_prefetch(end + 128);
    size_t length = (size_t)(end - (data + next));
    if (__builtin_expect(length > window->pool->line_limit, 0))
        return;
    if (__builtin_expect(!code_against(head, window->length, data + next, length, &window->ahead_code), 0))
        return;
    window->ahead = length;
}

/* Makes the line behind the head the head. False when it is not known: window_next(). The caller then looks
 * ahead. */
static inline bool window_advance(struct window *window, uint64_t *code)
{
    if (__builtin_expect(window->ahead == WINDOW_UNKNOWN, 0))
        return false;
    *code = window->ahead_code;
    window->line += window->length + 1;
    window->length = window->ahead;
    window->number++;
    return true;
}

#endif
