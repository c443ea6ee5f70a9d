/* What goes between parent and child comes out as it went in, and nothing else comes out as anything. */
#include "celeryc/worker/pool_order.h"
#include "celeryc/worker/pool_report.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void fill(struct wire_message *wire)
{
    wire_message_init(wire);
    wire->exchange = strdup("");
    wire->routing_key = strdup("celery");
    wire->content_type = strdup("application/json");
    wire->priority = 7;
    wire->delivery_mode = 2;
    wire->timestamp = 1795502602;
    wire->headers =
        json_loads("{\"id\": \"x\", \"retries\": 3, \"f\": 1.5, \"n\": null, \"l\": [true, false, {}], "
                   "\"s\": \"a\\u0000b\"}",
                   JSON_ALLOW_NUL, NULL);
    wire->body_size = 5;
    wire->body = malloc(5);
    CU_ASSERT_PTR_NOT_NULL_FATAL(wire->body);
    memcpy(wire->body, "[\0\xff,]", 5);
}

/* What a request with a verdict carries. */
static struct verdict new_verdict(void)
{
    return (struct verdict){.state = "FAILURE",
                            .exception =
                                json_pack("{s:s, s:[i]}", "exc_type", "TimeLimitExceeded", "exc_message", 1),
                            .traceback = NULL,
                            .store = true,
                            .follow = FOLLOW_ALL};
}

static bool read_order(struct bytes *bytes, struct pool_order *order)
{
    enum frame_kind kind;
    struct frame_reader reader;
    size_t size;
    if (frame_next(bytes->data, bytes->size, &kind, &reader, &size) != FRAME_NEXT_WHOLE)
        return false;
    return kind == FRAME_ORDER && size == bytes->size && pool_order_get(&reader, order);
}

static void an_order_comes_out_as_it_went_in(void)
{
    struct bytes bytes;
    struct pool_order in = {.serial = 42,
                            .type = 3,
                            .redelivered = true,
                            .lost_runs = 2,
                            .soft_time_limit = 1.5},
                      out;
    bytes_init(&bytes, 0);
    fill(&in.wire);
    CU_ASSERT_FATAL(pool_order_put(&bytes, &in, NULL));
    CU_ASSERT_FATAL(read_order(&bytes, &out));
    CU_ASSERT(out.serial == 42 && out.type == 3 && out.redelivered && out.lost_runs == 2);
    CU_ASSERT_EQUAL(out.soft_time_limit, 1.5);
    CU_ASSERT_STRING_EQUAL(out.wire.exchange, "");
    CU_ASSERT_STRING_EQUAL(out.wire.routing_key, "celery");
    CU_ASSERT_PTR_NULL(out.wire.reply_to);
    CU_ASSERT(out.wire.priority == 7 && out.wire.delivery_mode == 2 && out.wire.timestamp == 1795502602);
    CU_ASSERT(json_equal(out.wire.headers, in.wire.headers));
    CU_ASSERT(out.wire.body_size == 5 && memcmp(out.wire.body, in.wire.body, 5) == 0);
    pool_order_clear(&out);
    wire_message_clear(&in.wire);
    bytes_clear(&bytes);
}

static void a_verdict_comes_out_as_it_went_in(void)
{
    struct bytes bytes;
    struct pool_order in = {.serial = 42, .verdict = new_verdict()}, out;
    bytes_init(&bytes, 0);
    fill(&in.wire);
    CU_ASSERT_FATAL(pool_order_put(&bytes, &in, NULL));
    CU_ASSERT_FATAL(read_order(&bytes, &out));
    CU_ASSERT_STRING_EQUAL(out.verdict.state, "FAILURE");
    CU_ASSERT_PTR_NULL(out.verdict.traceback);
    CU_ASSERT(out.verdict.store && out.verdict.follow == FOLLOW_ALL);
    CU_ASSERT(json_equal(out.verdict.exception, in.verdict.exception));
    CU_ASSERT(json_equal(out.wire.headers, in.wire.headers));
    pool_order_clear(&out);
    pool_order_clear(&out); /* nothing is left to be freed twice */
    json_decref(in.verdict.exception);
    wire_message_clear(&in.wire);
    bytes_clear(&bytes);
}

static void a_copied_message_shares_nothing(void)
{
    struct wire_message message, copy;
    fill(&message);
    wire_message_init(&copy);
    CU_ASSERT_FATAL(frame_copy_wire(&message, &copy));
    json_object_set_new(message.headers, "id", json_string("another"));
    message.body[0] = '{';
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(copy.headers, "id")), "x");
    CU_ASSERT(copy.body_size == 5 && memcmp(copy.body, "[\0\xff,]", 5) == 0);
    wire_message_clear(&message);
    wire_message_clear(&copy);
}

