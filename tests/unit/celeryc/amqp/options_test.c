#include "celeryc/amqp/broker.h"
#include "celeryc/amqp/connection.h"
#include "celeryc/amqp/content.h"
#include "celeryc/amqp/topology.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static bool check(const char *urls, struct error *error)
{
    struct broker_options options = {.urls = urls};
    return broker_options_check(&options, error);
}

static void urls_are_checked_without_connecting(void)
{
    struct error error = {0};
    CU_ASSERT(check("amqp://", &error));
    CU_ASSERT(check("amqp://guest:guest@localhost:5672//", &error));
    CU_ASSERT(check("pyamqp://a@b/c;amqps://d ; amqp://[::1]:1/", &error));
    CU_ASSERT_FALSE(check(NULL, &error));
    CU_ASSERT_FALSE(check("", &error));
    CU_ASSERT_FALSE(check(" ; ", &error));
    CU_ASSERT_FALSE(check("redis://localhost", &error));
    CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
    CU_ASSERT_FALSE(check("amqp://user:secret-word@host:99999/", &error));
    CU_ASSERT_PTR_NULL(strstr(error.message, "secret-word"));
}

static void what_a_url_leaves_out_is_as_kombu_has_it(void)
{
    struct connection connection;
    struct broker_options options = {.urls = "amqp://;amqps://host/a%2Fb;amqp://u:p@h:1//"};
    CU_ASSERT_FATAL(connection_init(&connection, &options, NULL));
    CU_ASSERT_EQUAL(connection.url_count, 3);
    CU_ASSERT_STRING_EQUAL(connection.urls[0].host, "localhost");
    CU_ASSERT_STRING_EQUAL(connection.urls[0].user, "guest");
    CU_ASSERT_STRING_EQUAL(connection.urls[0].path, "/");
    CU_ASSERT_EQUAL(connection.urls[0].port, 5672);
    CU_ASSERT_EQUAL(connection.urls[1].port, 5671);
    CU_ASSERT_STRING_EQUAL(connection.urls[1].path, "a/b");
    CU_ASSERT_STRING_EQUAL(connection.urls[2].path, "/");
    connection_clear(&connection);
}

static void delays_grow_to_the_most_and_differ(void)
{
    struct connection connection;
    struct broker_options options = {
        .urls = "amqp://a;amqp://b", .retry_first = 2, .retry_step = 2, .retry_most = 30};
    CU_ASSERT_FATAL(connection_init(&connection, &options, NULL));
    CU_ASSERT_EQUAL(connection_delay(&connection), 0);
    connection.attempts = 1; /* the second of the list is tried at once */
    CU_ASSERT_EQUAL(connection_delay(&connection), 0);
    for (unsigned round = 1; round < 50; round++) {
        connection.attempts = round * 2;
        double whole = 2.0 * round > 30 ? 30 : 2.0 * round, delay = connection_delay(&connection);
        CU_ASSERT(delay >= whole * 0.74 && delay <= whole * 1.26);
    }
    connection_clear(&connection);
}

static void a_copied_queue_has_celerys_defaults(void)
{
    json_t *arguments = json_pack("{s:s}", "x-queue-type", "quorum");
    struct queue_spec spec = {.name = "celery", .arguments = arguments}, *copy = queue_spec_copy(&spec);
    json_decref(arguments);
    CU_ASSERT_STRING_EQUAL(copy->exchange, "celery");
    CU_ASSERT_STRING_EQUAL(copy->routing_key, "celery");
    CU_ASSERT_STRING_EQUAL(copy->exchange_type, "direct");
    CU_ASSERT(queue_spec_is_quorum(copy));
    queue_spec_free(copy);
    queue_spec_free(NULL);
}

