/* URLs of brokers and stores: scheme://user:password@host:port/path?query, percent-decoded.
 * Source: RFC 3986; kombu/utils/url.py for what Celery accepts. */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include "common/error.h"

#include <stddef.h>

#define URL_FIELD 256

struct url {
    char scheme[16];
    char user[URL_FIELD];      /* "" where absent */
    char password[URL_FIELD];  /* a secret: never logged */
    char host[URL_FIELD];      /* without the brackets of an IPv6 address */
    int port;                  /* 0 where absent, else 1 to 65535 */
    char path[URL_FIELD];      /* decoded, without the leading slash; "" where absent */
    bool has_path;             /* whether there was a slash after the authority */
    char query[3 * URL_FIELD]; /* as it stands, without '?' */
};

/* Reads `text`, of at most 1 KiB. ERROR_INVALID names what is wrong without showing the password. */
bool url_parse(const char *text, struct url *url, struct error *error);

/* Writes "scheme://user:**@host:port/path" as Celery's banner and `inspect conf` do; `size` bytes at most. */
void url_redact(const struct url *url, char *buffer, size_t size);

/* The value of `name` in the query, percent-decoded into `buffer`; false when it is not there or too long. */
bool url_query(const struct url *url, const char *name, char *buffer, size_t size);

#endif
