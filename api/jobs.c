#include "api/jobs.h"

#include "common/clock.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE (32 + JOBS_KEY_SIZE)

static void job_key(const char *kind, const char *name, char key[KEY_SIZE])
{
    (void)snprintf(key, KEY_SIZE, "logmerge:%s:%s", kind, name);
}

static bool dates_of(const json_t *object, struct date_range *range)
{
    const char *start = json_string_value(json_object_get(object, "start_date"));
    const char *end = json_string_value(json_object_get(object, "end_date"));
    return start != NULL && end != NULL && date_range_parse(start, end, 0, range, NULL);
}

/* ---- records ---- */

bool jobs_record(struct api *api, const char *id, const struct date_range *range, struct error *error)
{
    char key[KEY_SIZE], created[CLOCK_ISO_SIZE], record[256];
    job_key("job", id, key);
    clock_iso8601(clock_wall(), created);
    int size =
        snprintf(record, sizeof record, "{\"start_date\":\"%s\",\"end_date\":\"%s\",\"created\":\"%s\"}",
                 range->start.text, range->end.text, created);
    return celery_store_set(api->store, key, record, (size_t)size, api->settings.job_retention,
                            api->settings.redis_timeout, error);
}

bool jobs_forget(struct api *api, const char *id, struct error *error)
{
    char key[KEY_SIZE];
    job_key("job", id, key);
    return celery_store_delete(api->store, key, api->settings.redis_timeout, error);
}

static bool read_record(const struct celery_value *value, struct job *job)
{
    json_t *record = json_loadb(value->data, value->size, 0, NULL);
    const char *created = json_string_value(json_object_get(record, "created"));
    bool read =
        dates_of(record, &job->range) && created != NULL && clock_parse_iso8601(created, true, &job->created);
    json_decref(record);
    return read;
}

bool jobs_find(struct api *api, const char *id, struct job *job, struct error *error)
{
    char record[KEY_SIZE], tombstone[KEY_SIZE];
    const char *keys[] = {record, tombstone};
    struct celery_value values[2];
    memset(job, 0, sizeof *job);
    job_key("job", id, record);
    job_key("cancelled", id, tombstone);
    if (!celery_store_get(api->store, keys, values, 2, api->settings.redis_timeout, error))
        return false;
    job->known = values[0].data != NULL && read_record(&values[0], job);
    job->cancelled = values[1].data != NULL;
    free(values[0].data);
    free(values[1].data);
    return true;
}

bool jobs_cancel(struct api *api, const char *id, struct error *error)
{
    char key[KEY_SIZE], when[CLOCK_ISO_SIZE];
    job_key("cancelled", id, key);
    clock_iso8601(clock_wall(), when);
    return celery_store_set(api->store, key, when, strlen(when), api->settings.job_retention,
                            api->settings.redis_timeout, error);
}

/* ---- idempotency ---- */

bool jobs_key_is_valid(const char *key)
{
    size_t size = strlen(key);
    if (size == 0 || size >= JOBS_KEY_SIZE)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (key[i] < '!' || key[i] > '~')
            return false;
    }
    return true;
}

static int write_claim(const struct job_claim *claim, bool published, char *buffer, size_t size)
{
    return snprintf(buffer, size,
                    "{\"download_id\":\"%s\",\"start_date\":\"%s\",\"end_date\":\"%s\",\"published\":%s}",
                    claim->id, claim->range.start.text, claim->range.end.text, published ? "true" : "false");
}

static bool read_claim(const struct celery_value *value, struct job_claim *claim)
{
    json_t *stored = json_loadb(value->data, value->size, 0, NULL);
    const char *id = json_string_value(json_object_get(stored, "download_id"));
    bool read = id != NULL && uuid_is_valid(id) && dates_of(stored, &claim->range);
    if (read) {
        memcpy(claim->id, id, UUID_SIZE);
        claim->published = json_is_true(json_object_get(stored, "published"));
    }
    json_decref(stored);
    return read;
}

bool jobs_read_claim(struct api *api, const char *name, struct job_claim *claim, bool *found,
                     struct error *error)
{
    char key[KEY_SIZE];
    const char *keys[] = {key};
    struct celery_value value;
    job_key("idempotency", name, key);
    if (!celery_store_get(api->store, keys, &value, 1, api->settings.redis_timeout, error))
        return false;
    *found = value.data != NULL;
    bool read = value.data == NULL || read_claim(&value, claim);
    free(value.data);
    if (!read)
        return error_set(error, ERROR_PROTOCOL, "what Redis has under %s is not what was stored there", key);
    return true;
}

bool jobs_claim(struct api *api, const char *name, struct job_claim *claim, bool *ours, struct error *error)
{
    char key[KEY_SIZE], text[256];
    job_key("idempotency", name, key);
    /* Between the attempt and the look at what is there, the other claim may be given up: then try again. */
    for (int attempt = 0; attempt < 10; attempt++) {
        int size = write_claim(claim, false, text, sizeof text);
        if (!celery_store_set_if_absent(api->store, key, text, (size_t)size,
                                        api->settings.idempotency_retention, ours,
                                        api->settings.redis_timeout, error))
            return false;
        if (*ours)
            return true;
        bool found;
        struct job_claim stored;
        if (!jobs_read_claim(api, name, &stored, &found, error))
            return false;
        if (found) {
            *claim = stored;
            return true;
        }
    }
    return error_set(error, ERROR_UNAVAILABLE, "requests with the same Idempotency-Key keep failing");
}

bool jobs_settle_claim(struct api *api, const char *name, const struct job_claim *claim, struct error *error)
{
    char key[KEY_SIZE], text[256];
    job_key("idempotency", name, key);
    int size = write_claim(claim, true, text, sizeof text);
    return celery_store_set(api->store, key, text, (size_t)size, api->settings.idempotency_retention,
                            api->settings.redis_timeout, error);
}

bool jobs_release_claim(struct api *api, const char *name, struct error *error)
{
    char key[KEY_SIZE];
    job_key("idempotency", name, key);
    return celery_store_delete(api->store, key, api->settings.redis_timeout, error);
}
