/* The bytes of one connection to Redis: over TCP, a socket of Unix, or TLS (rediss://).
 *
 * hiredis writes and reads the protocol, but its connections are not used: in 0.14 (Debian 12) they know no
 * TLS. Nothing here waits: a call does what it can now, and `wants` says what to poll for before the next
 * one. A link that has failed is only good for redis_link_close(). Not thread-safe. No call raises SIGPIPE.
 */
#ifndef CELERYC_RESULTS_LINK_H
#define CELERYC_RESULTS_LINK_H

#include "celeryc/results/endpoint.h"

#include <sys/types.h>

struct ssl_st; /* OpenSSL's SSL */

struct redis_link {
    int fd;             /* non-blocking; -1: there is no connection */
    struct ssl_st *tls; /* NULL: plain */
    short wants; /* POLLIN or POLLOUT: what TLS waits for, whatever the caller is about to do; else 0 */
};

#define REDIS_LINK_NONE ((struct redis_link){.fd = -1})

/* ---- life cycle ---- */

/* Prepares TLS, as the endpoint wants it, over the link's connected socket. ERROR_INVALID: a file cannot be
 * used. */
bool redis_link_secure(struct redis_link *link, const struct redis_endpoint *endpoint, struct error *error);

/* The handshake after that: 1 done; 0 not yet (`wants`); -1 failed, ERROR_DENIED where the server's
 * certificate is not trusted, else ERROR_UNAVAILABLE. */
int redis_link_shake_hands(struct redis_link *link, struct error *error);

void redis_link_close(struct redis_link *link); /* the link is REDIS_LINK_NONE then */

/* ---- bytes ---- */

/* How many were written or read; 0: none can be now; -1: the connection is broken or was closed,
 * ERROR_UNAVAILABLE. */
ssize_t redis_link_write(struct redis_link *link, const void *data, size_t size, struct error *error);
ssize_t redis_link_read(struct redis_link *link, void *buffer, size_t size, struct error *error);

/* Whether there are bytes that poll(2) does not know of, since TLS has them already. */
bool redis_link_has_more(const struct redis_link *link);

#endif
