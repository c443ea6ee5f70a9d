/* An input's window: the part of it that is in memory, and its head, the line that is next in the merge.
 *
 *     data        run          line     line + length + 1                filled     capacity
 *      | handed on | to hand on | head line | \n | lines not looked at yet | free space | slack
 *
 * Invariants: run <= line; the byte behind the head is '\n'; number is the head's line number, 0 before the
 * first. The bytes of [run, line) were smaller than or equal to the head and have won already, but have not
 * been copied to the output. window_advance() makes the next line the head and codes it against the old one,
 * which is thereby known to be sorted. Internal to merge/. Not thread-safe. */
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
    size_t length; /* of the head, without '\n' */
    uint64_t number;
    uint64_t offset; /* of data[0] within the input */
    bool ended;      /* the source has given all it has */
    struct merge_source *source;
    struct window_pool *pool;
    struct merge_counters *counters; /* of bytes_read and sources_done; NULL: not counted */
};

enum window_step {
    WINDOW_LINE,  /* there is a new head, and its code */
    WINDOW_EMPTY, /* the bytes in memory hold no further whole line: hand on [run, line + length + 1), then
                     fill */
    WINDOW_FAILED,
};

void window_init(struct window *window, struct merge_source *source, struct window_pool *pool,
                 struct merge_counters *counters);
void window_clear(struct window *window); /* frees */

/* Reads until there is a whole line behind the head, or the input ends. The run must have been handed on.
 * *more is false when the input has ended and there is none: window_clear() it. */
bool window_fill(struct window *window, bool *more, struct error *error);

/* Says that the line at `line` (the one behind the head) is smaller than the head. Always WINDOW_FAILED. */
enum window_step window_fail_unsorted(const struct window *window, size_t line, size_t length,
                                      struct error *error);
enum window_step window_fail_long(const struct window *window, size_t line, struct error *error);

/* Inlined: it is the merge's inner loop. */
static inline __attribute__((always_inline)) enum window_step
window_advance(struct window *window, uint64_t *code, struct error *error)
{
    const char *data = window->data;
    size_t next = window->number == 0 ? 0 : window->line + window->length + 1;
    const char *end = next < window->filled ? memchr(data + next, '\n', window->filled - next) : NULL;
    if (__builtin_expect(end == NULL, 0))
        return WINDOW_EMPTY;
    /* It will be some time before this window's turn comes again; by then its next line shall be in the
     * cache. */
    __builtin_prefetch(end + 64);
    __builtin_prefetch(end + 128);
    size_t length = (size_t)(end - (data + next));
    if (__builtin_expect(length > window->pool->line_limit, 0))
        return window_fail_long(window, next, error);
    if (__builtin_expect(!code_against(data + window->line, window->length, data + next, length, code), 0))
        return window_fail_unsorted(window, next, length, error);
    window->line = next;
    window->length = length;
    window->number++;
    return WINDOW_LINE;
}

#endif
