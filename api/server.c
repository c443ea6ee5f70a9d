#include "api/server.h"

#include "api/address.h"
#include "api/initiate.h"
#include "api/routes.h"
#include "common/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ulfius.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define STACK_SIZE ((size_t)1 << 20) /* instrumented frames are larger */
#else
#define STACK_SIZE ((size_t)256 << 10)
#endif
#define BACKLOG 1024
#define CONNECTION_MEMORY 32768 /* bytes for the head of a request, and of its answer */

struct server {
    struct api *api;
    struct _u_instance instance;
    bool has_instance;
    int socket;
    int port;
    atomic_uint in_flight;
};

/* ---- the listening socket ---- */

static bool listen_on(struct server *server, struct error *error)
{
    const struct api_settings *settings = &server->api->settings;
    struct sockaddr_storage address;
    socklen_t size = address_read(settings->address, (int)settings->port, &address);
    if (size == 0)
        return error_set(error, ERROR_INVALID, "--address: \"%s\" is not an IP address", settings->address);
    int on = 1, off = 0;
    server->socket = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->socket < 0)
        return error_set_errno(error, "cannot make a socket");
    (void)setsockopt(server->socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6)
        (void)setsockopt(server->socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(server->socket, (struct sockaddr *)&address, size) != 0 ||
        listen(server->socket, BACKLOG) != 0) {
        if (errno == EADDRINUSE)
            return error_set(error, ERROR_SYSTEM,
                             "port %ld is taken by another program; --port chooses another one",
                             settings->port);
        return error_set_errno(error, "cannot listen on %s, port %ld", settings->address, settings->port);
    }
    if (getsockname(server->socket, (struct sockaddr *)&address, &size) != 0)
        return error_set_errno(error, "cannot learn the port");
    server->port = address_port(&address);
    return true;
}

/* ---- requests in flight: libmicrohttpd tells the begin and the end of each, and so does Ulfius' own
 * bookkeeping ---- */

static void *request_begins(void *context, const char *uri)
{
    struct server *server = context;
    atomic_fetch_add(&server->in_flight, 1);
    return ulfius_uri_logger(NULL, uri);
}

static void request_ends(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode why)
{
    struct server *server = context;
    mhd_request_completed(NULL, connection, request, why);
    atomic_fetch_sub(&server->in_flight, 1);
}

static void log_http(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void log_http(void *context, const char *format, va_list arguments)
{
    (void)context;
    char message[512];
    (void)vsnprintf(message, sizeof message, format, arguments);
    message[strcspn(message, "\n")] = '\0';
    log_debug("http: %s", message);
}

static bool start(struct server *server, struct error *error)
{
    const struct api_settings *settings = &server->api->settings;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_http, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)request_begins, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_ends, server},
        {MHD_OPTION_LISTEN_SOCKET, server->socket, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, settings->connections, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, settings->connections_per_client, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)settings->connection_timeout, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, (intptr_t)STACK_SIZE, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG;
    if (ulfius_init_instance(&server->instance, (unsigned)server->port, NULL, NULL) != U_OK)
        return error_set(error, ERROR_MEMORY, "no memory for the HTTP server");
    server->has_instance = true;
    server->instance.max_post_body_size = INITIATE_BODY_LIMIT + 1;
    server->instance.allowed_post_processor =
        U_POST_PROCESS_NONE;         /* forms are refused, not collected in memory */
    server->instance.check_utf8 = 0; /* it would hide headers from us; the endpoints check what they use */
    if (!routes_register(&server->instance, server->api, error))
        return false;
    if (ulfius_start_framework_with_mhd_options(&server->instance, flags, options) != U_OK)
        return error_set(error, ERROR_SYSTEM, "the HTTP server does not start");
    return true;
}

/* ---- life cycle ---- */

struct server *server_start(struct api *api, struct error *error)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the HTTP server");
        return NULL;
    }
    server->api = api;
    server->socket = -1;
    atomic_init(&server->in_flight, 0);
    if (listen_on(server, error) && start(server, error))
        return server;
    server_free(server);
    return NULL;
}

int server_port(const struct server *server)
{
    return server->port;
}

void server_drain(struct server *server)
{
    atomic_store(&server->api->draining, true);
    MHD_socket socket = MHD_quiesce_daemon(server->instance.mhd_daemon);
    if (socket == MHD_INVALID_SOCKET)
        log_warning("the HTTP server goes on to take connections until it stops");
    else
        close(socket);
    server->socket = -1;
}

unsigned server_in_flight(const struct server *server)
{
    return atomic_load(&server->in_flight);
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    if (server->has_instance) {
        if (server->instance.mhd_daemon != NULL) {
            ulfius_stop_framework(&server->instance); /* closes the socket, too, unless drained */
            server->socket = -1;
        }
        ulfius_clean_instance(&server->instance);
    }
    if (server->socket >= 0)
        close(server->socket);
    free(server);
}
