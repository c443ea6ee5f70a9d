/* Opening a TCP connection in a bounded time, with the system's own words for what went wrong. */
#ifndef CELERYC_AMQP_DIAL_H
#define CELERYC_AMQP_DIAL_H

#include "common/error.h"

/* Tries the addresses of `host` in turn, `timeout` seconds for all (but not for the name look-up). A socket
 * that does not block, with TCP_NODELAY and keep-alive, closed on exec; -1 with ERROR_UNAVAILABLE or
 * ERROR_TIMEOUT. */
int dial_tcp(const char *host, int port, double timeout, struct error *error);

#endif
