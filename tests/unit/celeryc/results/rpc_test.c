/* Results as messages, beside a recorded one (celery 5.7.0, rpc://). */
#include "celeryc/results/rpc.h"
#include "tests/unit/unit.h"

#include <string.h>

static void a_result_is_sent_to_who_waits_for_it(void)
{
    struct error error;
    struct wire_message wire;
    json_t *three = json_integer(3);
    const struct task_meta meta = {.task_id = "some-id",
                                   .status = "SUCCESS",
                                   .result = three,
                                   .reply_to = "who-waits",
                                   .correlation_id = "which-one"};
    wire_message_init(&wire);
    CU_ASSERT_FATAL(rpc_message(&meta, false, &wire, &error));
    CU_ASSERT_STRING_EQUAL(wire.exchange, "");
    CU_ASSERT_STRING_EQUAL(wire.routing_key, "who-waits");
    CU_ASSERT_STRING_EQUAL(wire.correlation_id, "which-one");
    CU_ASSERT_STRING_EQUAL(wire.content_type, "application/json");
    CU_ASSERT_STRING_EQUAL(wire.content_encoding, "utf-8");
    CU_ASSERT(wire.delivery_mode == 1 && wire.priority == 0);
    json_t *body = json_loadb(wire.body, wire.body_size, 0, NULL);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(body, "task_id")), "some-id");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(body, "result")), 3);
    json_decref(body);
    json_decref(three);
    wire_message_clear(&wire);
}

static void the_task_s_id_stands_in_for_a_missing_correlation_id(void)
{
    struct error error;
    struct wire_message wire;
    const struct task_meta meta = {.task_id = "some-id", .status = "RETRY", .reply_to = "who-waits"};
    wire_message_init(&wire);
    CU_ASSERT_FATAL(rpc_message(&meta, false, &wire, &error));
    CU_ASSERT_STRING_EQUAL(wire.correlation_id, "some-id");
    wire_message_clear(&wire);
}

static void a_persistent_result_is_marked_as_one(void)
{
    struct error error;
    struct wire_message wire;
    const struct task_meta meta = {.task_id = "some-id", .status = "SUCCESS", .reply_to = "who-waits"};
    wire_message_init(&wire);
    CU_ASSERT_FATAL(rpc_message(&meta, true, &wire, &error));
    CU_ASSERT_EQUAL(wire.delivery_mode, 2);
    wire_message_clear(&wire);
}

static void only_rpc_urls_are_rpc(void)
{
    CU_ASSERT_TRUE(rpc_is_url("rpc://"));
    CU_ASSERT_FALSE(rpc_is_url("redis://localhost/0"));
    CU_ASSERT_FALSE(rpc_is_url("rpc"));
    CU_ASSERT_FALSE(rpc_is_url(NULL));
}

UNIT_MAIN("rpc", {"a result is sent to who waits for it", a_result_is_sent_to_who_waits_for_it},
          {"the task's id stands in for a missing correlation id",
           the_task_s_id_stands_in_for_a_missing_correlation_id},
          {"a persistent result is marked as one", a_persistent_result_is_marked_as_one},
          {"only rpc:// URLs are rpc", only_rpc_urls_are_rpc})
