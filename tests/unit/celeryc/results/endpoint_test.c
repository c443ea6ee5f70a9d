#include "celeryc/results/endpoint.h"
#include "tests/unit/unit.h"

#include <string.h>

static void urls_are_taken_apart_as_celery_takes_them(void)
{
    static const struct {
        const char *url, *host, *path, *user, *password;
        int port, database;
    } rows[] = {
        {"redis://", "localhost", "", "", "", 6379, 0},
        {"redis://cache", "cache", "", "", "", 6379, 0},
        {"redis://localhost/8", "localhost", "", "", "", 6379, 8},
        {"redis://:s%40crt@10.0.0.1:7000/3", "10.0.0.1", "", "", "s@crt", 7000, 3},
        {"redis://worker:pw@[::1]:6380/0", "::1", "", "worker", "pw", 6380, 0},
        {"redis://h?db=4", "h", "", "", "", 6379, 4},
        {"redis+socket:///run/redis.sock", "", "/run/redis.sock", "", "", 0, 0},
        {"redis+socket:///run/redis.sock?virtual_host=5", "", "/run/redis.sock", "", "", 0, 5},
        {"socket:///run/redis.sock", "", "/run/redis.sock", "", "", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_endpoint endpoint;
        struct error error = {.code = ERROR_NONE};
        CU_ASSERT(redis_endpoint_parse(rows[i].url, &endpoint, &error));
        CU_ASSERT_STRING_EQUAL(endpoint.host, rows[i].host);
        CU_ASSERT_STRING_EQUAL(endpoint.path, rows[i].path);
        CU_ASSERT_STRING_EQUAL(endpoint.user, rows[i].user);
        CU_ASSERT_STRING_EQUAL(endpoint.password, rows[i].password);
        CU_ASSERT_EQUAL(endpoint.port, rows[i].port);
        CU_ASSERT_EQUAL(endpoint.database, rows[i].database);
        CU_ASSERT_FALSE(endpoint.disabled);
    }
}

static void no_url_means_no_redis(void)
{
    static const char *const rows[] = {NULL, "", "disabled://", "disabled"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_endpoint endpoint;
        CU_ASSERT(redis_endpoint_parse(rows[i], &endpoint, NULL));
        CU_ASSERT(endpoint.disabled);
    }
}

static void what_is_not_supported_is_refused_with_the_reason(void)
{
    static const struct {
        const char *url, *reason;
    } rows[] = {
        {"rediss://h/0", "TLS"},
        {"amqp://h/0", "amqp"},
        {"redis://h/first", "not a number"},
        {"redis://h/-1", "not a number"},
        {"redis://h/1/2", "not a number"},
        {"redis://h/99999999999999999999", "not a number"},
        {"redis+socket://", "path"},
        {"redis+socket:///s?virtual_host=x", "not a number"},
        {"redis://:secret@h:0/0", "URL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_endpoint endpoint;
        struct error error = {.code = ERROR_NONE};
        CU_ASSERT_FALSE(redis_endpoint_parse(rows[i].url, &endpoint, &error));
        CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, rows[i].reason));
        CU_ASSERT_PTR_NULL(strstr(error.message, "secret"));
    }
}

UNIT_MAIN("endpoint",
          {"URLs are taken apart as Celery takes them", urls_are_taken_apart_as_celery_takes_them},
          {"no URL means no Redis", no_url_means_no_redis},
          {"what is not supported is refused with the reason",
           what_is_not_supported_is_refused_with_the_reason})
