#include "celeryc/amqp/table.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct budget {
    int depth;
    size_t values; /* what may still come */
};

/* ---- text ---- */

/* Length of the valid UTF-8 sequence at `at`, 0 when there is none (RFC 3629: no surrogates, no overlong
 * forms). */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F))
        return 0;
    if ((at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

static bool is_plain(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == 0 || text[i] >= 0x80)
            return false;
    return true;
}

char *table_text(amqp_bytes_t bytes)
{
    const unsigned char *from = bytes.bytes;
    if (bytes.len == 0)
        return strdup("");
    if (is_plain(from, bytes.len))
        return strndup((const char *)from, bytes.len);
    char *text = bytes.len < SIZE_MAX / 4 ? malloc(bytes.len * 3 + 1) : NULL;
    if (text == NULL)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < bytes.len;) {
        size_t length = from[i] == 0 ? 0 : sequence_length(from + i, bytes.len - i);
        const void *piece = length == 0 ? (const void *)"\xEF\xBF\xBD" : from + i;
        size_t size = length == 0 ? 3 : length;
        memcpy(text + used, piece, size);
        used += size;
        i += length == 0 ? 1 : length;
    }
    text[used] = '\0';
    return text;
}

/* ---- AMQP to JSON ---- */

static json_t *json_from_value(const amqp_field_value_t *value, struct budget *budget, struct error *error);

static json_t *json_from_text(amqp_bytes_t bytes)
{
    if (bytes.len > 0 && is_plain(bytes.bytes, bytes.len))
        return json_stringn_nocheck(bytes.bytes, bytes.len);
    char *text = table_text(bytes);
    json_t *json = text == NULL ? NULL : json_string_nocheck(text);
    free(text);
    return json;
}

static json_t *json_from_real(double real)
{
    return isfinite(real) ? json_real(real) : json_null();
}

