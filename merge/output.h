/* The way from windows to the sink: small runs are gathered in a buffer, large ones go to the sink as they
 * lie in their window. Counts what is written and asks whether to go on. Internal to merge/. */
#ifndef MERGE_OUTPUT_H
#define MERGE_OUTPUT_H

#include "merge/merge.h"

#include <string.h>

struct output {
    char *data; /* MERGE_OUTPUT_SIZE bytes */
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

static inline bool output_append(struct output *output, const char *data, size_t size, struct error *error)
{
    if (__builtin_expect(size > MERGE_OUTPUT_SIZE - output->size, 0))
        return output_overflow(output, data, size, error);
    memcpy(output->data + output->size, data, size);
    output->size += size;
    return true;
}

#endif