static void messages_that_do_not_fit_the_wire_are_refused(void)
{
    struct error error = {0};
    struct wire_message message;
    char *long_text = calloc(1, 200001);
    memset(long_text, 'x', 200000);
    wire_message_init(&message);
    CU_ASSERT(content_check(&message, &error));
    message.priority = 256;
    CU_ASSERT_FALSE(content_check(&message, &error));
    message.priority = 255;
    message.headers = json_array();
    CU_ASSERT_FALSE(content_check(&message, &error));
    json_decref(message.headers);
    message.headers = json_pack("{s:s}", "a", long_text);
    CU_ASSERT_FALSE(content_check(&message, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    long_text[256] = '\0';
    message.reply_to = strdup(long_text);
    CU_ASSERT_FALSE(content_check(&message, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
    message.reply_to[255] = '\0';
    json_object_clear(message.headers);
    CU_ASSERT(content_check(&message, &error));
    wire_message_clear(&message);
    free(long_text);
}

static amqp_frame_t header_frame(uint64_t size, amqp_basic_properties_t *properties)
{
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_HEADER};
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.body_size = size;
    frame.payload.properties.decoded = properties;
    return frame;
}

static amqp_frame_t body_frame(const char *text)
{
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_BODY};
    frame.payload.body_fragment = amqp_cstring_bytes(text);
    return frame;
}

static void a_body_is_assembled_from_its_frames(void)
{
    struct content_assembly assembly = {0};
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_PRIORITY_FLAG, .priority = 4};
    amqp_frame_t header = header_frame(5, &properties), first = body_frame("he"), second = body_frame("llo");
    wire_message_init(&assembly.message);
    CU_ASSERT(content_begin(&assembly, amqp_cstring_bytes("e"), amqp_cstring_bytes("k")));
    CU_ASSERT_EQUAL(content_add(&assembly, &header, 100), CONTENT_MORE);
    CU_ASSERT_EQUAL(content_add(&assembly, &first, 100), CONTENT_MORE);
    CU_ASSERT_EQUAL(content_add(&assembly, &second, 100), CONTENT_COMPLETE);
    CU_ASSERT_STRING_EQUAL(assembly.message.body, "hello");
    CU_ASSERT_EQUAL(assembly.message.priority, 4);
    CU_ASSERT_EQUAL(content_add(&assembly, &second, 100), CONTENT_UNEXPECTED);
    content_clear(&assembly);
}

static void frames_out_of_order_or_too_long_are_unexpected(void)
{
    struct content_assembly assembly = {0};
    amqp_basic_properties_t properties = {0};
    amqp_frame_t header = header_frame(3, &properties), body = body_frame("four");
    wire_message_init(&assembly.message);
    content_begin(&assembly, amqp_empty_bytes, amqp_empty_bytes);
    CU_ASSERT_EQUAL(content_add(&assembly, &body, 100), CONTENT_UNEXPECTED);
    content_begin(&assembly, amqp_empty_bytes, amqp_empty_bytes);
    CU_ASSERT_EQUAL(content_add(&assembly, &header, 100), CONTENT_MORE);
    CU_ASSERT_EQUAL(content_add(&assembly, &body, 100), CONTENT_UNEXPECTED);
    content_clear(&assembly);
}

static void a_body_over_the_limit_is_passed_over_without_memory_for_it(void)
{
    struct content_assembly assembly = {0};
    amqp_basic_properties_t properties = {0};
    amqp_frame_t huge = header_frame(UINT64_MAX, &properties), over = header_frame(4, &properties);
    amqp_frame_t body = body_frame("four");
    wire_message_init(&assembly.message);
    content_begin(&assembly, amqp_empty_bytes, amqp_empty_bytes);
    CU_ASSERT_EQUAL(content_add(&assembly, &huge, 3), CONTENT_MORE);
    CU_ASSERT(assembly.skip);
    CU_ASSERT_PTR_NULL(assembly.message.body);
    content_begin(&assembly, amqp_empty_bytes, amqp_empty_bytes);
    CU_ASSERT_EQUAL(content_add(&assembly, &over, 3), CONTENT_MORE);
    CU_ASSERT_EQUAL(content_add(&assembly, &body, 3), CONTENT_COMPLETE);
    CU_ASSERT(assembly.skip && assembly.refusal.code == ERROR_LIMIT);
    content_clear(&assembly);
}

UNIT_MAIN("broker options and content",
          {"URLs are checked without connecting", urls_are_checked_without_connecting},
          {"what a URL leaves out is as kombu has it", what_a_url_leaves_out_is_as_kombu_has_it},
          {"delays grow to the most and differ", delays_grow_to_the_most_and_differ},
          {"a copied queue has Celery's defaults", a_copied_queue_has_celerys_defaults},
          {"messages that do not fit the wire are refused", messages_that_do_not_fit_the_wire_are_refused},
          {"a body is assembled from its frames", a_body_is_assembled_from_its_frames},
          {"frames out of order or too long are unexpected", frames_out_of_order_or_too_long_are_unexpected},
          {"a body over the limit is passed over without memory for it",
           a_body_over_the_limit_is_passed_over_without_memory_for_it})
