/* Sources and sinks in memory for tests of the merge engine: texts in, a text out, with reads of a chosen
 * size. */
#ifndef TESTS_UNIT_MERGE_MEMORY_H
#define TESTS_UNIT_MERGE_MEMORY_H

#include "common/bytes.h"
#include "merge/merge.h"

#include <stdlib.h>
#include <string.h>

struct memory_source {
    struct merge_source source;
    const char *data;
    size_t size;
    size_t at;
    size_t chunk;   /* most bytes a read gives; 0: as many as fit */
    size_t fail_at; /* a read from this offset on fails; 0: none does */
};

static inline bool memory_read(struct merge_source *base, char *buffer, size_t size, size_t *got,
                               struct error *error)
{
    struct memory_source *source = (struct memory_source *)base;
    if (source->fail_at != 0 && source->at >= source->fail_at)
        return error_set(error, ERROR_UNAVAILABLE, "%s: the store is away", base->name);
    size_t left = source->size - source->at;
    size = size < left ? size : left;
    if (source->chunk != 0 && size > source->chunk)
        size = source->chunk;
    if (size > 0)
        memcpy(buffer, source->data + source->at, size);
    source->at += size;
    *got = size;
    return true;
}

static inline struct memory_source memory_source(const char *name, const char *data, size_t size)
{
    return (struct memory_source){.source = {.name = name, .read = memory_read}, .data = data, .size = size};
}

struct memory_sink {
    struct merge_sink sink;
    struct bytes bytes;
    size_t fail_after; /* writes beyond so many bytes fail; 0: none does */
};

static inline bool memory_write(struct merge_sink *base, const char *data, size_t size, struct error *error)
{
    struct memory_sink *sink = (struct memory_sink *)base;
    if (sink->fail_after != 0 && sink->bytes.size + size > sink->fail_after)
        return error_set(error, ERROR_SYSTEM, "the disk is full");
    return bytes_append(&sink->bytes, data, size, error);
}

static inline struct memory_sink memory_sink(void)
{
    return (struct memory_sink){.sink = {.write = memory_write}};
}

/* Merges sources of `count` texts (the i-th named "input-i", i from 0) into `sink`. */
static inline bool memory_merge(struct memory_source *texts, size_t count, struct memory_sink *sink,
                                const struct merge_options *options, struct merge_counters *counters,
                                struct error *error)
{
    struct merge_source **sources = calloc(count + 1, sizeof *sources);
    for (size_t i = 0; i < count; i++)
        sources[i] = &texts[i].source;
    bool ok = merge_run(sources, count, &sink->sink, options, counters, error);
    free(sources);
    return ok;
}

#endif
