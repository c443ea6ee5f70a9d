#include "merge/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool file_read(struct merge_source *base, char *buffer, size_t size, size_t *got, struct error *error)
{
    struct file_source *source = (struct file_source *)base;
    if (source->descriptor < 0) {
        source->descriptor = open(source->path, O_RDONLY | O_CLOEXEC);
        if (source->descriptor < 0)
            return error_set_errno(error, "%s", source->path);
    }
    ssize_t count;
    do {
        count = read(source->descriptor, buffer, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_set_errno(error, "%s", base->name);
    *got = (size_t)count;
    if (count == 0)
        file_source_clear(source);
    return true;
}

void file_source_init(struct file_source *source, const char *path)
{
    *source =
        (struct file_source){.source = {.name = path, .read = file_read}, .descriptor = -1, .path = path};
}

void file_source_clear(struct file_source *source)
{
    if (source->descriptor >= 0)
        close(source->descriptor);
    source->descriptor = -1;
}

static bool file_write(struct merge_sink *base, const char *data, size_t size, struct error *error)
{
    struct file_sink *sink = (struct file_sink *)base;
    while (size > 0) {
        ssize_t count = write(sink->descriptor, data, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_set_errno(error, "%s", sink->name);
        data += count;
        size -= (size_t)count;
    }
    return true;
}

void file_sink_init(struct file_sink *sink, int descriptor, const char *name)
{
    *sink = (struct file_sink){.sink = {.write = file_write}, .descriptor = descriptor, .name = name};
}

struct file_storage {
    struct merge_storage storage;
    const char *folder;
};

static struct merge_sink *storage_create(struct merge_storage *base, struct error *error)
{
    struct file_storage *storage = (struct file_storage *)base;
    int descriptor = open(storage->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        error_set_errno(error, "a temporary file in %s", storage->folder);
        return NULL;
    }
    struct file_sink *sink = malloc(sizeof *sink);
    if (sink == NULL) {
        close(descriptor);
        error_set(error, ERROR_MEMORY, "out of memory for a temporary file");
        return NULL;
    }
    file_sink_init(sink, descriptor, storage->folder);
    return &sink->sink;
}

static void storage_discard(struct merge_storage *storage, struct merge_sink *base)
{
    (void)storage;
    struct file_sink *sink = (struct file_sink *)base;
    close(sink->descriptor);
    free(sink);
}

static struct merge_source *storage_seal(struct merge_storage *base, struct merge_sink *sink,
                                         struct error *error)
{
    struct file_storage *storage = (struct file_storage *)base;
    struct file_source *source = malloc(sizeof *source);
    int descriptor = ((struct file_sink *)sink)->descriptor;
    if (source == NULL || lseek(descriptor, 0, SEEK_SET) < 0) {
        error_set_errno(error, "a temporary file in %s", storage->folder);
        storage_discard(base, sink);
        free(source);
        return NULL;
    }
    file_source_init(source, storage->folder);
    source->descriptor = descriptor;
    free(sink);
    return &source->source;
}

static void storage_release(struct merge_storage *storage, struct merge_source *base)
{
    (void)storage;
    struct file_source *source = (struct file_source *)base;
    file_source_clear(source);
    free(source);
}

struct merge_storage *file_storage_new(const char *folder, struct error *error)
{
    struct file_storage *storage = malloc(sizeof *storage);
    if (storage == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory for a storage of temporary files");
        return NULL;
    }
    if (folder == NULL)
        folder = getenv("TMPDIR");
    *storage =
        (struct file_storage){.storage = {storage_create, storage_seal, storage_discard, storage_release},
                              .folder = folder == NULL || folder[0] == '\0' ? "/tmp" : folder};
    return &storage->storage;
}

void file_storage_free(struct merge_storage *storage)
{
    free(storage);
}
