#include "celeryc/message/task_message.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void make(struct wire_message *wire, json_t *headers, const void *body, size_t size)
{
    wire_message_init(wire);
    wire->content_type = strdup("application/json");
    wire->headers = headers;
    wire->body = malloc(size == 0 ? 1 : size);
    memcpy(wire->body, body, size);
    wire->body_size = size;
}

static json_t *plain_headers(void)
{
    return json_pack("{s:s, s:s, s:s}", "task", "demo.add", "id", "the-id", "argsrepr", "(1, 2)");
}

static void the_message_outlives_the_wire(void)
{
    struct wire_message wire;
    struct task_message *message;
    make(&wire, plain_headers(), "[[1, 2], {}, {}]", 16);
    CU_ASSERT(task_message_parse(&wire, &message, NULL) == MESSAGE_GOOD);
    wire_message_clear(&wire);
    CU_ASSERT_STRING_EQUAL(message->id, "the-id");
    CU_ASSERT_STRING_EQUAL(task_message_name(message), "demo.add");
    CU_ASSERT_STRING_EQUAL(message->argsrepr, "(1, 2)");
    CU_ASSERT(message->ignore_result == TRISTATE_UNSET && message->group_index == -1 &&
              message->protocol == 2);
    task_message_free(message);
}

static void times_and_limits_are_numbers(void)
{
    struct wire_message wire;
    struct task_message *message;
    json_t *headers = plain_headers();
    json_object_set_new(headers, "eta", json_string("2030-01-01T12:00:00+02:00"));
    json_object_set_new(headers, "expires", json_string("9999-12-31T23:59:59-05:00"));
    json_object_set_new(headers, "timelimit", json_pack("[i, f]", 10, 2.5));
    json_object_set_new(headers, "ignore_result", json_false());
    make(&wire, headers, "", 0);
    CU_ASSERT(task_message_parse(&wire, &message, NULL) == MESSAGE_GOOD);
    CU_ASSERT(message->eta == 1893492000.0);
    CU_ASSERT_FALSE(message->eta_overflows);
    CU_ASSERT(message->time_limit == 10 && message->soft_time_limit == 2.5);
    CU_ASSERT(message->ignore_result == TRISTATE_NO);
    task_message_free(message);
    json_object_set_new(wire.headers, "eta", json_string("9999-12-31T23:59:59-05:00"));
    CU_ASSERT(task_message_parse(&wire, &message, NULL) == MESSAGE_GOOD);
    CU_ASSERT_TRUE(message->eta_overflows);
    task_message_free(message);
    wire_message_clear(&wire);
}

static void a_compressed_body_is_read(void)
{
    const char *text = "[[1, 2], {}, {\"callbacks\": null}]";
    Bytef packed[256];
    uLongf size = sizeof packed;
    CU_ASSERT(compress(packed, &size, (const Bytef *)text, strlen(text)) == Z_OK);
    struct wire_message wire;
    struct task_body body;
    json_t *headers = plain_headers();
    json_object_set_new(headers, "compression", json_string("application/x-gzip"));
    make(&wire, headers, packed, size);
    CU_ASSERT(task_body_decode(&wire, 0, &body, NULL) == MESSAGE_GOOD);
    CU_ASSERT(json_array_size(body.args) == 2 && body.callbacks.data == NULL);
    CU_ASSERT(body.args_text.size == 6 && memcmp(body.args_text.data, "[1, 2]", 6) == 0);
    task_body_clear(&body);
    CU_ASSERT(task_body_decode(&wire, 10, &body, NULL) == MESSAGE_UNDECODABLE);
    task_body_clear(&body);
    wire_message_clear(&wire);
}

static void bytes_that_are_no_utf8_do_not_decode(void)
{
    struct wire_message wire;
    struct task_body body;
    make(&wire, plain_headers(), "[[\"\xff\"], {}, {}]", 14);
    CU_ASSERT(task_body_decode(&wire, 0, &body, NULL) == MESSAGE_UNDECODABLE);
    task_body_clear(&body);
    wire_message_clear(&wire);
}

static void no_headers_and_no_body_is_no_task(void)
{
    struct wire_message wire;
    struct task_message *message;
    struct task_body body;
    wire_message_init(&wire);
    CU_ASSERT(task_message_parse(&wire, &message, NULL) == MESSAGE_UNKNOWN_FORMAT);
    CU_ASSERT(message == NULL);
    CU_ASSERT(task_body_decode(&wire, 0, &body, NULL) == MESSAGE_NOT_ACCEPTED);
    task_body_clear(&body);
}

static void check(const char *body, size_t limit, enum message_fault expected)
{
    struct wire_message wire;
    struct error error;
    make(&wire, plain_headers(), body, strlen(body));
    CU_ASSERT(task_body_check(&wire, limit, &error) == expected);
    wire_message_clear(&wire);
}

static void a_body_is_checked_up_to_a_size(void)
{
    check("[[1, 2], {}, {}]", 100, MESSAGE_GOOD);
    check("[[1, 2], {}, {", 100, MESSAGE_UNDECODABLE);
    check("[[1, 2], {}]", 100, MESSAGE_INVALID);
    check("[[1, 2], {}, {", 13, MESSAGE_GOOD);
}

static void a_name_that_is_no_text_is_shown_as_python_shows_it(void)
{
    struct wire_message wire;
    struct task_message *message;
    json_t *headers = plain_headers();
    json_object_set_new(headers, "task", json_null());
    json_object_set_new(headers, "retries", json_string("many"));
    json_object_set_new(headers, "group", json_integer(5));
    make(&wire, headers, "", 0);
    CU_ASSERT(task_message_parse(&wire, &message, NULL) == MESSAGE_GOOD);
    CU_ASSERT_STRING_EQUAL(message->task, "None");
    CU_ASSERT(message->retries == 0 && message->group == NULL);
    task_message_free(message);
    json_object_set_new(headers, "task", json_array());
    CU_ASSERT(task_message_parse(&wire, &message, NULL) == MESSAGE_INVALID);
    wire_message_clear(&wire);
}

static void delivery_info_has_celerys_fields(void)
{
    struct wire_message wire;
    wire_message_init(&wire);
    wire.exchange = strdup("");
    wire.routing_key = strdup("celery");
    json_t *info = wire_message_delivery_info(&wire, true);
    CU_ASSERT(json_object_size(info) == 4);
    CU_ASSERT(json_is_null(json_object_get(info, "priority")) &&
              json_is_true(json_object_get(info, "redelivered")));
    json_decref(info);
    wire_message_clear(&wire);
}

UNIT_MAIN("task message", {"the message outlives the wire", the_message_outlives_the_wire},
          {"times and limits are numbers", times_and_limits_are_numbers},
          {"a compressed body is read", a_compressed_body_is_read},
          {"bytes that are no UTF-8 do not decode", bytes_that_are_no_utf8_do_not_decode},
          {"no headers and no body is no task", no_headers_and_no_body_is_no_task},
          {"a body is checked up to a size", a_body_is_checked_up_to_a_size},
          {"a name that is no text is shown as Python shows it",
           a_name_that_is_no_text_is_shown_as_python_shows_it},
          {"delivery info has Celery's fields", delivery_info_has_celerys_fields})
