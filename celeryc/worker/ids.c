#include "celeryc/worker/ids.h"

#include "celeryc/worker/hash.h"

#include <stdlib.h>
#include <string.h>

#define NONE ((size_t)-1)

struct entry {
    char *id; /* owned; NULL: free */
    int retries;
    size_t bucket, next; /* the chain of its bucket, by index */
};

struct id_ring {
    struct entry *entries;
    size_t *buckets; /* index of the first entry, NONE for none */
    size_t capacity, bucket_count, oldest;
};

struct id_ring *id_ring_new(size_t capacity, struct error *error)
{
    struct id_ring *ring = calloc(1, sizeof *ring);
    if (ring != NULL) {
        ring->capacity = capacity;
        ring->bucket_count = hash_size_for(capacity);
        ring->entries = calloc(capacity, sizeof *ring->entries);
        ring->buckets = malloc(ring->bucket_count * sizeof *ring->buckets);
    }
    if (ring == NULL || ring->entries == NULL || ring->buckets == NULL) {
        id_ring_free(ring);
        error_set(error, ERROR_MEMORY, "no memory for a ring of %zu ids", capacity);
        return NULL;
    }
    for (size_t i = 0; i < ring->bucket_count; i++)
        ring->buckets[i] = NONE;
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
    while (*link != index)
        link = &ring->entries[*link].next;
    *link = entry->next;
    free(entry->id);
    entry->id = NULL;
}

void id_ring_add(struct id_ring *ring, const char *id, int retries)
{
    char *copy = strdup(id);
    if (copy == NULL)
        return;
    struct entry *entry = &ring->entries[ring->oldest];
    if (entry->id != NULL)
        unlink_entry(ring, ring->oldest);
    entry->id = copy;
    entry->retries = retries;
    entry->bucket = bucket_of(ring, id);
    entry->next = ring->buckets[entry->bucket];
    ring->buckets[entry->bucket] = ring->oldest;
    ring->oldest = (ring->oldest + 1) % ring->capacity;
}

bool id_ring_has(const struct id_ring *ring, const char *id, int retries)
{
    for (size_t i = ring->buckets[bucket_of(ring, id)]; i != NONE; i = ring->entries[i].next) {
        if (ring->entries[i].retries == retries && strcmp(ring->entries[i].id, id) == 0)
            return true;
    }
    return false;
}
