#include "celeryc/amqp/table.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static amqp_table_entry_t entry_of(const char *key, uint8_t kind)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = kind;
    return entry;
}

/* Encodes, decodes and converts back, as a message would be on its way. */
static json_t *through_the_wire(json_t *object)
{
    amqp_pool_t pool;
    amqp_table_t table, decoded;
    char wire[8192];
    size_t offset = 0, read = 0;
    init_amqp_pool(&pool, 4096);
    CU_ASSERT_FATAL(table_from_json(object, &pool, &table, NULL));
    CU_ASSERT_FATAL(amqp_encode_table((amqp_bytes_t){sizeof wire, wire}, &table, &offset) == 0);
    CU_ASSERT_EQUAL(table_wire_size(object, NULL), offset);
    CU_ASSERT_FATAL(amqp_decode_table((amqp_bytes_t){offset, wire}, &pool, &decoded, &read) == 0);
    json_t *back = table_to_json(&decoded, NULL);
    empty_amqp_pool(&pool);
    return back;
}

static void json_comes_back_equal(void)
{
    json_t *object =
        json_loads("{\"i\": 1, \"n\": -2147483648, \"big\": 9007199254740993, \"low\": -9223372036854775808,"
                   " \"r\": 0.1, \"t\": true, \"f\": false, \"z\": null, \"s\": \"\\u00e4\\ud834\\udd1e\","
                   " \"e\": \"\", \"a\": [1, [2, {\"k\": []}]], \"o\": {\"x\": {}}}",
                   0, NULL);
    json_t *back = through_the_wire(object);
    CU_ASSERT(json_equal(object, back));
    json_decref(object);
    json_decref(back);
}

static void kinds_are_those_of_py_amqp(void)
{
    json_t *object = json_loads(
        "{\"a\": 5, \"b\": 2147483648, \"c\": \"x\", \"d\": 1.5, \"e\": null, \"f\": true}", 0, NULL);
    const uint8_t kinds[] = {'I', 'l', 'S', 'd', 'V', 't'};
    amqp_pool_t pool;
    amqp_table_t table;
    init_amqp_pool(&pool, 4096);
    CU_ASSERT_FATAL(table_from_json(object, &pool, &table, NULL));
    CU_ASSERT_FATAL(table.num_entries == 6);
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(table.entries[i].value.kind, kinds[i]);
    empty_amqp_pool(&pool);
    json_decref(object);
}

static void what_json_has_not_becomes_the_nearest(void)
{
    amqp_table_entry_t entries[] = {
        entry_of("time", AMQP_FIELD_KIND_TIMESTAMP), entry_of("nan", AMQP_FIELD_KIND_F64),
        entry_of("infinite", AMQP_FIELD_KIND_F32),   entry_of("decimal", AMQP_FIELD_KIND_DECIMAL),
        entry_of("signed", AMQP_FIELD_KIND_U64),     entry_of("bytes", AMQP_FIELD_KIND_BYTES),
        entry_of("late", AMQP_FIELD_KIND_TIMESTAMP),
    };
    entries[0].value.value.u64 = 1700000000;
    entries[1].value.value.f64 = (double)NAN;
    entries[2].value.value.f32 = (float)INFINITY;
    entries[3].value.value.decimal = (amqp_decimal_t){.decimals = 2, .value = (uint32_t)-314};
    entries[4].value.value.i64 = -7;
    entries[5].value.value.bytes = (amqp_bytes_t){4, (void *)"a\xFF\0b"};
    entries[6].value.value.u64 = UINT64_MAX;
    amqp_table_t table = {7, entries};
    json_t *json = table_to_json(&table, NULL);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "time")), 1700000000);
    CU_ASSERT(json_is_null(json_object_get(json, "nan")));
    CU_ASSERT(json_is_null(json_object_get(json, "infinite")));
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(json, "decimal")), -3.14, 1e-9);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "signed")), -7);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "bytes")), "a\xEF\xBF\xBD\xEF\xBF\xBD"
                                                                              "b");
    CU_ASSERT(json_is_real(json_object_get(json, "late")));
    json_decref(json);
}

