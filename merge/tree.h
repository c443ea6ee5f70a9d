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
    size_t count;                 /* k, at least 1 */
    const struct window *windows; /* k of them, borrowed */
};

/* Plays all matches. `codes`: of each window's head against the empty line, CODE_END where there is none.
 * Only memory may fail it. */
bool tree_init(struct tree *tree, const struct window *windows, const uint64_t *codes, size_t count,
               struct error *error);
void tree_clear(struct tree *tree);

/* Decides a match of equal codes by the bytes: whether the challenger loses; *loser_code becomes the loser's
 * code against the winner. */
bool tree_break_tie(const struct tree *tree, size_t challenger, size_t holder, uint64_t code,
                    uint64_t *loser_code);

static inline struct tree_entry tree_winner(const struct tree *tree)
{
    return tree->entries[0];
}

/* Plays the winner's path again after its head has changed to one with `code`. */
static inline void tree_replay(struct tree *tree, uint64_t code)
{
    struct tree_entry *entries = tree->entries;
    struct tree_entry challenger = {code, entries[0].window};
    for (size_t node = (challenger.window + tree->count) / 2; node > 0; node /= 2) {
        struct tree_entry holder = entries[node];
        bool loses = challenger.code > holder.code;
        if (__builtin_expect(challenger.code == holder.code, 0)) {
            uint64_t loser_code;
            loses = tree_break_tie(tree, challenger.window, holder.window, holder.code, &loser_code);
            if (loses)
                challenger.code = loser_code;
            else
                holder.code = loser_code;
        }
        /* Both orders are as likely as the other: exchanged by masks, since a branch would be mispredicted.
         */
        uint64_t mask = -(uint64_t)loses;
        uint64_t code_change = (challenger.code ^ holder.code) & mask;
        uint64_t window_change = (challenger.window ^ holder.window) & mask;
        entries[node].code = holder.code ^ code_change;
        entries[node].window = holder.window ^ window_change;
        challenger.code ^= code_change;
        challenger.window ^= window_change;
    }
    entries[0] = challenger;
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
