#include "celeryc/message/encode.h"
#include "celeryc/message/json_text.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

/* As recorded from a Python client (demo.add.delay(1, 2)), ids and origin apart. */
static const char headers_recorded[] =
    "{\"lang\": \"py\", \"task\": \"demo.add\", \"id\": \"the-id\", \"shadow\": null, \"eta\": null, "
    "\"expires\": null, "
    "\"group\": null, \"group_index\": null, \"retries\": 0, \"timelimit\": [null, null], \"root_id\": "
    "\"the-id\", "
    "\"parent_id\": null, \"argsrepr\": \"(1, 2)\", \"kwargsrepr\": \"{}\", \"origin\": \"gen1@host\", "
    "\"ignore_result\": false, \"replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}";
static const char body_recorded[] =
    "[[1, 2], {}, {\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}]";

static struct task_draft add_draft(json_t *args)
{
    struct task_draft draft;
    task_draft_init(&draft);
    draft.id = "the-id";
    draft.task = "demo.add";
    draft.args = args;
    draft.origin = "gen1@host";
    draft.ignore_result = TRISTATE_NO;
    draft.routing_key = "celery";
    draft.now = 1000;
    return draft;
}

static void assert_json(const json_t *value, const char *text)
{
    char *dumped = json_text_dump(value, NULL, NULL);
    CU_ASSERT_STRING_EQUAL(dumped, text);
    free(dumped);
}

static void a_plain_task_is_what_was_recorded(void)
{
    json_t *args = json_pack("[i, i]", 1, 2);
    struct task_draft draft = add_draft(args);
    struct wire_message wire;
    CU_ASSERT_TRUE(task_encode(&draft, &wire, NULL));
    assert_json(wire.headers, headers_recorded);
    CU_ASSERT_STRING_EQUAL(wire.body, body_recorded);
    CU_ASSERT(wire.body_size == strlen(body_recorded));
    CU_ASSERT(wire.priority == 0 && wire.delivery_mode == 2 && wire.expiration == NULL);
    CU_ASSERT_STRING_EQUAL(wire.correlation_id, "the-id");
    CU_ASSERT_STRING_EQUAL(wire.reply_to, "");
    CU_ASSERT_STRING_EQUAL(wire.exchange, "");
    CU_ASSERT_STRING_EQUAL(wire.routing_key, "celery");
    wire_message_clear(&wire);
    json_decref(args);
}

static void an_expiry_in_the_past_lives_for_no_time(void)
{
    struct task_draft draft = add_draft(NULL);
    struct wire_message wire;
    draft.expires = 999;
    CU_ASSERT_TRUE(task_encode(&draft, &wire, NULL));
    CU_ASSERT_STRING_EQUAL(wire.expiration, "0");
    wire_message_clear(&wire);
    draft.expires = 1001.5;
    CU_ASSERT_TRUE(task_encode(&draft, &wire, NULL));
    CU_ASSERT_STRING_EQUAL(wire.expiration, "1500");
    wire_message_clear(&wire);
}

static void text_that_is_not_utf8_is_refused(void)
{
    struct task_draft draft = add_draft(NULL);
    struct wire_message wire;
    struct error error;
    draft.id = "\xff";
    CU_ASSERT_FALSE(task_encode(&draft, &wire, &error));
    CU_ASSERT(error.code == ERROR_INVALID);
    wire_message_clear(&wire);
}

/* A message with all that a retry must keep. */
static void make_original(struct wire_message *wire)
{
    wire_message_init(wire);
    wire->exchange = strdup("");
    wire->routing_key = strdup("celery");
    wire->content_type = strdup("application/json");
    wire->reply_to = strdup("the-reply-to");
    wire->priority = 7;
    wire->headers =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:[i, f], s:s, s:s, s:s, s:s, s:s, s:b, s:[s], "
                  "s:{s:s}, s:s, s:[s], s:s}",
                  "task", "demo.add", "id", "the-id", "shadow", "shown", "group", "the-group", "group_index",
                  3, "expires", "1970-01-01T01:00:00+00:00", "retries", 1, "timelimit", 10, 2.5, "root_id",
                  "the-root", "parent_id", "the-parent", "argsrepr", "(hidden)", "kwargsrepr", "{}", "origin",
                  "gen1@host", "ignore_result", 1, "stamped_headers", "tenant", "stamps", "tenant", "blue",
                  "mine", "kept", "x-death", "gone", "compression", "");
    wire->body = strdup(
        "[[1, 123456789012345678901], {\"k\": NaN}, {\"callbacks\": [ 1e400 ], \"chord\": {\"a\":1}}]");
    wire->body_size = strlen(wire->body);
}

