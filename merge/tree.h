/* A tree of losers over the heads of k windows (Knuth, The Art of Computer Programming, volume 3, 5.4.1).
 *
 * Leaf s (window s) hangs under node (s + k) / 2; node n hangs under n / 2; nodes 1 to k - 1 each hold the
 * loser of the match that was played there, with its code against the winner of that match; node 0 holds the
 * winner of all. When the winner's window has a new head, coded against the old one, only the path from its
 * leaf to the root is played again: all losers on it lost to the old head, so their codes are against the
 * same line. Internal to merge/. */
#ifndef MERGE_TREE_H
#define MERGE_TREE_H

#include "merge/window.h"

struct tree_entry {
    uint64_t code;
    size_t window;
};

struct tree {
    struct tree_entry *entries;
    struct tree_entry *scratch;   /* of tree_build() */
    size_t count;                 /* k, at least 1 */
    const struct window *windows; /* k of them, borrowed */
};

/* Makes room for `most` windows. Only memory may fail it. */
bool tree_init(struct tree *tree, size_t most, struct error *error);
void tree_clear(struct tree *tree);

/* Plays all matches of `count` windows, which must stay where they are until the next tree_build(). */
void tree_build(struct tree *tree, const struct window *windows, size_t count);

static inline struct tree_entry tree_winner(const struct tree *tree)
{
    return tree->entries[0];
}

/* The rare end of tree_replay()'s match: codes are equal. Leaves the loser at `node` and returns the winner.
 */
struct tree_entry tree_play_tie(struct tree *tree, size_t node, uint64_t code, size_t window);

/* Plays the winner's path again after its head has changed to one with `code`. Either side of a match wins as
 * often as the other, so there must be no branch on it: codes are chosen by conditional moves, windows
 * exchanged by a mask. */
static inline void tree_replay(struct tree *tree, uint64_t code)
{
    struct tree_entry *entries = tree->entries;
    size_t window = entries[0].window;
    for (size_t node = (window + tree->count) / 2; node > 0; node /= 2) {
        uint64_t holder_code = entries[node].code;
        size_t holder_window = entries[node].window;
        if (__builtin_expect(code == holder_code, 0)) {
            struct tree_entry winner = tree_play_tie(tree, node, code, window);
            code = winner.code;
            window = winner.window;
            continue;
        }
        size_t exchange = (window ^ holder_window) & -(size_t)(code > holder_code);
        entries[node].code = code > holder_code ? code : holder_code;
        entries[node].window = holder_window ^ exchange;
        code = code > holder_code ? holder_code : code;
        window ^= exchange;
    }
    entries[0].code = code;
    entries[0].window = window;
}

/* The smallest code of those that lost to the winner. While heads of the winner's window have smaller codes,
 * it wins again and nothing in the tree changes. CODE_END when it is alone. */
static inline uint64_t tree_second(const struct tree *tree)
{
    uint64_t second = CODE_END;
    for (size_t node = (tree->entries[0].window + tree->count) / 2; node > 0; node /= 2)
        second = tree->entries[node].code < second ? tree->entries[node].code : second;
    return second;
}

#endif
