#include "merge/pass.h"

#include "merge/output.h"
#include "merge/tree.h"
#include "merge/window.h"

#include <stdlib.h>

struct pass {
    struct window *windows;
    uint64_t *codes; /* of the first heads; only while the tree is made */
    size_t count;
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

/* The part of step() that reads. Out of line, for the loop's sake. */
static __attribute__((noinline)) bool refill(struct pass *pass, struct window *window, uint64_t *code,
                                             struct error *error)
{
    bool more;
    size_t next = window->number == 0 ? 0 : window->line + window->length + 1;
    if (next > window->run && !hand_on(pass, window, next, error))
        return false;
    if (!window_fill(window, &more, error))
        return false;
    if (!more) {
        window_clear(window);
        *code = CODE_END;
        return true;
    }
    return window_advance(window, code, error) == WINDOW_LINE;
}

/* Makes the window's next line its head; CODE_END when there is none. */
static inline __attribute__((always_inline)) bool step(struct pass *pass, struct window *window,
                                                       uint64_t *code, struct error *error)
{
    enum window_step step = window_advance(window, code, error);
    if (__builtin_expect(step == WINDOW_LINE, 1))
        return true;
    return step == WINDOW_EMPTY && refill(pass, window, code, error);
}

/* The winner's head is the next line of the output, until CODE_END wins. A run of lines from one window is
 * copied at its end, and while a window has won twice in a row, only one number is compared a line. */
static bool merge_heads(struct pass *pass, struct error *error)
{
    struct tree *tree = &pass->tree;
    size_t previous = SIZE_MAX;
    for (;;) {
        struct tree_entry winner = tree_winner(tree);
        if (winner.code == CODE_END)
            return true;
        struct window *window = &pass->windows[winner.window];
        uint64_t second = winner.window == previous ? tree_second(tree) : CODE_EQUAL;
        uint64_t code;
        do {
            pass->lines++;
            if (!step(pass, window, &code, error))
                return false;
        } while (code < second);
        tree_replay(tree, code);
        previous = winner.window;
        if (tree_winner(tree).window != previous && window->line > window->run &&
            !hand_on(pass, window, window->line, error))
            return false;
    }
}

static bool read_heads(struct pass *pass, struct error *error)
{
    for (size_t i = 0; i < pass->count; i++) {
        if (!step(pass, &pass->windows[i], &pass->codes[i], error))
            return false;
    }
    return tree_init(&pass->tree, pass->windows, pass->codes, pass->count, error);
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
    pass.codes = calloc(count, sizeof *pass.codes);
    bool ok = false;
    if (pass.windows == NULL || pass.codes == NULL) {
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
    free(pass.codes);
    tree_clear(&pass.tree);
    output_clear(&pass.output);
    return ok;
}