static void a_retry_keeps_what_it_does_not_change(void)
{
    struct wire_message original, wire;
    struct task_message *message;
    struct task_body body;
    make_original(&original);
    CU_ASSERT(task_message_parse(&original, &message, NULL) == MESSAGE_GOOD);
    CU_ASSERT(task_body_decode(&original, 0, &body, NULL) == MESSAGE_UNFIT);
    struct task_retry retry = {.eta = 1010, .now = 1000};
    CU_ASSERT_TRUE(task_encode_retry(&original, message, &body, &retry, &wire, NULL));
    assert_json(wire.headers,
                "{\"lang\": \"py\", \"task\": \"demo.add\", \"id\": \"the-id\", \"shadow\": \"shown\", "
                "\"eta\": \"1970-01-01T00:16:50+00:00\", \"expires\": \"1970-01-01T01:00:00+00:00\", "
                "\"group\": \"the-group\", "
                "\"group_index\": 3, \"retries\": 2, \"timelimit\": [10, 2.5], \"root_id\": \"the-root\", "
                "\"parent_id\": \"the-parent\", \"argsrepr\": \"(hidden)\", \"kwargsrepr\": \"{}\", "
                "\"origin\": \"gen1@host\", "
                "\"ignore_result\": true, \"replaced_task_nesting\": 0, \"stamped_headers\": [\"tenant\"], "
                "\"stamps\": {\"tenant\": \"blue\"}, \"mine\": \"kept\"}");
    CU_ASSERT_STRING_EQUAL(
        wire.body,
        "[[1, 123456789012345678901], {\"k\": NaN}, {\"callbacks\": [ 1e400 ], \"errbacks\": null, "
        "\"chain\": null, \"chord\": {\"a\":1}}]");
    CU_ASSERT(wire.priority == 7);
    CU_ASSERT_STRING_EQUAL(wire.reply_to, "the-reply-to");
    CU_ASSERT_STRING_EQUAL(wire.routing_key, "celery");
    CU_ASSERT_STRING_EQUAL(wire.expiration, "2600000");
    wire_message_clear(&wire);
    task_body_clear(&body);
    task_message_free(message);
    wire_message_clear(&original);
}

static void a_retry_may_have_other_arguments(void)
{
    struct wire_message original, wire;
    struct task_message *message;
    struct task_body body;
    make_original(&original);
    CU_ASSERT(task_message_parse(&original, &message, NULL) == MESSAGE_GOOD);
    CU_ASSERT(task_body_decode(&original, 0, &body, NULL) == MESSAGE_UNFIT);
    struct task_retry retry = {.args = json_pack("[s]", "new"), .kwargs = json_object(), .now = 1000};
    CU_ASSERT_TRUE(task_encode_retry(&original, message, &body, &retry, &wire, NULL));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(wire.headers, "argsrepr")), "('new',)");
    CU_ASSERT(json_is_null(json_object_get(wire.headers, "eta")));
    static const char begin[] = "[[\"new\"], {}, {\"callbacks\": [ 1e400 ]";
    CU_ASSERT(strncmp(wire.body, begin, strlen(begin)) == 0);
    json_decref(retry.args);
    json_decref(retry.kwargs);
    wire_message_clear(&wire);
    task_body_clear(&body);
    task_message_free(message);
    wire_message_clear(&original);
}

UNIT_MAIN("encode", {"a plain task is what was recorded", a_plain_task_is_what_was_recorded},
          {"an expiry in the past lives for no time", an_expiry_in_the_past_lives_for_no_time},
          {"text that is not UTF-8 is refused", text_that_is_not_utf8_is_refused},
          {"a retry keeps what it does not change", a_retry_keeps_what_it_does_not_change},
          {"a retry may have other arguments", a_retry_may_have_other_arguments})
