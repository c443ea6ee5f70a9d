#include "worker/plan.h"

#include "s3/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATE_LENGTH (DATE_SIZE - 1)

struct listing {
    struct plan *plan;
    const char *bucket;
    const struct date_range *range;
    size_t maximum;
};

bool plan_is_log(const char *key, struct date *date)
{
    size_t length = strlen(key);
    if (length < DATE_LENGTH + 2 || key[DATE_LENGTH] != '_')
        return false;
    const char *number = key + DATE_LENGTH + 1;
    if (strspn(number, "0123456789") != strlen(number))
        return false;
    return date_parse(key, DATE_LENGTH, date, NULL);
}

static bool add(struct listing *listing, const struct s3_entry *entry, struct error *error)
{
    struct plan *plan = listing->plan;
    if (plan->count == listing->maximum)
        return error_set(error, ERROR_LIMIT, "the range has more than %zu files", listing->maximum);
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity == 0 ? 64 : 2 * plan->capacity;
        struct plan_file *files = realloc(plan->files, capacity * sizeof *files);
        if (files == NULL)
            return error_set(error, ERROR_MEMORY, "out of memory for a list of %zu files", capacity);
        plan->files = files;
        plan->capacity = capacity;
    }
    char *name;
    if (asprintf(&name, "%s/%s", listing->bucket, entry->key) < 0)
        return error_set(error, ERROR_MEMORY, "out of memory for the name of %s", entry->key);
    plan->files[plan->count++] = (struct plan_file){
        .name = name, .key = name + strlen(listing->bucket) + 1, .version = entry->version};
    plan->bytes += entry->version.size;
    return true;
}

static enum s3_list_answer consider(void *context, const struct s3_entry *entry, struct error *error)
{
    struct listing *listing = context;
    struct date date;
    if (strncmp(entry->key, listing->range->end.text, DATE_LENGTH) > 0)
        return S3_LIST_STOP;
    if (!plan_is_log(entry->key, &date)) {
        listing->plan->ignored++;
        return S3_LIST_MORE;
    }
    return add(listing, entry, error) ? S3_LIST_MORE : S3_LIST_FAIL;
}

bool plan_make(struct plan *plan, struct s3_client *client, const char *bucket,
               const struct date_range *range, size_t maximum, struct error *error)
{
    *plan = (struct plan){0};
    struct listing listing = {.plan = plan, .bucket = bucket, .range = range, .maximum = maximum};
    struct s3_list_options options = {.start_after = range->start.text};
    return s3_list(client, bucket, &options, consider, &listing, error);
}

void plan_clear(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->files[i].name);
    free(plan->files);
    *plan = (struct plan){0};
}
