#include "celeryc/control/control_request.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse(const char *body, const char *type, struct control_request *request, struct error *error)
{
    struct wire_message message;
    wire_message_init(&message);
    message.content_type = type != NULL ? strdup(type) : NULL;
    message.body = strdup(body);
    message.body_size = strlen(body);
    message.headers = json_pack("{s:i, s:f}", "clock", 9, "expires", 1795480349.9);
    bool parsed = control_request_parse(&message, request, error);
    wire_message_clear(&message);
    return parsed;
}

static void a_recorded_request_is_read(void)
{
    struct control_request request;
    CU_ASSERT(parse(
        "{\"method\": \"stats\", \"arguments\": {}, \"destination\": [\"w1@host1\"], \"pattern\": null, "
        "\"matcher\": null, \"ticket\": \"7cb8ce30\", \"reply_to\": {\"exchange\": "
        "\"reply.celery.pidbox\", \"routing_key\": \"d8db7560\"}}",
        "application/json", &request, NULL));
    CU_ASSERT_STRING_EQUAL(request.method, "stats");
    CU_ASSERT_STRING_EQUAL(request.ticket, "7cb8ce30");
    CU_ASSERT_STRING_EQUAL(request.reply_exchange, "reply.celery.pidbox");
    CU_ASSERT_STRING_EQUAL(request.reply_routing_key, "d8db7560");
    CU_ASSERT_EQUAL(request.clock, 9);
    control_request_clear(&request);
}

static void a_request_without_reply_to_wants_none(void)
{
    struct control_request request;
    static const char *const bodies[] = {"{\"method\": \"ping\"}",
                                         "{\"method\": \"ping\", \"reply_to\": null}",
                                         "{\"method\": \"ping\", \"reply_to\": {\"exchange\": \"x\"}}",
                                         "{\"method\": \"ping\", \"reply_to\": {\"exchange\": 1, "
                                         "\"routing_key\": \"y\"}, \"arguments\": [1]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        CU_ASSERT(parse(bodies[i], "application/json", &request, NULL));
        CU_ASSERT_PTR_NULL(request.reply_exchange);
        CU_ASSERT_PTR_NULL(request.reply_routing_key);
        CU_ASSERT_PTR_NULL(request.arguments);
        control_request_clear(&request);
    }
}

static void what_is_no_request_is_refused(void)
{
    static const char *const rows[][2] = {
        {"", "application/json"},
        {"[]", "application/json"},
        {"{\"method\": 1}", "application/json"},
        {"{}", "application/json"},
        {"\xff", "application/json"},
        {"{\"method\": \"ping\"}", "application/x-python-serialize"},
        {"{\"method\": \"ping\"}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct control_request request;
        struct error error = {.code = ERROR_NONE};
        CU_ASSERT_FALSE(parse(rows[i][0], rows[i][1], &request, &error));
        CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
    }
}

static void requests_name_their_nodes(void)
{
    static const struct {
        const char *fields;
        bool meant;
    } rows[] = {
        {"\"destination\": null", true},
        {"\"destination\": []", true},
        {"\"destination\": [\"w1@h\"]", true},
        {"\"destination\": [\"w2@h\", \"w1@h\"]", true},
        {"\"destination\": [\"w2@h\", 7, null]", false},
        {"\"destination\": \"w1@h\"", true},
        {"\"destination\": [\"w2@h\"], \"pattern\": \"w*\", \"matcher\": \"glob\"", false},
        {"\"pattern\": \"w*\", \"matcher\": \"glob\"", true},
        {"\"pattern\": \"v*\", \"matcher\": \"glob\"", false},
        {"\"pattern\": \"v*\", \"matcher\": null", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[256];
        struct control_request request;
        bool meant = !rows[i].meant;
        snprintf(body, sizeof body, "{\"method\": \"ping\", %s}", rows[i].fields);
        CU_ASSERT(parse(body, "application/json", &request, NULL));
        CU_ASSERT(control_request_is_for(&request, "w1@h", &meant, NULL));
        CU_ASSERT_EQUAL(meant, rows[i].meant);
        control_request_clear(&request);
    }
}

UNIT_MAIN("control request", {"a recorded request is read", a_recorded_request_is_read},
          {"a request without reply_to wants none", a_request_without_reply_to_wants_none},
          {"what is no request is refused", what_is_no_request_is_refused},
          {"requests name their nodes", requests_name_their_nodes})
