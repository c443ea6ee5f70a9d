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
    bool tls;        /* rediss:// */
    bool verify;     /* the server's certificate must be trusted */
    bool check_host; /* and name the host */
    char ca_file[URL_FIELD], certificate_file[URL_FIELD],
        key_file[URL_FIELD];  /* "" for the default or none */
    char name[2 * URL_FIELD]; /* "host:port/db" or "/path/db", for logs and errors */
};

/* Reads redis[s]://[user:password@]host[:port][/db] or redis+socket:///path[?virtual_host=db]; `db` is a
 * number. NULL, "" and disabled:// give an endpoint that is disabled. With rediss:// the query may have
 * ssl_cert_reqs (CERT_REQUIRED, CERT_OPTIONAL, CERT_NONE, or required, optional, none; Celery insists on it,
 * here it is CERT_REQUIRED where it is absent; for a client, OPTIONAL is no less), ssl_ca_certs (the system's
 * authorities where it is absent), ssl_certfile, ssl_keyfile and ssl_check_hostname. ERROR_INVALID says what
 * is wrong. Pure. */
bool redis_endpoint_parse(const char *url, struct redis_endpoint *endpoint, struct error *error);

#endif