static void text_that_is_no_utf8_is_mended(void)
{
    const struct {
        const char *from, *to;
    } texts[] = {
        {"plain", "plain"},
        {"\xC3\xA4", "\xC3\xA4"},
        {"\xC3", "\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* a surrogate */
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* an overlong form */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF0\x9D\x84\x9E!", "\xF0\x9D\x84\x9E!"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = table_text(amqp_cstring_bytes(texts[i].from));
        CU_ASSERT_STRING_EQUAL(text, texts[i].to);
        free(text);
    }
}

static json_t *nested(int depth)
{
    json_t *json = json_object();
    for (int i = 0; i < depth; i++)
        json = json_pack("{s:o}", "a", json);
    return json;
}

static void depth_is_limited_both_ways(void)
{
    amqp_pool_t pool;
    amqp_table_t table;
    struct error error = {0};
    json_t *most = nested(TABLE_DEPTH_MOST), *more = nested(TABLE_DEPTH_MOST + 1);
    json_t *back = through_the_wire(most);
    CU_ASSERT(json_equal(most, back));
    init_amqp_pool(&pool, 4096);
    CU_ASSERT_FALSE(table_from_json(more, &pool, &table, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    CU_ASSERT_EQUAL(table_wire_size(more, &error), 0);
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);

    amqp_table_entry_t entries[TABLE_DEPTH_MOST + 2];
    amqp_table_t inner = {0, NULL};
    for (int i = 0; i < TABLE_DEPTH_MOST + 2; i++) {
        entries[i] = entry_of("a", AMQP_FIELD_KIND_TABLE);
        entries[i].value.value.table = inner;
        inner = (amqp_table_t){1, &entries[i]};
    }
    error.code = ERROR_NONE;
    CU_ASSERT_PTR_NULL(table_to_json(&inner, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    empty_amqp_pool(&pool);
    json_decref(most);
    json_decref(more);
    json_decref(back);
}

static void the_number_of_values_is_limited_both_ways(void)
{
    struct error error = {0};
    amqp_pool_t pool;
    amqp_table_t table;
    json_t *list = json_array(), *object = json_pack("{s:o}", "list", list);
    for (int i = 0; i < TABLE_VALUES_MOST; i++)
        json_array_append_new(list, json_null());
    init_amqp_pool(&pool, 4096);
    CU_ASSERT_FALSE(table_from_json(object, &pool, &table, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    CU_ASSERT_EQUAL(table_wire_size(object, &error), 0);

    amqp_field_value_t *values = calloc(TABLE_VALUES_MOST, sizeof *values);
    for (int i = 0; i < TABLE_VALUES_MOST; i++)
        values[i].kind = AMQP_FIELD_KIND_VOID;
    amqp_table_entry_t entry = entry_of("list", AMQP_FIELD_KIND_ARRAY);
    entry.value.value.array = (amqp_array_t){TABLE_VALUES_MOST, values};
    table = (amqp_table_t){1, &entry};
    error.code = ERROR_NONE;
    CU_ASSERT_PTR_NULL(table_to_json(&table, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    free(values);
    empty_amqp_pool(&pool);
    json_decref(object);
}

static void names_over_255_bytes_are_refused(void)
{
    char name[257];
    struct error error = {0};
    amqp_pool_t pool;
    amqp_table_t table;
    memset(name, 'n', 256);
    name[256] = '\0';
    json_t *object = json_pack("{s:i}", name, 1);
    init_amqp_pool(&pool, 4096);
    CU_ASSERT_FALSE(table_from_json(object, &pool, &table, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
    CU_ASSERT_EQUAL(table_wire_size(object, &error), 0);
    empty_amqp_pool(&pool);
    json_decref(object);
}

static void a_name_that_occurs_twice_has_its_last_value(void)
{
    amqp_table_entry_t entries[] = {entry_of("a", AMQP_FIELD_KIND_I32), entry_of("a", AMQP_FIELD_KIND_I32)};
    entries[0].value.value.i32 = 1;
    entries[1].value.value.i32 = 2;
    amqp_table_t table = {2, entries};
    json_t *json = table_to_json(&table, NULL);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "a")), 2);
    json_decref(json);
}

UNIT_MAIN("AMQP tables", {"JSON comes back equal", json_comes_back_equal},
          {"kinds are those of py-amqp", kinds_are_those_of_py_amqp},
          {"what JSON has not becomes the nearest", what_json_has_not_becomes_the_nearest},
          {"text that is no UTF-8 is mended", text_that_is_no_utf8_is_mended},
          {"depth is limited both ways", depth_is_limited_both_ways},
          {"the number of values is limited both ways", the_number_of_values_is_limited_both_ways},
          {"names over 255 bytes are refused", names_over_255_bytes_are_refused},
          {"a name that occurs twice has its last value", a_name_that_occurs_twice_has_its_last_value})
