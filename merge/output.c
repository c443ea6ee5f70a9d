#include "merge/output.h"

#include <stdlib.h>

/* From this size on a run is worth a write of its own. */
#define LARGE_RUN ((size_t)32 << 10)

bool output_init(struct output *output, struct merge_sink *sink, const struct merge_options *options,
                 struct merge_counters *counters, bool final, struct error *error)
{
    *output = (struct output){.sink = sink, .options = options, .counters = counters, .final = final};
    output->data = malloc(MERGE_OUTPUT_SIZE + OUTPUT_BLOCK);
    if (output->data == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory for the merge's output buffer");
    return true;
}

void output_clear(struct output *output)
{
    free(output->data);
    output->data = NULL;
}

static bool write_out(struct output *output, const char *data, size_t size, struct error *error)
{
    if (!output->sink->write(output->sink, data, size, error))
        return false;
    if (output->final)
        output->counters->bytes_written += size;
    const struct merge_options *options = output->options;
    if (options->proceed != NULL && !options->proceed(options->context, output->counters))
        return error_set(error, ERROR_CANCELLED, "the merge was cancelled");
    return true;
}

bool output_flush(struct output *output, struct error *error)
{
    size_t size = output->size;
    output->size = 0;
    return size == 0 || write_out(output, output->data, size, error);
}

bool output_overflow(struct output *output, const char *data, size_t size, struct error *error)
{
    if (!output_flush(output, error))
        return false;
    if (size >= LARGE_RUN)
        return write_out(output, data, size, error);
    memcpy(output->data, data, size);
    output->size = size;
    return true;
}
