#include "celeryc/worker/ids.h"

#include "celeryc/worker/hash.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    char *id; /* owned; NULL: free */
    int retries;
    uint32_t mark;
    size_t bucket, next; /* the chain of its bucket: index + 1, 0 ends it */
};

struct id_ring {
    struct entry *entries;
    size_t *buckets; /* index + 1 of the first entry, 0 for none */
    size_t capacity, bucket_count, oldest;
};

struct id_ring *id_ring_new(size_t capacity, struct error *error)
{
    struct id_ring *ring = calloc(1, sizeof *ring);
    if (ring != NULL) {
        ring->capacity = capacity;
        ring->bucket_count = hash_size_for(capacity);
        ring->entries = calloc(capacity, sizeof *ring->entries);
        ring->buckets = calloc(ring->bucket_count, sizeof *ring->buckets);
    }
    if (ring == NULL || ring->entries == NULL || ring->buckets == NULL) {
        id_ring_free(ring);
        error_set(error, ERROR_MEMORY, "no memory for a ring of %zu ids", capacity);
        return NULL;
    }
    return ring;
}

void id_ring_free(struct id_ring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; ring->entries != NULL && i < ring->capacity; i++)
        free(ring->entries[i].id);
    free(ring->entries);
    free(ring->buckets);
    free(ring);
}

static size_t bucket_of(const struct id_ring *ring, const char *id)
{
    return hash_text(id) & (ring->bucket_count - 1);
}

static void unlink_entry(struct id_ring *ring, size_t index)
{
    struct entry *entry = &ring->entries[index];
    size_t *link = &ring->buckets[entry->bucket];
    while (*link != index + 1)
        link = &ring->entries[*link - 1].next;
    *link = entry->next;
    free(entry->id);
    entry->id = NULL;
}

void id_ring_add(struct id_ring *ring, const char *id, int retries, uint32_t mark)
{
    char *copy = strdup(id);
    if (copy == NULL)
        return;
    struct entry *entry = &ring->entries[ring->oldest];
    if (entry->id != NULL)
        unlink_entry(ring, ring->oldest);
    entry->id = copy;
    entry->retries = retries;
    entry->mark = mark;
    entry->bucket = bucket_of(ring, id);
    entry->next = ring->buckets[entry->bucket];
    ring->buckets[entry->bucket] = ring->oldest + 1;
    ring->oldest = (ring->oldest + 1) % ring->capacity;
}

/* Index + 1 of the latest entry with this id, 0: none. */
static size_t find(const struct id_ring *ring, const char *id, int retries)
{
    size_t at = ring->buckets[bucket_of(ring, id)];
    while (at != 0) {
        const struct entry *entry = &ring->entries[at - 1];
        if (entry->retries == retries && strcmp(entry->id, id) == 0)
            return at;
        at = entry->next;
    }
    return 0;
}

bool id_ring_has(const struct id_ring *ring, const char *id, int retries, uint32_t *mark)
{
    size_t at = find(ring, id, retries);
    if (at != 0 && mark != NULL)
        *mark = ring->entries[at - 1].mark;
    return at != 0;
}

void id_ring_forget(struct id_ring *ring, const char *id, int retries)
{
    for (size_t at = find(ring, id, retries); at != 0; at = find(ring, id, retries))
        unlink_entry(ring, at - 1);
}

bool id_ring_mark(struct id_ring *ring, const char *id, int retries, uint32_t mark)
{
    size_t at = find(ring, id, retries);
    if (at != 0)
        ring->entries[at - 1].mark = mark;
    return at != 0;
}

void id_ring_expire(struct id_ring *ring, uint32_t mark)
{
    for (size_t i = 0; i < ring->capacity; i++) {
        if (ring->entries[i].id != NULL && ring->entries[i].mark < mark)
            unlink_entry(ring, i);
    }
}

const char *id_ring_next(const struct id_ring *ring, size_t *at)
{
    while (*at < ring->capacity) {
        const char *id = ring->entries[(ring->oldest + (*at)++) % ring->capacity].id;
        if (id != NULL)
            return id;
    }
    return NULL;
}
