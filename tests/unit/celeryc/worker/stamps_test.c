#include "celeryc/worker/stamps.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static const char *revoking(const char *revoked, const char *stamped_headers, const char *stamps)
{
    static char name[64];
    const char *header;
    json_t *value, *given = json_loads(revoked, 0, NULL), *known = json_object();
    json_t *names = json_loads(stamped_headers, 0, NULL), *have = json_loads(stamps, 0, NULL);
    json_object_foreach(given, header, value)
    {
        stamps_add(known, header, value);
    }
    const char *found = stamps_revoke(known, names, have);
    snprintf(name, sizeof name, "%s", found != NULL ? found : "-");
    json_decref(given);
    json_decref(known);
    json_decref(names);
    json_decref(have);
    return name;
}

static void a_task_with_a_revoked_stamp_is_found(void)
{
    CU_ASSERT_STRING_EQUAL(revoking("{\"who\": \"me\"}", "[\"who\"]", "{\"who\": \"me\"}"), "who");
    CU_ASSERT_STRING_EQUAL(
        revoking("{\"who\": [\"you\", \"me\"]}", "[\"x\", \"who\"]", "{\"who\": [\"me\"]}"), "who");
    CU_ASSERT_STRING_EQUAL(revoking("{\"n\": 1}", "[\"n\"]", "{\"n\": [2, 1]}"), "n");
}

static void others_are_not(void)
{
    CU_ASSERT_STRING_EQUAL(revoking("{\"who\": \"me\"}", "[\"who\"]", "{\"who\": \"you\"}"), "-");
    CU_ASSERT_STRING_EQUAL(revoking("{\"who\": \"me\"}", "[]", "{\"who\": \"me\"}"), "-");
    CU_ASSERT_STRING_EQUAL(revoking("{\"who\": \"me\"}", "[\"who\", 7]", "{\"who\": null}"), "-");
    CU_ASSERT_STRING_EQUAL(revoking("{\"n\": 1}", "[\"n\"]", "{\"n\": \"1\"}"), "-");
    CU_ASSERT_PTR_NULL(stamps_revoke(NULL, NULL, NULL));
}

static void the_oldest_values_fall_out(void)
{
    json_t *known = json_object(), *have = json_object();
    for (int i = 0; i < STAMPS_VALUES_MOST + 10; i++) {
        json_t *value = json_integer(i);
        stamps_add(known, "n", value);
        json_decref(value);
    }
    CU_ASSERT_EQUAL(json_object_size(json_object_get(known, "n")), STAMPS_VALUES_MOST);
    json_object_set_new(have, "n", json_pack("[i, i]", 9, 10));
    json_t *common = stamps_common(known, "n", have);
    CU_ASSERT_EQUAL(json_array_size(common), 1);
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(common, 0)), 10);
    json_decref(common);
    json_decref(have);
    json_decref(known);
}

UNIT_MAIN("stamps", {"a task with a revoked stamp is found", a_task_with_a_revoked_stamp_is_found},
          {"others are not", others_are_not}, {"the oldest values fall out", the_oldest_values_fall_out})
