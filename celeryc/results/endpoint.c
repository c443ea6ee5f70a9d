#include "celeryc/results/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool redis_endpoint_parse(const char *text, struct redis_endpoint *endpoint, struct error *error)
{
    struct url url;
    *endpoint = (struct redis_endpoint){.port = 0};
    if (text == NULL || *text == '\0' || strncmp(text, "disabled", 8) == 0) {
        endpoint->disabled = true;
        return true;
    }
    if (!url_parse(text, &url, error))
        return error_context(error, "result backend");
    snprintf(endpoint->user, sizeof endpoint->user, "%s", url.user);
    snprintf(endpoint->password, sizeof endpoint->password, "%s", url.password);
    if (strcmp(url.scheme, "redis") == 0)
        return parse_tcp(&url, endpoint, error) || error_context(error, "result backend");
    if (strcmp(url.scheme, "redis+socket") == 0 || strcmp(url.scheme, "socket") == 0)
        return parse_socket(&url, endpoint, error) || error_context(error, "result backend");
    if (strcmp(url.scheme, "rediss") == 0)
        return error_set(
            error, ERROR_INVALID,
            "result backend: rediss:// (Redis over TLS) is not supported; use redis:// through a "
            "private network or a TLS tunnel");
    return error_set(error, ERROR_INVALID, "result backend: \"%s\" is none of redis, redis+socket, disabled",
                     url.scheme);
}
