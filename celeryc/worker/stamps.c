#include "celeryc/worker/stamps.h"

#include <stdlib.h>

static char *key_of(const json_t *value)
{
    return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
}

/* Objects keep the order in which their keys came. */
static void drop_oldest(json_t *object, size_t most)
{
    while (json_object_size(object) > most)
        (void)json_object_del(object, json_object_iter_key(json_object_iter(object)));
}

static void add_one(json_t *values, const json_t *value)
{
    char *key = key_of(value);
    if (key == NULL)
        return;
    (void)json_object_set_new(values, key, json_null());
    drop_oldest(values, STAMPS_VALUES_MOST);
    free(key);
}

void stamps_add(json_t *revoked, const char *header, const json_t *value)
{
    size_t index;
    json_t *one, *values = json_object_get(revoked, header);
    if (values == NULL) {
        if (json_object_set_new(revoked, header, json_object()) != 0)
            return;
        values = json_object_get(revoked, header);
    }
    if (!json_is_array(value) && value != NULL && !json_is_null(value))
        add_one(values, value);
    json_array_foreach((json_t *)value, index, one)
    {
        add_one(values, one);
    }
    drop_oldest(revoked, STAMPS_HEADERS_MOST);
}

static bool has(const json_t *values, const json_t *value)
{
    char *key = key_of(value);
    bool found = key != NULL && json_object_get(values, key) != NULL;
    free(key);
    return found;
}

json_t *stamps_common(const json_t *revoked, const char *header, const json_t *stamps)
{
    const json_t *values = json_object_get(revoked, header);
    json_t *actual = json_object_get(stamps, header), *common = json_array(), *one;
    size_t index;
    if (values == NULL || actual == NULL || json_is_null(actual))
        return common;
    if (!json_is_array(actual) && has(values, actual))
        json_array_append(common, actual);
    json_array_foreach(actual, index, one)
    {
        if (has(values, one))
            json_array_append(common, one);
    }
    return common;
}

const char *stamps_revoke(const json_t *revoked, const json_t *stamped_headers, const json_t *stamps)
{
    size_t index;
    json_t *name;
    json_array_foreach((json_t *)stamped_headers, index, name)
    {
        const char *header = json_string_value(name);
        if (header == NULL || json_object_get(revoked, header) == NULL)
            continue;
        json_t *common = stamps_common(revoked, header, stamps);
        bool found = json_array_size(common) > 0;
        json_decref(common);
        if (found)
            return header;
    }
    return NULL;
}
