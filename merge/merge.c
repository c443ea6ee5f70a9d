#include "merge/merge.h"

#include "merge/pass.h"

#include <stdlib.h>
#include <string.h>

size_t merge_fan_in(size_t memory)
{
    size_t fan_in = (memory == 0 ? MERGE_MEMORY : memory) / MERGE_WINDOW_MINIMUM;
    return fan_in < 2 ? 2 : fan_in;
}

size_t merge_window_size(const struct merge_options *options, size_t count)
{
    size_t memory = options->memory == 0 ? MERGE_MEMORY : options->memory;
    size_t most = options->window == 0 ? MERGE_WINDOW_MAXIMUM : options->window;
    size_t size = memory / (count == 0 ? 1 : count) & ~(size_t)511;
    size = size > most ? most : size;
    return size < MERGE_WINDOW_MINIMUM ? MERGE_WINDOW_MINIMUM : size;
}

/* A merge of more inputs than one pass takes. Those of `queue` from `head` on wait to be merged; what a pass
 * makes of the first of them is put behind the last, so that the caller's own stand before those of the
 * storage. */
struct passes {
    struct merge_source **queue;
    size_t head, tail;
    size_t given; /* where in the queue the storage's sources begin */
    const struct merge_options *options;
    struct merge_counters *counters;
};

static size_t own(const struct passes *passes)
{
    return passes->head < passes->given ? passes->given - passes->head : 0;
}

/* Takes the first `count` off the queue and frees those that are the storage's. */
static void drop(struct passes *passes, size_t count)
{
    struct merge_storage *storage = passes->options->storage;
    for (; count > 0; count--, passes->head++) {
        if (passes->head >= passes->given)
            storage->release(storage, passes->queue[passes->head]);
    }
}

/* Merges the first `count` into one. */
static bool merge_first(struct passes *passes, size_t count, struct error *error)
{
    struct merge_storage *storage = passes->options->storage;
    struct merge_sink *sink = storage->create(storage, error);
    if (sink == NULL)
        return false;
    if (!pass_run(passes->queue + passes->head, count, own(passes), sink, false, passes->options,
                  passes->counters, error)) {
        storage->discard(storage, sink);
        return false;
    }
    struct merge_source *merged = storage->seal(storage, sink, error);
    if (merged == NULL)
        return false;
    drop(passes, count);
    passes->queue[passes->tail++] = merged;
    return true;
}

static bool merge_in_passes(struct passes *passes, struct merge_sink *sink, struct error *error)
{
    size_t fan_in = merge_fan_in(passes->options->memory);
    for (;;) {
        size_t waiting = passes->tail - passes->head;
        if (waiting <= fan_in)
            return pass_run(passes->queue + passes->head, waiting, own(passes), sink, true, passes->options,
                            passes->counters, error);
        /* No more than it takes for the next pass to be the last: what is merged now is copied twice. */
        size_t enough = waiting - fan_in + 1;
        if (!merge_first(passes, enough < fan_in ? enough : fan_in, error))
            return false;
    }
}

static struct merge_options with_defaults(const struct merge_options *given)
{
    struct merge_options options = given == NULL ? (struct merge_options){0} : *given;
    if (options.memory == 0)
        options.memory = MERGE_MEMORY;
    if (options.memory_limit == 0)
        options.memory_limit = MERGE_MEMORY_LIMIT;
    if (options.line_limit == 0)
        options.line_limit = MERGE_LINE_LIMIT;
    return options;
}

bool merge_run(struct merge_source **sources, size_t count, struct merge_sink *sink,
               const struct merge_options *given, struct merge_counters *counters, struct error *error)
{
    struct merge_options options = with_defaults(given);
    struct merge_counters own_counters;
    if (counters == NULL)
        counters = &own_counters;
    *counters = (struct merge_counters){0};
    if (count <= merge_fan_in(options.memory))
        return pass_run(sources, count, count, sink, true, &options, counters, error);
    if (options.storage == NULL)
        return error_set(error, ERROR_LIMIT,
                         "%zu inputs are more than the %zu that fit into %zu bytes of memory", count,
                         merge_fan_in(options.memory), options.memory);

    struct passes passes = {.tail = count, .given = count, .options = &options, .counters = counters};
    /* A pass takes two or more from the queue and puts one back: there are fewer than `count` of them. */
    passes.queue = calloc(count, 2 * sizeof *passes.queue);
    if (passes.queue == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory for a merge of %zu inputs", count);
    memcpy(passes.queue, sources, count * sizeof *sources);
    bool ok = merge_in_passes(&passes, sink, error);
    drop(&passes, passes.tail - passes.head);
    free(passes.queue);
    return ok;
}
