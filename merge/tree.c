#include "merge/tree.h"

#include <stdlib.h>

/* Decides a match of equal codes by the bytes: whether the challenger loses; *loser_code becomes the loser's
 * code against the winner. */
static bool break_tie(const struct tree *tree, size_t challenger, size_t holder, uint64_t code,
                      uint64_t *loser_code)
{
    *loser_code = code;
    if (code == CODE_EQUAL || code == CODE_END)
        return false;
    const struct window *one = &tree->windows[challenger], *other = &tree->windows[holder];
    const char *one_line = one->data + one->line, *other_line = other->data + other->line;
    size_t at = code_difference(one_line, one->length, other_line, other->length, code_shared(code));
    if (at == one->length || at == other->length) {
        if (one->length == other->length)
            *loser_code = CODE_EQUAL;
        else if (one->length < other->length)
            *loser_code = code_make(other_line, other->length, at);
        else
            *loser_code = code_make(one_line, one->length, at);
        return one->length > other->length;
    }
    bool loses = (unsigned char)one_line[at] > (unsigned char)other_line[at];
    *loser_code = loses ? code_make(one_line, one->length, at) : code_make(other_line, other->length, at);
    return loses;
}

/* Plays the match of node `node`, whose two sides' winners are known, and leaves its loser there. */
static struct tree_entry play(struct tree *tree, size_t node, struct tree_entry one, struct tree_entry other)
{
    bool loses = one.code > other.code;
    if (one.code == other.code) {
        uint64_t loser_code;
        loses = break_tie(tree, one.window, other.window, one.code, &loser_code);
        *(loses ? &one.code : &other.code) = loser_code;
    }
    tree->entries[node] = loses ? one : other;
    return loses ? other : one;
}

struct tree_entry tree_play_tie(struct tree *tree, size_t node, uint64_t code, size_t window)
{
    return play(tree, node, (struct tree_entry){code, window}, tree->entries[node]);
}

bool tree_init(struct tree *tree, size_t most, struct error *error)
{
    *tree = (struct tree){0};
    tree->entries = calloc(most, sizeof *tree->entries);
    tree->scratch = calloc(2 * most, sizeof *tree->scratch);
    if (tree->entries != NULL && tree->scratch != NULL)
        return true;
    tree_clear(tree);
    return error_set(error, ERROR_MEMORY, "out of memory for a merge of %zu inputs", most);
}

void tree_clear(struct tree *tree)
{
    free(tree->entries);
    free(tree->scratch);
    *tree = (struct tree){0};
}

/* The code of a window's head against the empty line. */
static uint64_t first_code(const struct window *window)
{
    uint64_t code = CODE_END;
    if (window->data != NULL)
        code_against("", 0, window->data + window->line, window->length, &code);
    return code;
}

void tree_build(struct tree *tree, const struct window *windows, size_t count)
{
    tree->windows = windows;
    tree->count = count;
    /* winners[n]: who comes up from node n; the leaves are the nodes from count to 2 * count - 1. */
    struct tree_entry *winners = tree->scratch;
    for (size_t i = 0; i < count; i++)
        winners[count + i] = (struct tree_entry){first_code(&windows[i]), i};
    for (size_t node = count - 1; node > 0; node--)
        winners[node] = play(tree, node, winners[2 * node], winners[2 * node + 1]);
    tree->entries[0] = winners[1];
}
