/* Merging sorted inputs of lines into one sorted output, in bounded memory.
 *
 * A line is the bytes up to '\n'. Order is that of bytes, as memcmp() (what `LC_ALL=C sort` gives), a line
 * that is a prefix of another before it. '\r', NUL and invalid UTF-8 are data; empty lines are lines; equal
 * lines all stay. A last line without '\n' gets one. An input without bytes is fine, and so is no input at
 * all.
 *
 * An input that is not sorted ends the merge with ERROR_UNSORTED, whose sentence names the input, the line's
 * number (from 1) and how both lines start. A line over `line_limit`, or one that does not fit into
 * `memory_limit` any more, ends it with ERROR_LIMIT, whose sentence names the input and the offset of the
 * line. Errors of sources and the sink are passed up as they are. What was written to the sink until then is
 * of no use.
 *
 * Memory: windows of memory / inputs bytes each, MERGE_WINDOW_MINIMUM to `window`, allocated when
 * an input is first read and freed when it ends, and MERGE_OUTPUT_SIZE for the output. A window grows beyond
 * that only for a line that does not fit (it must hold two neighbouring lines), up to memory_limit for all
 * windows together, and shrinks afterwards. More inputs than windows of the minimum size fit are merged in
 * several passes over `storage`.
 *
 * A merge runs in the calling thread; sources and the sink may wait in their functions. Several merges may
 * run at once in several threads, each with its own sources and sink. */
#ifndef MERGE_MERGE_H
#define MERGE_MERGE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define MERGE_WINDOW_MINIMUM ((size_t)4 << 10)
#define MERGE_WINDOW_MAXIMUM ((size_t)256 << 10)
#define MERGE_OUTPUT_SIZE ((size_t)128 << 10)
#define MERGE_MEMORY ((size_t)8 << 20)         /* default of merge_options.memory */
#define MERGE_MEMORY_LIMIT ((size_t)256 << 20) /* default of merge_options.memory_limit */
#define MERGE_LINE_LIMIT ((size_t)16 << 20)    /* default of merge_options.line_limit */

/* Where sorted bytes come from. Embedded as the first member of the struct of whoever implements it. */
struct merge_source {
    const char *name; /* for error sentences: "logs/2019-08-17_1"; borrowed */
    /* Puts 1 to `size` bytes into `buffer` and their count into *got, 0 only at the end; waits until there
     * are some. After the end or an error it is not called again. */
    bool (*read)(struct merge_source *source, char *buffer, size_t size, size_t *got, struct error *error);
};

/* Where the merged lines go. */
struct merge_sink {
    /* Takes all `size` bytes (at least 1), in order; they are valid during the call only. May end within a
     * line. */
    bool (*write)(struct merge_sink *sink, const char *data, size_t size, struct error *error);
};

/* Where the outputs of earlier passes wait, when there are more inputs than memory holds windows. At most one
 * sink is open at a time, many sources are. */
struct merge_storage {
    /* A new, empty place to write to. NULL on failure. Ended by seal(). */
    struct merge_sink *(*create)(struct merge_storage *storage, struct error *error);
    /* Ends writing and gives the same bytes back as a source; frees the sink, also on failure (NULL). */
    struct merge_source *(*seal)(struct merge_storage *storage, struct merge_sink *sink, struct error *error);
    /* Gives up a sink that was not sealed. */
    void (*discard)(struct merge_storage *storage, struct merge_sink *sink);
    /* Frees a source that seal() gave, and the bytes behind it. */
    void (*release)(struct merge_storage *storage, struct merge_source *source);
};

struct merge_counters {
    uint64_t bytes_read;    /* from the sources */
    uint64_t bytes_written; /* to the sink; at the end bytes_read, and one for each '\n' that was added */
    uint64_t lines;         /* that have been merged into the output, written or about to be */
    size_t sources_done;    /* how many sources have ended */
};

struct merge_options {
    size_t memory;       /* for all windows together; 0: MERGE_MEMORY */
    size_t window;       /* largest window, before long lines; 0: MERGE_WINDOW_MAXIMUM. Sources that buffer
                            themselves       need no large ones */
    size_t memory_limit; /* for all windows together, those grown for long lines included; 0:
                            MERGE_MEMORY_LIMIT */
    size_t line_limit;   /* longest line without its '\n'; 0: MERGE_LINE_LIMIT */
    /* Called after each write to a sink, that is every MERGE_OUTPUT_SIZE bytes or so; false ends the merge
     * with ERROR_CANCELLED. NULL: never asked. */
    bool (*proceed)(void *context, const struct merge_counters *counters);
    void *context;
    struct merge_storage *storage; /* NULL: more inputs than fit are refused with ERROR_LIMIT */
};

/* Merges `count` sources into `sink`. `options` NULL: all defaults. `counters` (may be NULL) are right at the
 * end, also after an error. The caller keeps sources and sink, and ends them. */
bool merge_run(struct merge_source **sources, size_t count, struct merge_sink *sink,
               const struct merge_options *options, struct merge_counters *counters, struct error *error);

/* How many inputs one pass takes within `memory` bytes (0: MERGE_MEMORY); at least 2. */
size_t merge_fan_in(size_t memory);

/* How large a window each of `count` inputs gets. */
size_t merge_window_size(const struct merge_options *options, size_t count);

#endif
