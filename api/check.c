#include "api/check.h"

#include "api/address.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT 5 /* seconds for each step */

/* Sends the request and reads the first line of the answer, and no more, into `line`. */
static bool ask(int fd, char *line, size_t size, struct error *error)
{
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1))
        return error_set_errno(error, "cannot send the request");
    size_t got = 0;
    while (got < size - 1 && memchr(line, '\n', got) == NULL) {
        ssize_t more = recv(fd, line + got, size - 1 - got, 0);
        if (more < 0)
            return error_set_errno(error, "no answer");
        if (more == 0)
            break;
        got += (size_t)more;
    }
    line[got] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

bool check_alive(const struct api_settings *settings, struct error *error)
{
    struct sockaddr_storage address;
    const char *text = settings->address;
    if (strcmp(text, "0.0.0.0") == 0)
        text = "127.0.0.1";
    else if (strcmp(text, "::") == 0)
        text = "::1";
    socklen_t size = address_read(text, (int)settings->port, &address);
    if (size == 0)
        return error_set(error, ERROR_INVALID, "--address: \"%s\" is not an IP address", settings->address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error, "cannot make a socket");
    struct timeval timeout = {TIMEOUT, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    char line[256] = "";
    bool answered;
    if (connect(fd, (struct sockaddr *)&address, size) != 0)
        answered = error_set_errno(error, "nothing answers at %s, port %ld", text, settings->port);
    else
        answered = ask(fd, line, sizeof line, error);
    close(fd);
    if (answered && strstr(line, " 200 ") == NULL)
        return error_set(error, ERROR_PROTOCOL, "GET /healthz was answered with \"%s\"", line);
    return answered;
}
