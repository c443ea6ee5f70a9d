/* celery_value_bytes(): values that JSON has no form for. Source: kombu/utils/json.py. */
#include "celeryc/include/celeryc/task.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static char *copy(const char *text, size_t length, size_t *size)
{
    char *bytes = malloc(length + 1);
    if (bytes == NULL)
        return NULL;
    memcpy(bytes, text, length);
    bytes[length] = '\0';
    *size = length;
    return bytes;
}

static char *decode_base64(const char *text, size_t length, size_t *size)
{
    if (length > INT_MAX / 2 || length % 4 != 0)
        return NULL;
    unsigned char *bytes = malloc(length / 4 * 3 + 1);
    if (bytes == NULL)
        return NULL;
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    if (decoded < 0) {
        free(bytes);
        return NULL;
    }
    size_t padding = length > 0 ? (size_t)(text[length - 1] == '=') + (text[length - 2] == '=') : 0;
    *size = (size_t)decoded - padding;
    bytes[*size] = '\0';
    return (char *)bytes;
}

char *celery_value_bytes(const json_t *value, size_t *size)
{
    if (json_is_string(value))
        return copy(json_string_value(value), json_string_length(value), size);
    const char *type = json_string_value(json_object_get(value, "__type__"));
    const json_t *inner = json_object_get(value, "__value__");
    if (type == NULL || !json_is_string(inner))
        return NULL;
    if (strcmp(type, "bytes") == 0)
        return copy(json_string_value(inner), json_string_length(inner), size);
    if (strcmp(type, "base64") == 0)
        return decode_base64(json_string_value(inner), json_string_length(inner), size);
    return NULL;
}
