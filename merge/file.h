/* Local files as sources, sinks and storage of a merge. Not thread-safe; independent ones may be used in
 * different threads. */
#ifndef MERGE_FILE_H
#define MERGE_FILE_H

#include "merge/merge.h"

struct file_source {
    struct merge_source source;
    int descriptor; /* -1: opened at the first read, so that thousands of them can wait */
    const char *path;
};

/* `path` is borrowed until file_source_clear() and names the source in errors. Opens nothing yet. */
void file_source_init(struct file_source *source, const char *path);
void file_source_clear(struct file_source *source); /* closes */

struct file_sink {
    struct merge_sink sink;
    int descriptor; /* borrowed */
    const char *name;
};

/* Writes to an open descriptor, which the caller closes. `name`, borrowed, is for error sentences. */
void file_sink_init(struct file_sink *sink, int descriptor, const char *name);

/* A storage of unnamed temporary files in `folder` (borrowed; NULL: $TMPDIR, else /tmp), which vanish with
 * the process whatever happens. NULL when memory is out. */
struct merge_storage *file_storage_new(const char *folder, struct error *error);
void file_storage_free(
    struct merge_storage *storage); /* NULL is allowed; no source or sink of it may be left */

#endif
