/* Random sorted inputs and what merging them must give: all lines, sorted by qsort() with memcmp(). */
#ifndef TESTS_UNIT_MERGE_RANDOM_H
#define TESTS_UNIT_MERGE_RANDOM_H

#include "tests/unit/merge/memory.h"

#include <stdio.h>

struct random_line {
    char *data;
    size_t length;
};

static inline uint64_t random_next(uint64_t *state)
{
    /* xorshift64*: the same numbers everywhere for a seed. */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline size_t random_below(uint64_t *state, size_t bound)
{
    return (size_t)(random_next(state) >> 33) % bound;
}

static inline int random_line_compare(const void *one, const void *other)
{
    const struct random_line *a = one, *b = other;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = shorter == 0 ? 0 : memcmp(a->data, b->data, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* How lines look: few letters and lengths make many equal lines and prefixes. */
struct random_shape {
    size_t alphabet; /* 1 to 256 byte values; 256 includes NUL, and all but '\n' */
    size_t longest;
    size_t prefix; /* how many bytes all lines share */
    size_t lines;  /* most in an input */
};

static inline struct random_line random_line(uint64_t *state, const struct random_shape *shape)
{
    struct random_line line = {.length = shape->prefix + random_below(state, shape->longest + 1)};
    line.data = malloc(line.length + 1);
    for (size_t i = 0; i < line.length; i++) {
        size_t byte = i < shape->prefix ? i * 7 : random_below(state, shape->alphabet);
        line.data[i] = (char)(shape->alphabet == 256 ? byte : 'a' + byte % 26);
        if (line.data[i] == '\n')
            line.data[i] = 'n';
    }
    return line;
}

static inline char *random_join(const struct random_line *lines, size_t count, bool newline, size_t *size)
{
    struct bytes text = {0};
    struct error error;
    for (size_t i = 0; i < count; i++) {
        bytes_append(&text, lines[i].data, lines[i].length, &error);
        if (newline || i + 1 < count || lines[i].length == 0)
            bytes_append(&text, "\n", 1, &error);
    }
    return bytes_take(&text, size);
}

/* Merges `count` random inputs, returns whether the output is right; on failure says which seed. */
static inline bool random_merge(uint64_t seed, size_t count, const struct random_shape *shape,
                                const struct merge_options *options)
{
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    size_t total = 0;
    struct random_line *all = malloc((count * shape->lines + 1) * sizeof *all);
    struct memory_source *sources = calloc(count + 1, sizeof *sources);
    for (size_t i = 0; i < count; i++) {
        size_t lines = random_below(&state, shape->lines + 1), size;
        for (size_t j = 0; j < lines; j++)
            all[total + j] = random_line(&state, shape);
        qsort(all + total, lines, sizeof *all, random_line_compare);
        char *text = random_join(all + total, lines, random_below(&state, 2) == 0, &size);
        sources[i] = memory_source("random", text, size);
        sources[i].chunk = random_below(&state, 3) == 0 ? 1 + random_below(&state, 5000) : 0;
        total += lines;
    }
    struct memory_sink sink = memory_sink();
    struct merge_counters counters;
    struct error error = {0};
    bool ok = memory_merge(sources, count, &sink, options, &counters, &error);
    qsort(all, total, sizeof *all, random_line_compare);
    size_t size;
    char *expected = random_join(all, total, true, &size);
    ok = ok && counters.lines == total && counters.bytes_written == size && counters.sources_done == count &&
         sink.bytes.size == size && (size == 0 || memcmp(sink.bytes.data, expected, size) == 0);
    if (!ok)
        fprintf(stderr, "seed %llu, %zu inputs: %s\n", (unsigned long long)seed, count, error.message);
    free(expected);
    bytes_clear(&sink.bytes);
    for (size_t i = 0; i < count; i++)
        free((char *)sources[i].data);
    for (size_t i = 0; i < total; i++)
        free(all[i].data);
    free(all);
    free(sources);
    return ok;
}

#endif
