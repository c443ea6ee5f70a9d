/* Load on an HTTP server: http_load PORT CONNECTIONS SECONDS PATH [BODY]
 *
 * Each connection is a thread that sends its next request when the answer to the last has come, over one kept
 * connection (a new one where the server closes it). Prints "requests errors seconds p50 p99", the latter two
 * in milliseconds. An answer of 400 or above is an error. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 200000 /* latencies kept of each connection */

static int port;
static char request[65536];
static size_t request_size;
static atomic_bool over;

struct client {
    pthread_t thread;
    unsigned long requests, errors;
    float *latencies; /* milliseconds of the first SAMPLES requests */
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int open_connection(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct timeval timeout = {30, 0};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Reads one answer with a Content-Length; its status, or 0. `*keep` tells whether the connection lives on. */
static int read_answer(int fd, bool *keep)
{
    char buffer[16384];
    size_t size = 0, wanted = 0;
    int status = 0;
    *keep = true;
    for (;;) {
        ssize_t got = recv(fd, buffer + size, sizeof buffer - 1 - size, 0);
        if (got <= 0)
            return 0;
        size += (size_t)got;
        buffer[size] = '\0';
        char *end = strstr(buffer, "\r\n\r\n");
        if (wanted == 0 && end != NULL) {
            char *length = strcasestr(buffer, "\r\nContent-Length:");
            if (sscanf(buffer, "HTTP/1.%*d %d", &status) != 1 || length == NULL || length > end)
                return 0;
            if (strcasestr(buffer, "\r\nConnection: close") != NULL)
                *keep = false;
            wanted = (size_t)(end + 4 - buffer) + strtoul(length + 17, NULL, 10);
        }
        if (wanted != 0 && size >= wanted)
            return status;
        if (size == sizeof buffer - 1)
            return 0;
    }
}

static void *run(void *argument)
{
    struct client *client = argument;
    int fd = -1;
    while (!atomic_load(&over)) {
        if (fd < 0)
            fd = open_connection();
        double start = now();
        bool keep = false;
        int status = 0;
        if (fd >= 0 && send(fd, request, request_size, MSG_NOSIGNAL) == (ssize_t)request_size)
            status = read_answer(fd, &keep);
        if (status >= 200 && status < 400) {
            if (client->requests < SAMPLES)
                client->latencies[client->requests] = (float)((now() - start) * 1000);
            client->requests++;
        } else if (!atomic_load(&over)) {
            client->errors++;
            usleep(1000);
        }
        if (fd >= 0 && !keep) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static int compare(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: http_load PORT CONNECTIONS SECONDS PATH [BODY]\n");
        return 2;
    }
    port = atoi(argv[1]);
    int connections = atoi(argv[2]);
    const char *body = argc > 5 ? argv[5] : NULL;
    request_size =
        (size_t)snprintf(request, sizeof request,
                         "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         body ? "POST" : "GET", argv[4], body ? strlen(body) : 0, body ? body : "");
    struct client *clients = calloc((size_t)connections, sizeof *clients);
    double start = now();
    for (int i = 0; i < connections; i++) {
        clients[i].latencies = malloc(SAMPLES * sizeof(float));
        pthread_create(&clients[i].thread, NULL, run, &clients[i]);
    }
    usleep((useconds_t)(atof(argv[3]) * 1e6));
    atomic_store(&over, true);
    unsigned long requests = 0, errors = 0, count = 0;
    float *all = malloc((size_t)connections * SAMPLES * sizeof(float));
    for (int i = 0; i < connections; i++) {
        pthread_join(clients[i].thread, NULL);
        unsigned long kept = clients[i].requests < SAMPLES ? clients[i].requests : SAMPLES;
        memcpy(all + count, clients[i].latencies, kept * sizeof(float));
        count += kept;
        requests += clients[i].requests;
        errors += clients[i].errors;
        free(clients[i].latencies);
    }
    double seconds = now() - start;
    qsort(all, count, sizeof(float), compare);
    printf("%lu %lu %.3f %.3f %.3f\n", requests, errors, seconds, count ? (double)all[count / 2] : 0,
           count ? (double)all[count - 1 - count / 100] : 0);
    free(all);
    free(clients);
    return 0;
}