static json_t *json_from_array(const amqp_array_t *array, struct budget *budget, struct error *error)
{
    json_t *json = json_array();
    for (int i = 0; json != NULL && i < array->num_entries; i++) {
        json_t *item = json_from_value(&array->entries[i], budget, error);
        if (item == NULL || json_array_append_new(json, item) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

static json_t *json_from_table(const amqp_table_t *table, struct budget *budget, struct error *error)
{
    json_t *json = json_object();
    for (int i = 0; json != NULL && i < table->num_entries; i++) {
        json_t *item = json_from_value(&table->entries[i].value, budget, error);
        char *key = item == NULL ? NULL : table_text(table->entries[i].key);
        int failed = key == NULL ? -1 : json_object_set_new_nocheck(json, key, item);
        if (key == NULL)
            json_decref(item);
        free(key);
        if (failed) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

static json_t *json_from_decimal(amqp_decimal_t decimal)
{
    return json_from_real((double)(int32_t)decimal.value / pow(10, decimal.decimals));
}

static json_t *json_from_nested(const amqp_field_value_t *value, struct budget *budget, struct error *error)
{
    if (budget->depth == 0) {
        error_set(error, ERROR_LIMIT, "AMQP table nested deeper than %d", TABLE_DEPTH_MOST);
        return NULL;
    }
    budget->depth--;
    json_t *json = value->kind == AMQP_FIELD_KIND_ARRAY ? json_from_array(&value->value.array, budget, error)
                                                        : json_from_table(&value->value.table, budget, error);
    budget->depth++;
    return json;
}

static json_t *json_from_value(const amqp_field_value_t *value, struct budget *budget, struct error *error)
{
    if (budget->values == 0) {
        error_set(error, ERROR_LIMIT, "AMQP table of more than %d values", TABLE_VALUES_MOST);
        return NULL;
    }
    budget->values--;
    switch (value->kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
        return json_boolean(value->value.boolean);
    case AMQP_FIELD_KIND_I8:
        return json_integer(value->value.i8);
    case AMQP_FIELD_KIND_U8:
        return json_integer(value->value.u8);
    case AMQP_FIELD_KIND_I16:
        return json_integer(value->value.i16);
    case AMQP_FIELD_KIND_U16:
        return json_integer(value->value.u16);
    case AMQP_FIELD_KIND_I32:
        return json_integer(value->value.i32);
    case AMQP_FIELD_KIND_U32:
        return json_integer(value->value.u32);
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_U64: /* py-amqp writes signed numbers with this letter, and reads it so */
        return json_integer(value->value.i64);
    case AMQP_FIELD_KIND_TIMESTAMP:
        return value->value.u64 > INT64_MAX ? json_from_real((double)value->value.u64)
                                            : json_integer((json_int_t)value->value.u64);
    case AMQP_FIELD_KIND_F32:
        return json_from_real((double)value->value.f32);
    case AMQP_FIELD_KIND_F64:
        return json_from_real(value->value.f64);
    case AMQP_FIELD_KIND_DECIMAL:
        return json_from_decimal(value->value.decimal);
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        return json_from_text(value->value.bytes);
    case AMQP_FIELD_KIND_ARRAY:
    case AMQP_FIELD_KIND_TABLE:
        return json_from_nested(value, budget, error);
    default:
        return json_null();
    }
}

json_t *table_to_json(const amqp_table_t *table, struct error *error)
{
    struct budget budget = {TABLE_DEPTH_MOST, TABLE_VALUES_MOST};
    struct error reason = {0};
    json_t *json = json_from_table(table, &budget, &reason);
    if (json == NULL && reason.code == ERROR_NONE)
        error_set(&reason, ERROR_MEMORY, "no memory for an AMQP table");
    if (json == NULL && error != NULL)
        *error = reason;
    return json;
}

/* ---- JSON to AMQP ---- */

static bool value_from_json(const json_t *json, struct budget *budget, amqp_pool_t *pool,
                            amqp_field_value_t *value, struct error *error);

static bool fits_32(json_int_t integer)
{
    return integer >= INT32_MIN && integer <= INT32_MAX;
}

static bool descend(struct budget *budget, struct error *error)
{
    if (budget->depth == 0)
        return error_set(error, ERROR_LIMIT, "headers nested deeper than %d", TABLE_DEPTH_MOST);
    budget->depth--;
    return true;
}

static bool count_value(struct budget *budget, struct error *error)
{
    if (budget->values == 0)
        return error_set(error, ERROR_LIMIT, "headers of more than %d values", TABLE_VALUES_MOST);
    budget->values--;
    return true;
}

static bool entries_from_json(const json_t *object, struct budget *budget, amqp_pool_t *pool,
                              amqp_table_t *table, struct error *error)
{
    size_t count = json_object_size(object);
    *table = amqp_empty_table;
    if (count == 0)
        return true;
    if (count > budget->values)
        return error_set(error, ERROR_LIMIT, "headers of more than %d values", TABLE_VALUES_MOST);
    table->entries = amqp_pool_alloc(pool, count * sizeof *table->entries);
    if (table->entries == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an AMQP table");
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)object, key, item)
    {
        amqp_table_entry_t *entry = &table->entries[table->num_entries];
        if (strlen(key) > 255)
            return error_set(error, ERROR_INVALID, "header name of more than 255 bytes: %.40s...", key);
        entry->key = amqp_cstring_bytes(key);
        if (!value_from_json(item, budget, pool, &entry->value, error))
            return false;
        table->num_entries++;
    }
    return true;
}

static bool array_from_json(const json_t *json, struct budget *budget, amqp_pool_t *pool, amqp_array_t *array,
                            struct error *error)
{
    size_t count = json_array_size(json);
    *array = amqp_empty_array;
    if (count == 0)
        return true;
    if (count > budget->values)
        return error_set(error, ERROR_LIMIT, "headers of more than %d values", TABLE_VALUES_MOST);
    array->entries = amqp_pool_alloc(pool, count * sizeof *array->entries);
    if (array->entries == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an AMQP array");
    for (size_t i = 0; i < count; i++) {
        if (!value_from_json(json_array_get(json, i), budget, pool, &array->entries[i], error))
            return false;
        array->num_entries++;
    }
    return true;
}

static bool value_from_json(const json_t *json, struct budget *budget, amqp_pool_t *pool,
                            amqp_field_value_t *value, struct error *error)
{
    bool done = true;
    memset(value, 0, sizeof *value);
    if (!count_value(budget, error))
        return false;
    switch (json_typeof(json)) {
    case JSON_TRUE:
    case JSON_FALSE:
        value->kind = AMQP_FIELD_KIND_BOOLEAN;
        value->value.boolean = json_is_true(json);
        return true;
    case JSON_INTEGER:
        value->kind = fits_32(json_integer_value(json)) ? AMQP_FIELD_KIND_I32 : AMQP_FIELD_KIND_I64;
        if (value->kind == AMQP_FIELD_KIND_I32)
            value->value.i32 = (int32_t)json_integer_value(json);
        else
            value->value.i64 = json_integer_value(json);
        return true;
    case JSON_REAL:
        value->kind = AMQP_FIELD_KIND_F64;
        value->value.f64 = json_real_value(json);
        return true;
    case JSON_STRING:
        value->kind = AMQP_FIELD_KIND_UTF8;
        value->value.bytes.bytes = (void *)json_string_value(json);
        value->value.bytes.len = json_string_length(json);
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (!descend(budget, error))
            return false;
        value->kind = json_is_array(json) ? AMQP_FIELD_KIND_ARRAY : AMQP_FIELD_KIND_TABLE;
        done = json_is_array(json) ? array_from_json(json, budget, pool, &value->value.array, error)
                                   : entries_from_json(json, budget, pool, &value->value.table, error);
        budget->depth++;
        return done;
    default:
        value->kind = AMQP_FIELD_KIND_VOID;
        return true;
    }
}

bool table_from_json(const json_t *object, amqp_pool_t *pool, amqp_table_t *table, struct error *error)
{
    struct budget budget = {TABLE_DEPTH_MOST, TABLE_VALUES_MOST};
    return entries_from_json(object, &budget, pool, table, error);
}

/* ---- size ---- */

static bool add_size(const json_t *json, struct budget *budget, size_t *size, struct error *error)
{
    const char *key;
    json_t *item;
    size_t index;

    if (!count_value(budget, error))
        return false;
    *size += 1;
    switch (json_typeof(json)) {
    case JSON_TRUE:
    case JSON_FALSE:
        *size += 1;
        return true;
    case JSON_INTEGER:
        *size += fits_32(json_integer_value(json)) ? 4 : 8;
        return true;
    case JSON_REAL:
        *size += 8;
        return true;
    case JSON_STRING:
        *size += 4 + json_string_length(json);
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (!descend(budget, error))
            return false;
        *size += 4;
        json_array_foreach(json, index, item) if (!add_size(item, budget, size, error)) return false;
        json_object_foreach((json_t *)json, key, item)
        {
            if (strlen(key) > 255)
                return error_set(error, ERROR_INVALID, "header name of more than 255 bytes: %.40s...", key);
            *size += 1 + strlen(key);
            if (!add_size(item, budget, size, error))
                return false;
        }
        budget->depth++;
        return true;
    default:
        return true;
    }
}

size_t table_wire_size(const json_t *object, struct error *error)
{
    struct budget budget = {TABLE_DEPTH_MOST + 1, TABLE_VALUES_MOST + 1};
    size_t size = 0;
    if (object == NULL)
        return 4;
    return add_size(object, &budget, &size, error) ? size - 1 : 0;
}
