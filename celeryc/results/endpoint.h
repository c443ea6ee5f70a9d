/* Where Redis is: what CELERY_RESULT_BACKEND says (celery/backends/redis.py _params_from_url), checked and
 * taken apart. */
#ifndef CELERYC_RESULTS_ENDPOINT_H
#define CELERYC_RESULTS_ENDPOINT_H

#include "common/error.h"
#include "common/url.h"

struct redis_endpoint {
    bool disabled; /* no URL, or "disabled://": there is no Redis */
    char host[URL_FIELD];
    int port;
    char path[URL_FIELD + 1]; /* of the socket; "" for TCP */
    char user[URL_FIELD];
    char password[URL_FIELD]; /* a secret: never logged */
    int database;
    char name[2 * URL_FIELD]; /* "host:port/db" or "/path/db", for logs and errors */
};

/* Reads redis://[user:password@]host[:port][/db] or redis+socket:///path[?virtual_host=db]; `db` is a number.
 * NULL, "" and disabled:// give an endpoint that is disabled. ERROR_INVALID says what is wrong; rediss:// is
 * refused, since this library speaks no TLS with Redis. Pure. */
bool redis_endpoint_parse(const char *url, struct redis_endpoint *endpoint, struct error *error);

#endif
