/* The way from windows to the sink: small runs are gathered in a buffer, large ones go to the sink as they
 * lie in their window. Counts what is written and asks whether to go on. Internal to merge/. */
#ifndef MERGE_OUTPUT_H
#define MERGE_OUTPUT_H

#include "merge/merge.h"

#include <string.h>

#define OUTPUT_BLOCK ((size_t)32) /* must not exceed CODE_SLACK: see output_copy() */

struct output {
    char *data; /* MERGE_OUTPUT_SIZE bytes, and OUTPUT_BLOCK for output_copy() */
    size_t size;
    struct merge_sink *sink;
    const struct merge_options *options;
    struct merge_counters *counters;
    bool final; /* whether this pass writes the result, and bytes_written counts */
};

bool output_init(struct output *output, struct merge_sink *sink, const struct merge_options *options,
                 struct merge_counters *counters, bool final, struct error *error);
void output_clear(struct output *output);

/* Writes what is gathered. */
bool output_flush(struct output *output, struct error *error);

/* output_append() for what does not fit into the buffer. */
bool output_overflow(struct output *output, const char *data, size_t size, struct error *error);

/* Copies a line or a few: by blocks of a fixed size, which for short lines is faster than a call of memcpy().
 * Reads and writes up to OUTPUT_BLOCK - 1 bytes more than `size`. */
static inline void output_copy(char *to, const char *from, size_t size)
{
    for (size_t at = 0; at < size; at += OUTPUT_BLOCK)
        memcpy(to + at, from + at, OUTPUT_BLOCK);
}

static inline bool output_append(struct output *output, const char *data, size_t size, struct error *error)
{
    if (__builtin_expect(size > MERGE_OUTPUT_SIZE - output->size, 0))
        return output_overflow(output, data, size, error);
    if (__builtin_expect(size <= 8 * OUTPUT_BLOCK, 1))
        output_copy(output->data + output->size, data, size);
    else
        memcpy(output->data + output->size, data, size);
    output->size += size;
    return true;
}

#endif
