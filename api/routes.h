/* The table of routes: which function answers which method and path. Everything that walks the API reads this
 * table: the server (to register them with Ulfius), 405 and OPTIONS (to say what is allowed), the
 * documentation's test.
 *
 * An endpoint is a file with a function `void <name>_serve(struct call *)`; adding one is that file, its
 * header and a line in routes.c. A path is literal segments and, with a colon, segments of the caller's. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/call.h"

struct route {
    const char *method;
    const char *path;
    void (*serve)(struct call *call); /* answers the call */
};

/* The routes, ended by one without a method. A path that takes GET takes HEAD, too, in a line of its own. */
extern const struct route routes[];

/* Whether the path of a request belongs to the route's. */
bool route_takes_path(const struct route *route, const char *path);

/* Writes the methods that the path takes ("GET, HEAD, OPTIONS"); false when no route has the path. */
bool routes_allow(const char *path, char *buffer, size_t size);

/* Registers all routes, and an answer for what none of them takes, with an instance that is not yet started.
 * Both `instance` and `api` must outlive the server. */
bool routes_register(struct _u_instance *instance, struct api *api, struct error *error);

#endif
