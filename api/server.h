/* The HTTP server: Ulfius on libmicrohttpd, a thread for each connection.
 *
 * A thread each, with a small stack and poll(), because an endpoint waits: for the broker's confirm, which
 * comes for all requests in flight together, for Redis, for S3. Limits: connections in all and from one
 * address, seconds without a byte, bytes of a body. */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "api/api.h"

struct server;

/* Listens and starts to serve. ERROR_INVALID (the address), ERROR_SYSTEM (the port is taken, ...). `api` is
 * borrowed until server_free(). */
struct server *server_start(struct api *api, struct error *error);

/* The port that it listens on. */
int server_port(const struct server *server);

/* Takes no further connection; requests in flight go on, and each answer from now on closes its connection.
 */
void server_drain(struct server *server);

/* How many requests are in flight: begun, and not yet answered to the last byte. */
unsigned server_in_flight(const struct server *server);

/* Closes what is still open and frees all; waits for endpoints that run. */
void server_free(struct server *server);

#endif
