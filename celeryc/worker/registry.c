#include "celeryc/worker/registry.h"

#include "celeryc/worker/hash.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

static size_t *slot_of(const struct registry *registry, const char *name)
{
    size_t at = hash_text(name) & (registry->slot_count - 1);
    while (registry->slots[at] != 0 &&
           strcmp(registry->entries[registry->slots[at] - 1].type->name, name) != 0)
        at = (at + 1) & (registry->slot_count - 1);
    return &registry->slots[at];
}

bool registry_init(struct registry *registry, const struct celery_task_type *types, struct error *error)
{
    memset(registry, 0, sizeof *registry);
    size_t count = 0;
    while (types != NULL && types[count].name != NULL)
        count++;
    registry->slot_count = hash_size_for(count);
    registry->entries = calloc(count + 1, sizeof *registry->entries);
    registry->slots = calloc(registry->slot_count, sizeof *registry->slots);
    if (registry->entries == NULL || registry->slots == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for %zu tasks", count);
    for (; registry->count < count; registry->count++) {
        const struct celery_task_type *type = &types[registry->count];
        struct registered *entry = &registry->entries[registry->count];
        size_t *slot = slot_of(registry, type->name);
        if (*slot != 0)
            return error_set(error, ERROR_INVALID, "task %s is registered twice", type->name);
        if (type->run == NULL)
            return error_set(error, ERROR_INVALID, "task %s has no function", type->name);
        entry->type = type;
        entry->time_limit = type->time_limit;
        entry->soft_time_limit = type->soft_time_limit;
        if (!registry_set_rate(entry, type->rate_limit))
            return error_set(error, ERROR_INVALID,
                             "task %s: \"%s\" is no rate limit (\"10/s\", \"100/m\", \"1000/h\")", type->name,
                             type->rate_limit);
        *slot = registry->count + 1;
    }
    return true;
}

void registry_clear(struct registry *registry)
{
    for (size_t i = 0; registry->entries != NULL && i < registry->count; i++)
        free(registry->entries[i].rate_text);
    free(registry->entries);
    free(registry->slots);
    memset(registry, 0, sizeof *registry);
}

struct registered *registry_find(const struct registry *registry, const char *name)
{
    size_t index = *slot_of(registry, name);
    return index == 0 ? NULL : &registry->entries[index - 1];
}

struct registered *registry_of(const struct registry *registry, const struct celery_task_type *type)
{
    return registry->count == 0 ? NULL : &registry->entries[type - registry->entries[0].type];
}

bool registry_set_rate(struct registered *entry, const char *text)
{
    double per_second;
    if (!rate_parse(text, &per_second))
        return false;
    char *copy = per_second > 0 ? strdup(text) : NULL;
    if (per_second > 0 && copy == NULL)
        return false;
    free(entry->rate_text);
    entry->rate_text = copy;
    rate_init(&entry->rate, per_second, clock_monotonic());
    return true;
}
