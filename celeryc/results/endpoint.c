#include "celeryc/results/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REDIS_PORT 6379
#define REDIS_DATABASES 65536 /* far above what a server is configured with */

/* "" is database 0. */
static bool parse_database(const char *text, int *database)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || value < 0 || value >= REDIS_DATABASES ||
        (*text != '\0' && (*text < '0' || *text > '9')))
        return false;
    *database = (int)value;
    return true;
}

/* The database by query (?virtual_host=, ?db=), which stands over the one in the path. */
static bool parse_query(const struct url *url, char *database, size_t size)
{
    return url_query(url, "virtual_host", database, size) || url_query(url, "db", database, size);
}

static bool parse_socket(const struct url *url, struct redis_endpoint *endpoint, struct error *error)
{
    char database[16] = "";
    if (url->host[0] != '\0' || url->path[0] == '\0')
        return error_set(error, ERROR_INVALID,
                         "redis+socket:// needs a path: redis+socket:///run/redis.sock");
    snprintf(endpoint->path, sizeof endpoint->path, "/%s", url->path);
    (void)parse_query(url, database, sizeof database);
    if (!parse_database(database, &endpoint->database))
        return error_set(error, ERROR_INVALID, "Redis database \"%s\" is not a number", database);
    snprintf(endpoint->name, sizeof endpoint->name, "%s (db %d)", endpoint->path, endpoint->database);
    return true;
}

static bool parse_tcp(const struct url *url, struct redis_endpoint *endpoint, struct error *error)
{
    char database[URL_FIELD];
    snprintf(endpoint->host, sizeof endpoint->host, "%s", url->host[0] != '\0' ? url->host : "localhost");
    endpoint->port = url->port != 0 ? url->port : REDIS_PORT;
    if (!parse_query(url, database, sizeof database))
        snprintf(database, sizeof database, "%s", url->path);
    if (!parse_database(database, &endpoint->database))
        return error_set(error, ERROR_INVALID, "Redis database \"%s\" is not a number", database);
    snprintf(endpoint->name, sizeof endpoint->name, "%s:%d/%d", endpoint->host, endpoint->port,
             endpoint->database);
    return true;
}

/* ---- TLS: the names of celery/backends/redis.py and redis-py ---- */

static const char *const tls_names[] = {"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"};

/* They would be ignored, and whoever gave them believes that nobody listens: refused, as Celery does. */
static bool refuse_tls(const struct url *url, struct error *error)
{
    char value[URL_FIELD];
    for (size_t i = 0; i < sizeof tls_names / sizeof tls_names[0]; i++) {
        if (url_query(url, tls_names[i], value, sizeof value))
            return error_set(error, ERROR_INVALID, "%s is for rediss://, the URL is redis://", tls_names[i]);
    }
    return true;
}

static bool parse_requirement(const struct url *url, bool *verify, struct error *error)
{
    static const struct {
        const char *name;
        bool verify;
    } rows[] = {{"CERT_REQUIRED", true}, {"required", true},   {"CERT_OPTIONAL", true},
                {"optional", true},      {"CERT_NONE", false}, {"none", false}};
    char value[URL_FIELD];
    *verify = true;
    if (!url_query(url, "ssl_cert_reqs", value, sizeof value))
        return true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(value, rows[i].name) == 0) {
            *verify = rows[i].verify;
            return true;
        }
    }
    return error_set(error, ERROR_INVALID,
                     "ssl_cert_reqs \"%s\" is none of CERT_REQUIRED, CERT_OPTIONAL, CERT_NONE", value);
}

/* "" where it is not given. */
static bool parse_file(const struct url *url, const char *name, char file[URL_FIELD], struct error *error)
{
    if (url_query(url, name, file, URL_FIELD))
        return true;
    file[0] = '\0';
    return strstr(url->query, name) == NULL ||
           error_set(error, ERROR_INVALID, "%s is not a path of 1 to %d bytes", name, URL_FIELD - 1);
}

static bool parse_tls(const struct url *url, struct redis_endpoint *endpoint, struct error *error)
{
    char check[16] = "";
    (void)url_query(url, "ssl_check_hostname", check, sizeof check);
    endpoint->tls = true;
    endpoint->check_host =
        strcasecmp(check, "false") != 0 && strcasecmp(check, "no") != 0 && strcmp(check, "0") != 0;
    return parse_requirement(url, &endpoint->verify, error) &&
           parse_file(url, "ssl_ca_certs", endpoint->ca_file, error) &&
           parse_file(url, "ssl_certfile", endpoint->certificate_file, error) &&
           parse_file(url, "ssl_keyfile", endpoint->key_file, error);
}

bool redis_endpoint_parse(const char *text, struct redis_endpoint *endpoint, struct error *error)
{
    struct url url;
    *endpoint = (struct redis_endpoint){.port = 0};
    if (text == NULL || *text == '\0' || strncmp(text, "disabled", 8) == 0) {
        endpoint->disabled = true;
        return true;
    }
    if (strncmp(text, "sentinel://", 11) == 0)
        return error_set(
            error, ERROR_INVALID,
            "result backend: sentinel:// (finding the master by Redis Sentinels) is not supported; "
            "name the master by redis:// or rediss://");
    if (!url_parse(text, &url, error))
        return error_context(error, "result backend");
    snprintf(endpoint->user, sizeof endpoint->user, "%s", url.user);
    snprintf(endpoint->password, sizeof endpoint->password, "%s", url.password);
    if (strcmp(url.scheme, "redis") == 0)
        return (refuse_tls(&url, error) && parse_tcp(&url, endpoint, error)) ||
               error_context(error, "result backend");
    if (strcmp(url.scheme, "rediss") == 0)
        return (parse_tcp(&url, endpoint, error) && parse_tls(&url, endpoint, error)) ||
               error_context(error, "result backend");
    if (strcmp(url.scheme, "redis+socket") == 0 || strcmp(url.scheme, "socket") == 0)
        return parse_socket(&url, endpoint, error) || error_context(error, "result backend");
    return error_set(error, ERROR_INVALID,
                     "result backend: \"%s\" is none of redis, rediss, redis+socket, disabled", url.scheme);
}
