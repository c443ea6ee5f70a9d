#include "api/routes.h"

#include "api/cancel.h"
#include "api/download.h"
#include "api/health.h"
#include "api/initiate.h"
#include "api/problem.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct route routes[] = {
    {"POST", "/initiate", initiate_serve},
    {"GET", "/download/:id", download_serve},
    {"HEAD", "/download/:id", download_serve},
    {"DELETE", "/download/:id", cancel_serve},
    {"GET", "/healthz", health_serve_live},
    {"HEAD", "/healthz", health_serve_live},
    {"GET", "/readyz", health_serve_ready},
    {"HEAD", "/readyz", health_serve_ready},
    {0},
};
/* clang-format on */

#define ROUTES (sizeof routes / sizeof routes[0] - 1)

/* ---- matching, as Ulfius matches: empty segments do not count ---- */

/* The next segment of a path; moves `*path` behind it. False at the end. */
static bool next_segment(const char **path, const char **segment, size_t *size)
{
    *segment = *path + strspn(*path, "/");
    *size = strcspn(*segment, "/");
    *path = *segment + *size;
    return *size > 0;
}

bool route_takes_path(const struct route *route, const char *path)
{
    const char *pattern = route->path, *wanted, *given;
    size_t wanted_size, given_size;
    for (;;) {
        bool more_wanted = next_segment(&pattern, &wanted, &wanted_size);
        bool more_given = next_segment(&path, &given, &given_size);
        if (!more_wanted || !more_given)
            return more_wanted == more_given;
        if (wanted[0] != ':' && (wanted_size != given_size || memcmp(wanted, given, given_size) != 0))
            return false;
    }
}

bool routes_allow(const char *path, char *buffer, size_t size)
{
    buffer[0] = '\0';
    for (const struct route *route = routes; route->method != NULL; route++) {
        if (route_takes_path(route, path)) {
            strncat(buffer, route->method, size - strlen(buffer) - 1);
            strncat(buffer, ", ", size - strlen(buffer) - 1);
        }
    }
    if (buffer[0] == '\0')
        return false;
    strncat(buffer, "OPTIONS", size - strlen(buffer) - 1);
    return true;
}

/* ---- answering ---- */

/* What no route takes: OPTIONS, another method of a path that there is, a path that there is not. */
static void serve_others(struct call *call)
{
    const char *method = call->request->http_verb, *path = call->request->url_path;
    char allow[128];
    if (!routes_allow(path, allow, sizeof allow)) {
        problem_answer(call, PROBLEM_NOT_FOUND, "%s",
                       "There is nothing at this path; docs/api.md lists what there is.");
        return;
    }
    call_set_header(call, "Allow", allow);
    if (strcmp(method, "OPTIONS") == 0)
        call_answer_empty(call, 204);
    else
        problem_answer(call, PROBLEM_METHOD, "This path takes %s.", allow);
}

static void serve(struct api *api, const struct route *route, const struct _u_request *request,
                  struct _u_response *response)
{
    double start = clock_monotonic();
    struct call call;
    call_init(&call, api, request, response);
    if (route != NULL)
        route->serve(&call);
    else
        serve_others(&call);
    call_set_header(&call, "X-Request-Id", call.request_id);
    if (atomic_load(&api->draining))
        call_set_header(&call, "Connection", "close");
    log_info("request=%s %s %s status=%ld ms=%.1f", call.request_id, request->http_verb, request->url_path,
             response->status, (clock_monotonic() - start) * 1000);
}

/* Ulfius hands each callback one pointer: the route and what it works on. */
struct binding {
    struct api *api;
    const struct route *route; /* NULL: what no route takes */
};

static int answer(const struct _u_request *request, struct _u_response *response, void *context)
{
    const struct binding *binding = context;
    serve(binding->api, binding->route, request, response);
    return U_CALLBACK_COMPLETE;
}

bool routes_register(struct _u_instance *instance, struct api *api, struct error *error)
{
    static struct binding
        bindings[ROUTES + 1]; /* Ulfius keeps pointers to them as long as the process serves */
    for (size_t i = 0; i < ROUTES; i++) {
        bindings[i] = (struct binding){api, &routes[i]};
        if (ulfius_add_endpoint_by_val(instance, routes[i].method, NULL, routes[i].path, 0, answer,
                                       &bindings[i]) != U_OK)
            return error_set(error, ERROR_MEMORY, "cannot register %s %s", routes[i].method, routes[i].path);
    }
    bindings[ROUTES] = (struct binding){api, NULL};
    if (ulfius_set_default_endpoint(instance, answer, &bindings[ROUTES]) != U_OK)
        return error_set(error, ERROR_MEMORY, "cannot register the answer to unknown paths");
    return true;
}