static void reports_come_out_as_they_went_in(void)
{
    struct bytes bytes;
    enum frame_kind kind;
    struct frame_reader reader;
    size_t size;
    struct pool_report in = {.kind = FRAME_FINISHED, .serial = 9, .started = 12.25}, out;
    bytes_init(&bytes, 0);
    fill(&in.retry);
    in.result = (struct run_result){.outcome = RUN_RETRY,
                                    .stored = true,
                                    .runtime = 0.5,
                                    .exception = "OSError('x')",
                                    .exc_type = "OSError",
                                    .exc_message = "x",
                                    .traceback = "Traceback",
                                    .retry = &in.retry,
                                    .retry_eta = 99};
    CU_ASSERT_FATAL(pool_report_put(&bytes, &in, NULL));
    pool_report_set_unstored(&bytes, 0);
    CU_ASSERT_EQUAL_FATAL(frame_next(bytes.data, bytes.size, &kind, &reader, &size), FRAME_NEXT_WHOLE);
    CU_ASSERT_FATAL(pool_report_get(kind, &reader, &out));
    CU_ASSERT(out.serial == 9 && out.started == 12.25 && out.result.outcome == RUN_RETRY);
    CU_ASSERT_FALSE(out.result.stored);
    CU_ASSERT(out.result.runtime == 0.5 && out.result.retry_eta == 99);
    CU_ASSERT_STRING_EQUAL(out.result.exception, "OSError('x')");
    CU_ASSERT_PTR_NULL(out.result.result);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out.result.retry);
    CU_ASSERT(json_equal(out.result.retry->headers, in.retry.headers));
    pool_report_clear(&out);
    wire_message_clear(&in.retry);
    bytes_clear(&bytes);
}

static void every_cut_and_every_changed_byte_is_survived(void)
{
    struct bytes bytes;
    struct pool_order in = {.serial = 1, .verdict = new_verdict()}, out;
    bytes_init(&bytes, 0);
    fill(&in.wire);
    CU_ASSERT_FATAL(pool_order_put(&bytes, &in, NULL));
    for (size_t cut = 0; cut < bytes.size; cut++) {
        struct frame_reader reader = {.at = (unsigned char *)bytes.data + FRAME_HEAD,
                                      .end = (unsigned char *)bytes.data + cut};
        if (cut >= FRAME_HEAD)
            CU_ASSERT_FALSE(pool_order_get(&reader, &out));
    }
    for (size_t at = FRAME_HEAD; at < bytes.size; at++) {
        for (int change = 1; change < 256; change += 50) {
            bytes.data[at] = (char)(bytes.data[at] ^ change);
            struct frame_reader reader = {.at = (unsigned char *)bytes.data + FRAME_HEAD,
                                          .end = (unsigned char *)bytes.data + bytes.size};
            if (pool_order_get(&reader, &out))
                pool_order_clear(&out);
            struct pool_report report;
            reader.at = (unsigned char *)bytes.data + FRAME_HEAD;
            reader.failed = false;
            if (pool_report_get(FRAME_FINISHED, &reader, &report))
                pool_report_clear(&report);
            bytes.data[at] = (char)(bytes.data[at] ^ change);
        }
    }
    json_decref(in.verdict.exception);
    wire_message_clear(&in.wire);
    bytes_clear(&bytes);
}

static void lengths_that_cannot_be_are_refused(void)
{
    enum frame_kind kind;
    struct frame_reader reader;
    size_t size;
    CU_ASSERT_EQUAL(frame_next("\0\0\0\0\1", 5, &kind, &reader, &size), FRAME_NEXT_BAD);
    CU_ASSERT_EQUAL(frame_next("\xff\xff\xff\xff\1", 5, &kind, &reader, &size), FRAME_NEXT_BAD);
    CU_ASSERT_EQUAL(frame_next("\1\0\0", 3, &kind, &reader, &size), FRAME_NEXT_MORE);
    CU_ASSERT_EQUAL(frame_next("\2\0\0\0\1", 5, &kind, &reader, &size), FRAME_NEXT_MORE);
    CU_ASSERT_EQUAL(size, 6);
}

static void headers_nested_without_end_are_refused_and_leave_the_buffer_as_it_was(void)
{
    struct bytes bytes;
    struct error error;
    struct pool_order order = {.serial = 1};
    json_t *nested = json_array();
    for (int i = 0; i < 200; i++)
        nested = json_pack("[o]", nested);
    bytes_init(&bytes, 0);
    wire_message_init(&order.wire);
    order.wire.headers = json_pack("{s:o}", "x", nested);
    CU_ASSERT(bytes_append_text(&bytes, "before", NULL));
    CU_ASSERT_FALSE(pool_order_put(&bytes, &order, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    CU_ASSERT_EQUAL(bytes.size, 6);
    wire_message_clear(&order.wire);
    bytes_clear(&bytes);
}

UNIT_MAIN("pool frames", {"an order comes out as it went in", an_order_comes_out_as_it_went_in},
          {"a verdict comes out as it went in", a_verdict_comes_out_as_it_went_in},
          {"a copied message shares nothing", a_copied_message_shares_nothing},
          {"reports come out as they went in", reports_come_out_as_they_went_in},
          {"every cut and every changed byte is survived", every_cut_and_every_changed_byte_is_survived},
          {"lengths that cannot be are refused", lengths_that_cannot_be_are_refused},
          {"headers nested without end are refused and leave the buffer as it was",
           headers_nested_without_end_are_refused_and_leave_the_buffer_as_it_was})
