#include "merge/pass.h"

#include "merge/output.h"
#include "merge/tree.h"
#include "merge/window.h"

#include <stdlib.h>

/* See win_streak(). */
#define STREAK 8

/* Only inputs whose range of lines has been reached are in the tree: those of `windows` from `first` to
 * `next`, of which the last, the herald, is the first that has not begun. Those before `first` have ended,
 * those from `next` on are in the order of their first lines, none smaller than the herald's. When the herald
 * wins, more are let in. So logs of many days are merged by a tree as small as the number of files a day. */
struct pass {
    struct window *windows;
    size_t count;
    size_t first, next;
    size_t herald; /* its place in the tree; SIZE_MAX: all inputs have been let in */
    struct window_pool pool;
    struct tree tree;
    struct output output;
    uint64_t lines;
};

/* Hands on what a window holds before `end`. */
static inline bool hand_on(struct pass *pass, struct window *window, size_t end, struct error *error)
{
    size_t run = window->run;
    window->run = end;
    return output_append(&pass->output, window->data + run, end - run, error);
}

/* Makes the line behind a window's head the head where it is not known yet. Out of line, for the loop's sake.
 */
static __attribute__((noinline)) bool find_next(struct pass *pass, struct window *window, uint64_t *code,
                                                struct error *error)
{
    size_t next = window->number == 0 ? 0 : window->line + window->length + 1;
    return (next == window->run || hand_on(pass, window, next, error)) && window_next(window, code, error);
}

/* An input that has won STREAK times in a row is likely to go on: as long as its next heads are smaller than
 * all that lost to it, the tree is not touched, and its lines are handed on as a whole. Leaves the code of
 * the head that is not. */
static __attribute__((noinline)) bool win_streak(struct pass *pass, struct window *window, uint64_t *code,
                                                 struct error *error)
{
    uint64_t second = tree_second(&pass->tree);
    do {
        pass->lines++;
        if (window_advance(window, code))
            window_look_ahead(window);
        else if (!find_next(pass, window, code, error))
            return false;
    } while (*code < second);
    return window->line == window->run || hand_on(pass, window, window->line, error);
}

static void swap(struct window *one, struct window *other)
{
    struct window kept = *one;
    *one = *other;
    *other = kept;
}

/* Lets further inputs in, one at least where there is one, and a quarter of those that are in: the tree is
 * made anew. */
static void let_in(struct pass *pass)
{
    for (size_t i = pass->first; i < pass->next; i++) {
        if (pass->windows[i].data == NULL)
            swap(&pass->windows[i], &pass->windows[pass->first++]);
    }
    size_t more = 1 + (pass->next - pass->first) / 4;
    size_t left = pass->count - pass->next;
    pass->next += more < left ? more : left;
    pass->herald = pass->next < pass->count ? pass->next - pass->first - 1 : SIZE_MAX;
    tree_build(&pass->tree, pass->windows + pass->first, pass->next - pass->first);
}

/* The winner's head is the next line of the output, until CODE_END wins. No branch depends on who wins but
 * for the streak and the herald, which are rarely mispredicted. */
static bool merge_heads(struct pass *pass, struct error *error)
{
    struct tree *tree = &pass->tree;
    size_t previous = SIZE_MAX, streak = 0;
    if (pass->first == pass->count)
        return true;
    let_in(pass);
    for (;;) {
        struct tree_entry winner = tree_winner(tree);
        if (winner.code == CODE_END)
            return true;
        if (__builtin_expect(winner.window == pass->herald, 0)) {
            let_in(pass);
            previous = SIZE_MAX;
            continue;
        }
        struct window *window = &pass->windows[pass->first + winner.window];
        streak = (streak + 1) & -(size_t)(winner.window == previous);
        previous = winner.window;
        uint64_t code;
        if (__builtin_expect(streak >= STREAK, 0)) {
            if (!win_streak(pass, window, &code, error))
                return false;
            tree_replay(tree, code);
            continue;
        }
        pass->lines++;
        if (!hand_on(pass, window, window->line + window->length + 1, error))
            return false;
        if (__builtin_expect(window_advance(window, &code), 1)) {
            tree_replay(tree, code);
            window_look_ahead(window);
            continue;
        }
        if (!find_next(pass, window, &code, error))
            return false;
        tree_replay(tree, code);
    }
}

static int compare_heads(const void *one, const void *other)
{
    const struct window *a = one, *b = other;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->data + a->line, b->data + b->line, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* Reads the first line of every input and sorts the inputs by it; those without any line have ended. */
static bool read_heads(struct pass *pass, struct error *error)
{
    for (size_t i = 0; i < pass->count; i++) {
        uint64_t code;
        if (!find_next(pass, &pass->windows[i], &code, error))
            return false;
        if (code == CODE_END)
            swap(&pass->windows[i], &pass->windows[pass->first++]);
    }
    pass->next = pass->first;
    qsort(pass->windows + pass->first, pass->count - pass->first, sizeof *pass->windows, compare_heads);
    return tree_init(&pass->tree, pass->count, error);
}

bool pass_run(struct merge_source **sources, size_t count, size_t own, struct merge_sink *sink, bool final,
              const struct merge_options *options, struct merge_counters *counters, struct error *error)
{
    if (count == 0)
        return true;
    struct pass pass = {.count = count};
    pass.pool = (struct window_pool){.window_size = merge_window_size(options, count),
                                     .line_limit = options->line_limit,
                                     .memory_limit = options->memory_limit};
    pass.windows = calloc(count, sizeof *pass.windows);
    bool ok = false;
    if (pass.windows == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory for a merge of %zu inputs", count);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        window_init(&pass.windows[i], sources[i], &pass.pool, i < own ? counters : NULL);
    ok = output_init(&pass.output, sink, options, counters, final, error) && read_heads(&pass, error) &&
         merge_heads(&pass, error) && output_flush(&pass.output, error);
    if (final)
        counters->lines += pass.lines;
out:
    for (size_t i = 0; pass.windows != NULL && i < count; i++)
        window_clear(&pass.windows[i]);
    free(pass.windows);
    tree_clear(&pass.tree);
    output_clear(&pass.output);
    return ok;
}
