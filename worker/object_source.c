#include "worker/object_source.h"

#include <stdlib.h>

struct object_source {
    struct merge_source source;
    struct object_sources *all;
    const struct plan_file *file;
    struct s3_reader *reader; /* NULL before it is opened and after its end */
};

struct object_sources {
    struct object_source *sources;
    struct merge_source **list;
    size_t count;
    size_t opened; /* those before it have been opened */
    const char *bucket;
    struct s3_reader_set *set;
};

/* Opens the readers of the next sources, up to and with `last`. */
static bool open_until(struct object_sources *all, size_t last, struct error *error)
{
    for (; all->opened <= last && all->opened < all->count; all->opened++) {
        struct object_source *source = &all->sources[all->opened];
        if (source->file->version.size == 0)
            continue;
        struct s3_reader_options options = {.version = &source->file->version};
        source->reader = s3_reader_open(all->set, all->bucket, source->file->key, &options, error);
        if (source->reader == NULL)
            return false;
    }
    return true;
}

static void end(struct object_source *source)
{
    s3_reader_close(source->reader);
    source->reader = NULL;
}

static bool object_read(struct merge_source *base, char *buffer, size_t size, size_t *got,
                        struct error *error)
{
    struct object_source *source = (struct object_source *)base;
    struct object_sources *all = source->all;
    size_t number = (size_t)(source - all->sources);
    if (number >= all->opened && !open_until(all, number + OBJECT_SOURCE_AHEAD, error))
        return false;
    *got = 0;
    if (source->file->version.size == 0)
        return true;
    ssize_t count = s3_reader_read(source->reader, buffer, size, error);
    if (count < 0) {
        if (error->code == ERROR_NOT_FOUND) {
            error->code = ERROR_CHANGED;
            return error_context(error, "%s was removed while it was merged", base->name);
        }
        return false;
    }
    if (count == 0)
        end(source);
    *got = (size_t)count;
    return true;
}

/* With a connection for each object a small window is enough, since the network's own buffers hold more. With
 * less, a window is what one request fetches, and must be worth one. */
static size_t budget(const struct object_sources_options *options, size_t readers)
{
    size_t least = readers > options->connections ? readers * OBJECT_SOURCE_PIECE : 0;
    return options->read_ahead > least ? options->read_ahead : least;
}

struct object_sources *object_sources_new(struct s3_client *client, const struct plan *plan,
                                          const struct object_sources_options *options, struct error *error)
{
    size_t most = options->fan_in + OBJECT_SOURCE_AHEAD;
    size_t readers = plan->count < most ? plan->count : most;
    struct s3_reader_set_settings settings = {.budget = budget(options, readers),
                                              .readers = (unsigned)readers,
                                              .connections = options->connections};
    struct object_sources *all = calloc(1, sizeof *all);
    if (all == NULL)
        goto out_of_memory;
    *all = (struct object_sources){.count = plan->count, .bucket = options->bucket};
    all->sources = calloc(plan->count + 1, sizeof *all->sources);
    all->list = calloc(plan->count + 1, sizeof *all->list);
    if (all->sources == NULL || all->list == NULL)
        goto out_of_memory;
    for (size_t i = 0; i < plan->count; i++) {
        all->sources[i] = (struct object_source){.source = {.name = plan->files[i].name, .read = object_read},
                                                 .all = all,
                                                 .file = &plan->files[i]};
        all->list[i] = &all->sources[i].source;
    }
    all->set = s3_reader_set_new(client, &settings, error);
    if (all->set != NULL)
        return all;
    object_sources_free(all);
    return NULL;

out_of_memory:
    error_set(error, ERROR_MEMORY, "out of memory for %zu objects", plan->count);
    object_sources_free(all);
    return NULL;
}

void object_sources_free(struct object_sources *all)
{
    if (all == NULL)
        return;
    for (size_t i = 0; all->sources != NULL && i < all->count; i++)
        end(&all->sources[i]);
    s3_reader_set_free(all->set);
    free(all->sources);
    free(all->list);
    free(all);
}

struct merge_source **object_sources_list(struct object_sources *all)
{
    return all->list;
}
