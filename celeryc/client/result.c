#include "celeryc/client/client_state.h"

#include "celeryc/message/compression.h"
#include "celeryc/message/json_reader.h"
#include "common/bytes.h"
#include "common/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RESULT_SIZE_MOST = 256 * 1024 * 1024 }; /* decompressed */

/* In front of a compressed result: this, the method, a NUL (celery/backends/base.py
 * COMPRESSED_PAYLOAD_MAGIC). */
static const char magic[] = "\0celery-compressed";

static char *result_key(const struct celery_client *client, const char *id)
{
    char *key;
    const char *prefix = client->options.key_prefix == NULL ? "" : client->options.key_prefix;
    return asprintf(&key, "%scelery-task-meta-%s", prefix, id) < 0 ? NULL : key;
}

static bool check(const struct celery_client *client, struct error *error)
{
    return client->store != NULL || error_set(error, ERROR_INVALID, "the client has no result backend");
}

/* Replaces a compressed value by what it is. */
static bool decompress(struct celery_value *value, struct error *error)
{
    if (value->size < sizeof magic || memcmp(value->data, magic, sizeof magic) != 0)
        return true;
    const char *method = value->data + sizeof magic;
    const char *end = memchr(method, '\0', value->size - sizeof magic);
    if (end == NULL || !compression_is_known(method))
        return error_set(error, ERROR_PROTOCOL, "the result is compressed in an unknown way");
    struct bytes bytes;
    bytes_init(&bytes, RESULT_SIZE_MOST);
    size_t offset = (size_t)(end + 1 - value->data);
    struct celery_value plain = {.data = NULL};
    if (compression_undo(method, end + 1, value->size - offset, &bytes, error))
        plain.data = bytes_take(&bytes, &plain.size);
    bytes_clear(&bytes);
    if (plain.data == NULL)
        return error_context(error, "the result does not decompress");
    free(value->data);
    *value = plain;
    return true;
}

/* What Jansson can hold of an object: a result with, say, an integer beyond 64 bits still has its state. */
static json_t *read_leniently(const struct celery_value *value, struct error *error)
{
    struct json_reader reader;
    json_reader_init(&reader, value->data, value->size);
    if (json_reader_peek(&reader) != '{') {
        error_set(error, ERROR_PROTOCOL, "the stored result is no JSON object");
        return NULL;
    }
    json_t *meta = json_object();
    json_reader_open(&reader);
    for (;;) {
        struct text_slice key, member;
        if (!json_reader_next(&reader, &key, &member, error)) {
            json_decref(meta);
            return NULL;
        }
        if (member.data == NULL)
            return meta;
        json_t *name = json_loadb(key.data, key.size, JSON_DECODE_ANY, NULL);
        json_t *held = json_loadb(member.data, member.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (name != NULL)
            json_object_set_new(meta, json_string_value(name),
                                held == NULL ? json_null() : json_incref(held));
        json_decref(name);
        json_decref(held);
    }
}

static json_t *read_meta(struct celery_value *value, struct error *error)
{
    if (!decompress(value, error))
        return NULL;
    json_t *meta = json_loadb(value->data, value->size, JSON_ALLOW_NUL, NULL);
    if (json_is_object(meta))
        return meta;
    json_decref(meta);
    return read_leniently(value, error);
}

bool celery_result_get(struct celery_client *client, const char *id, json_t **meta, double timeout,
                       struct error *error)
{
    *meta = NULL;
    if (!check(client, error))
        return false;
    char *key = result_key(client, id);
    if (key == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a result");
    const char *keys[] = {key};
    struct celery_value value = {.data = NULL};
    bool good = celery_store_get(client->store, keys, &value, 1, timeout, error);
    if (good && value.data != NULL) {
        *meta = read_meta(&value, error);
        good = *meta != NULL || error_context(error, "task %.64s", id);
    }
    free(value.data);
    free(key);
    return good;
}

static bool is_ready(const json_t *meta)
{
    const char *status = json_string_value(json_object_get(meta, "status"));
    return status != NULL && (strcmp(status, "SUCCESS") == 0 || strcmp(status, "FAILURE") == 0 ||
                              strcmp(status, "REVOKED") == 0);
}

static void sleep_seconds(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
    nanosleep(&time, NULL);
}

bool celery_result_wait(struct celery_client *client, const char *id, json_t **meta, double timeout,
                        struct error *error)
{
    const double first_pause = 0.005, longest_pause = 0.25;
    double deadline = clock_monotonic() + timeout, pause = first_pause;
    *meta = NULL;
    for (;;) {
        double left = deadline - clock_monotonic();
        bool read = celery_result_get(client, id, meta, fmax(left, 0.1), error);
        if (read && is_ready(*meta))
            return true;
        json_decref(*meta);
        *meta = NULL;
        bool away =
            !read && error != NULL && (error->code == ERROR_UNAVAILABLE || error->code == ERROR_TIMEOUT);
        if (!read && !away)
            return false;
        left = deadline - clock_monotonic();
        if (left <= 0)
            return read ? error_set(error, ERROR_TIMEOUT, "task %.64s is not ready after %g s", id, timeout)
                        : false;
        sleep_seconds(fmin(pause, left));
        pause = fmin(pause * 1.5, longest_pause);
    }
}

bool celery_result_forget(struct celery_client *client, const char *id, double timeout, struct error *error)
{
    if (!check(client, error))
        return false;
    char *key = result_key(client, id);
    if (key == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a result");
    bool good = celery_store_delete(client->store, key, timeout, error);
    free(key);
    return good;
}
