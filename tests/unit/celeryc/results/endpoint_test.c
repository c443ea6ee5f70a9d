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

static void parameters_of_tls_are_those_of_celery(void)
{
    static const struct {
        const char *url, *ca, *certificate, *key;
        bool tls, verify, check_host;
    } rows[] = {
        {"redis://h", "", "", "", false, false, false},
        {"rediss://h:6380/1", "", "", "", true, true, true},
        {"rediss://h?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=%2Fetc%2Fca.pem", "/etc/ca.pem", "", "", true,
         true, true},
        {"rediss://h?ssl_cert_reqs=optional&ssl_check_hostname=False", "", "", "", true, true, false},
        {"rediss://h?ssl_cert_reqs=CERT_NONE", "", "", "", true, false, true},
        {"rediss://h?ssl_certfile=/c.pem&ssl_keyfile=/k.pem", "", "/c.pem", "/k.pem", true, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_endpoint endpoint;
        CU_ASSERT(redis_endpoint_parse(rows[i].url, &endpoint, NULL));
        CU_ASSERT(endpoint.tls == rows[i].tls && endpoint.verify == rows[i].verify);
        CU_ASSERT(endpoint.check_host == rows[i].check_host);
        CU_ASSERT_STRING_EQUAL(endpoint.ca_file, rows[i].ca);
        CU_ASSERT_STRING_EQUAL(endpoint.certificate_file, rows[i].certificate);
        CU_ASSERT_STRING_EQUAL(endpoint.key_file, rows[i].key);
    }
}

static void a_path_that_is_too_long_is_refused_and_not_forgotten(void)
{
    char url[600] = "rediss://h?ssl_ca_certs=";
    struct redis_endpoint endpoint;
    struct error error = {.code = ERROR_NONE};
    memset(url + strlen(url), 'a', 300);
    CU_ASSERT_FALSE(redis_endpoint_parse(url, &endpoint, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "ssl_ca_certs"));
}

static void what_is_not_supported_is_refused_with_the_reason(void)
{
    static const struct {
        const char *url, *reason;
    } rows[] = {
        {"redis://h/0?ssl_cert_reqs=none", "rediss"},
        {"rediss://h/0?ssl_cert_reqs=never", "never"},
        {"rediss://h/x", "not a number"},
        {"sentinel://h:26379;sentinel://i:26379", "name the master"},
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
          {"parameters of TLS are those of Celery", parameters_of_tls_are_those_of_celery},
          {"a path that is too long is refused and not forgotten",
           a_path_that_is_too_long_is_refused_and_not_forgotten},
          {"what is not supported is refused with the reason",
           what_is_not_supported_is_refused_with_the_reason})
