#include "celeryc/amqp/dial.h"

#include "common/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool wait_connected(int fd, double until)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    for (;;) {
        double left = until - clock_monotonic();
        int ready = poll(&wait, 1, left > 0 ? (int)(left * 1000 + 0.999) : 0);
        if (ready == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (ready > 0)
            break;
        if (errno != EINTR)
            return false;
    }
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
        return false;
    errno = problem;
    return problem == 0;
}

/* -1, and errno says why. */
static int connect_address(const struct addrinfo *address, double until)
{
    int one = 1;
    int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    if (errno == EINPROGRESS && wait_connected(fd, until))
        return fd;
    int problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

int dial_tcp(const char *host, int port, double timeout, struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *addresses = NULL;
    char service[16];
    double until = clock_monotonic() + timeout;
    snprintf(service, sizeof service, "%d", port);
    int failed = getaddrinfo(host, service, &hints, &addresses);
    if (failed != 0) {
        error_set(error, ERROR_UNAVAILABLE, "host %s: %s", host, gai_strerror(failed));
        return -1;
    }
    int fd = -1;
    errno = EADDRNOTAVAIL;
    for (const struct addrinfo *each = addresses; each != NULL && fd < 0; each = each->ai_next)
        fd = connect_address(each, until);
    int problem = errno;
    freeaddrinfo(addresses);
    if (fd < 0)
        error_set(error, problem == ETIMEDOUT ? ERROR_TIMEOUT : ERROR_UNAVAILABLE, "connecting: %s",
                  strerror(problem));
    return fd;
}
