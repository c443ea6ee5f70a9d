/* Opening a connection to Redis: name, socket, TLS, AUTH and SELECT. */
#include "celeryc/results/connection_state.h"

#include "common/clock.h"

#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- sockets ---- */

/* A socket that is connected to the address. */
static bool connect_socket(struct redis_connection *connection, const struct sockaddr *address,
                           socklen_t size, double until, struct error *error)
{
    int fault = 0, on = 1;
    socklen_t fault_size = sizeof fault;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return redis_lose(connection, ERROR_UNAVAILABLE, strerror(errno), error);
    connection->link.fd = fd;
    if (connect(fd, address, size) != 0 && errno != EINPROGRESS)
        return redis_lose(connection, ERROR_UNAVAILABLE, strerror(errno), error);
    if (redis_wait(connection, POLLOUT, until) != 1)
        return redis_lose(connection, ERROR_TIMEOUT, "no connection in time", error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &fault_size) != 0 || fault != 0)
        return redis_lose(connection, ERROR_UNAVAILABLE, strerror(fault != 0 ? fault : errno), error);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

static bool connect_unix(struct redis_connection *connection, double until, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = connection->endpoint.path;
    if (strlen(path) >= sizeof address.sun_path)
        return redis_lose(connection, ERROR_INVALID, "the path of the socket is too long", error);
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect_socket(connection, (const struct sockaddr *)&address, sizeof address, until, error);
}

/* Each address of the name in turn. */
static bool connect_tcp(struct redis_connection *connection, double until, struct error *error)
{
    const struct redis_endpoint *endpoint = &connection->endpoint;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    char port[16];
    (void)snprintf(port, sizeof port, "%d", endpoint->port);
    int result = getaddrinfo(endpoint->host, port, &hints, &addresses);
    if (result != 0)
        return redis_lose(connection, ERROR_UNAVAILABLE, gai_strerror(result), error);
    bool connected = false;
    for (const struct addrinfo *each = addresses;
         each != NULL && !connected && !redis_is_cancelled(connection); each = each->ai_next)
        connected = connect_socket(connection, each->ai_addr, each->ai_addrlen, until, error);
    freeaddrinfo(addresses);
    if (!connected && redis_is_cancelled(connection))
        return redis_lose(connection, ERROR_CANCELLED, "stopped", error);
    return connected;
}

/* ---- what is said first ---- */

static bool secure(struct redis_connection *connection, double until, struct error *error)
{
    struct redis_link *link = &connection->link;
    struct error reason;
    if (!redis_link_secure(link, &connection->endpoint, &reason))
        return redis_lose(connection, reason.code, reason.message, error);
    for (;;) {
        int shaken = redis_link_shake_hands(link, &reason);
        if (shaken > 0)
            return true;
        if (shaken < 0)
            return redis_lose(connection, reason.code, reason.message, error);
        int ready = redis_wait(connection, link->wants, until);
        if (ready < 0)
            return redis_lose(connection, ERROR_CANCELLED, "stopped", error);
        if (ready == 0)
            return redis_lose(connection, ERROR_TIMEOUT, "no TLS handshake in time", error);
    }
}

/* AUTH or SELECT, which must succeed. */
static bool introduce(struct redis_connection *connection, struct redis_command *command, double until,
                      struct error *error)
{
    bool answered = redis_exchange(connection, &command, 1, until, error);
    if (answered && command->state != REDIS_DONE) {
        bool denied = strcmp(command->argv[0], "AUTH") == 0 && command->state == REDIS_REFUSED;
        answered = redis_lose(connection, denied ? ERROR_DENIED : command->error.code, command->error.message,
                              error);
    }
    redis_command_clear(command);
    return answered;
}

static bool authenticate(struct redis_connection *connection, double until, struct error *error)
{
    const struct redis_endpoint *endpoint = &connection->endpoint;
    struct redis_command command;
    if (endpoint->password[0] == '\0')
        return true;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "AUTH");
    if (endpoint->user[0] != '\0')
        redis_command_add_text(&command, endpoint->user);
    redis_command_add_text(&command, endpoint->password);
    return introduce(connection, &command, until, error);
}

static bool select_database(struct redis_connection *connection, double until, struct error *error)
{
    struct redis_command command;
    char database[16];
    if (connection->endpoint.database == 0)
        return true;
    (void)snprintf(database, sizeof database, "%d", connection->endpoint.database);
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "SELECT");
    redis_command_add_text(&command, database);
    return introduce(connection, &command, until, error);
}

bool redis_connection_open(struct redis_connection *connection, double deadline, struct error *error)
{
    const struct redis_endpoint *endpoint = &connection->endpoint;
    double until = fmin(deadline, clock_monotonic() + connection->connect_timeout);
    bool connected = endpoint->path[0] != '\0' ? connect_unix(connection, until, error)
                                               : connect_tcp(connection, until, error);
    if (!connected || (endpoint->tls && !secure(connection, until, error)))
        return false;
    connection->reader = redisReaderCreate();
    if (connection->reader == NULL)
        return redis_lose(connection, ERROR_MEMORY, "out of memory", error);
    return authenticate(connection, until, error) && select_database(connection, until, error);
}
