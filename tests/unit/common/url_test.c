#include "common/url.h"
#include "tests/unit/unit.h"

#include <string.h>

static void every_part_of_a_url_is_read(void)
{
    struct url url;
    CU_ASSERT(url_parse("amqp://us%40er:p%3Aw@[::1]:5673/%2Fhost?heartbeat=5&x=%20y", &url, NULL));
    CU_ASSERT_STRING_EQUAL(url.scheme, "amqp");
    CU_ASSERT_STRING_EQUAL(url.user, "us@er");
    CU_ASSERT_STRING_EQUAL(url.password, "p:w");
    CU_ASSERT_STRING_EQUAL(url.host, "::1");
    CU_ASSERT_EQUAL(url.port, 5673);
    CU_ASSERT_STRING_EQUAL(url.path, "/host");
    char value[16];
    CU_ASSERT(url_query(&url, "x", value, sizeof value));
    CU_ASSERT_STRING_EQUAL(value, " y");
    CU_ASSERT_FALSE(url_query(&url, "heart", value, sizeof value));
}

static void what_is_left_out_is_empty(void)
{
    struct url url;
    CU_ASSERT(url_parse("redis://localhost", &url, NULL));
    CU_ASSERT_STRING_EQUAL(url.user, "");
    CU_ASSERT_EQUAL(url.port, 0);
    CU_ASSERT_FALSE(url.has_path);
    CU_ASSERT(url_parse("redis://:secret@localhost:1/", &url, NULL));
    CU_ASSERT_STRING_EQUAL(url.password, "secret");
    CU_ASSERT(url.has_path);
}

static void a_bad_url_is_refused_without_its_password(void)
{
    static const char *const rows[] = {
        "",           "localhost",          "://x",        "amqp://u:hidden@h:0/",  "amqp://u:hidden@h:70000",
        "amqp://[::1", "amqp://u:hid%zz@h", "amqp://h:1x", "amqp://u:hidden%00@h", "averyveryverylongscheme://h",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct url url;
        struct error error = {0};
        CU_ASSERT_FALSE(url_parse(rows[i], &url, &error));
        CU_ASSERT_PTR_NULL(strstr(error.message, "hid"));
        CU_ASSERT_NOT_EQUAL(error.code, ERROR_NONE);
    }
}

static void a_redacted_url_hides_the_password(void)
{
    struct url url;
    char text[128];
    url_parse("amqp://guest:topsecret@localhost:5672/v", &url, NULL);
    url_redact(&url, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "amqp://guest:**@localhost:5672/v");
}

UNIT_MAIN("url", {"every part of a URL is read", every_part_of_a_url_is_read},
          {"what is left out is empty", what_is_left_out_is_empty},
          {"a bad URL is refused without showing its password", a_bad_url_is_refused_without_its_password},
          {"a redacted URL hides the password", a_redacted_url_hides_the_password})
