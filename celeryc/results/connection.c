#include "celeryc/results/connection.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CANCEL_SLICE 0.2             /* seconds between two looks at `cancel` */
#define PIPELINE_COMMANDS 1000       /* sent and not answered, at most */
#define PIPELINE_BYTES (1024 * 1024) /* the same; one command may be larger */
#define PAUSE_FIRST 0.05
#define PAUSE_MOST 1.0

void redis_connection_init(struct redis_connection *connection, const struct redis_endpoint *endpoint,
                           double connect_timeout, double timeout)
{
    *connection = (struct redis_connection){.endpoint = *endpoint};
    connection->connect_timeout = connect_timeout > 0 ? connect_timeout : 5;
    connection->timeout = timeout > 0 ? timeout : 10;
}

static void disconnect(struct redis_connection *connection)
{
    if (connection->context != NULL)
        redisFree(connection->context);
    connection->context = NULL;
}

void redis_connection_clear(struct redis_connection *connection)
{
    disconnect(connection);
}

double redis_connection_pause(struct redis_connection *connection)
{
    connection->pause = connection->pause == 0 ? PAUSE_FIRST : fmin(connection->pause * 2, PAUSE_MOST);
    return connection->pause;
}

/* ---- errors ---- */

/* What the server's words mean. An error inside a script is quoted inside the words, by some versions. */
static enum error_code words_code(const char *words)
{
    static const struct {
        const char *start;
        enum error_code code;
    } rows[] = {
        {"NOAUTH", ERROR_DENIED},
        {"WRONGPASS", ERROR_DENIED},
        {"NOPERM", ERROR_DENIED},
        {"LOADING", ERROR_UNAVAILABLE},
        {"READONLY", ERROR_UNAVAILABLE},
        {"OOM", ERROR_UNAVAILABLE},
        {"BUSY", ERROR_UNAVAILABLE},
        {"MASTERDOWN", ERROR_UNAVAILABLE},
        {"CLUSTERDOWN", ERROR_UNAVAILABLE},
        {"TRYAGAIN", ERROR_UNAVAILABLE},
        {"NOREPLICAS", ERROR_UNAVAILABLE},
        {"MISCONF", ERROR_UNAVAILABLE},
        {"ERR max number of clients", ERROR_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strncmp(words, rows[i].start, strlen(rows[i].start)) == 0)
            return rows[i].code;
    }
    if (strstr(words, "OOM command not allowed") != NULL || strstr(words, "READONLY You can't write") != NULL)
        return ERROR_UNAVAILABLE;
    return strstr(words, "ACL failure") != NULL || strstr(words, "user executing the script") != NULL
               ? ERROR_DENIED
               : ERROR_PROTOCOL;
}

/* Gives the connection up for `reason` (which may lie in the context). */
static bool lose(struct redis_connection *connection, enum error_code code, const char *reason,
                 struct error *error)
{
    error_set(error, code, "Redis at %s: %s", connection->endpoint.name, reason);
    disconnect(connection);
    return false;
}

static bool lose_broken(struct redis_connection *connection, struct error *error)
{
    const redisContext *context = connection->context;
    enum error_code code = context->err == REDIS_ERR_PROTOCOL ? ERROR_PROTOCOL : ERROR_UNAVAILABLE;
    return lose(connection, code, context->errstr[0] != '\0' ? context->errstr : "connection broken", error);
}

/* ---- waiting ---- */

static bool cancelled(const struct redis_connection *connection)
{
    return connection->cancel != NULL && atomic_load(connection->cancel);
}

/* Waits for `events` until `until`. 1 ready, 0 time is over, -1 cancelled or failed. */
static int wait_for(const struct redis_connection *connection, int fd, short events, double until)
{
    for (;;) {
        if (cancelled(connection))
            return -1;
        double left = until - clock_monotonic();
        if (left <= 0)
            return 0;
        double slice = connection->cancel != NULL ? fmin(left, CANCEL_SLICE) : fmin(left, 60);
        struct pollfd poller = {.fd = fd, .events = events};
        int ready = poll(&poller, 1, (int)ceil(slice * 1000));
        if (ready > 0)
            return 1;
        if (ready < 0 && errno != EINTR)
            return -1;
    }
}

/* ---- connecting ---- */

/* Takes over a context whose socket is being connected, and waits until it is. */
static bool finish_connecting(struct redis_connection *connection, redisContext *context, double until,
                              struct error *error)
{
    int fault = 0, on = 1;
    socklen_t size = sizeof fault;
    connection->context = context;
    if (context == NULL)
        return lose(connection, ERROR_MEMORY, "out of memory", error);
    if (context->err != 0)
        return lose_broken(connection, error);
    fcntl(context->fd, F_SETFD, FD_CLOEXEC);
    if (wait_for(connection, context->fd, POLLOUT, until) != 1)
        return lose(connection, ERROR_TIMEOUT, "no connection in time", error);
    if (getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &fault, &size) != 0 || fault != 0)
        return lose(connection, ERROR_UNAVAILABLE, strerror(fault != 0 ? fault : errno), error);
    setsockopt(context->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(context->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

/* Each address of the name in turn. */
static bool connect_tcp(struct redis_connection *connection, double until, struct error *error)
{
    const struct redis_endpoint *endpoint = &connection->endpoint;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    int result = getaddrinfo(endpoint->host, NULL, &hints, &addresses);
    if (result != 0)
        return lose(connection, ERROR_UNAVAILABLE, gai_strerror(result), error);
    bool connected = false;
    for (struct addrinfo *address = addresses; address != NULL && !connected && !cancelled(connection);
         address = address->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(address->ai_addr, address->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) !=
            0)
            continue;
        connected = finish_connecting(connection, redisConnectNonBlock(text, endpoint->port), until, error);
    }
    freeaddrinfo(addresses);
    if (!connected && cancelled(connection))
        return lose(connection, ERROR_CANCELLED, "stopped", error);
    return connected;
}

static bool exchange(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
                     double deadline, struct error *error);

/* AUTH or SELECT, which must succeed. */
static bool introduce(struct redis_connection *connection, struct redis_command *command, double until,
                      struct error *error)
{
    bool answered = exchange(connection, &command, 1, until, error);
    if (answered && command->state != REDIS_DONE) {
        bool denied = strcmp(command->argv[0], "AUTH") == 0 && command->state == REDIS_REFUSED;
        answered =
            lose(connection, denied ? ERROR_DENIED : command->error.code, command->error.message, error);
    }
    redis_command_clear(command);
    return answered;
}

static bool connect_now(struct redis_connection *connection, double deadline, struct error *error)
{
    const struct redis_endpoint *endpoint = &connection->endpoint;
    double until = fmin(deadline, clock_monotonic() + connection->connect_timeout);
    struct redis_command command;
    char database[16];
    bool connected =
        endpoint->path[0] != '\0'
            ? finish_connecting(connection, redisConnectUnixNonBlock(endpoint->path), until, error)
            : connect_tcp(connection, until, error);
    if (connected && endpoint->password[0] != '\0') {
        redis_command_init(&command, NULL);
        redis_command_add_text(&command, "AUTH");
        if (endpoint->user[0] != '\0')
            redis_command_add_text(&command, endpoint->user);
        redis_command_add_text(&command, endpoint->password);
        connected = introduce(connection, &command, until, error);
    }
    if (connected && endpoint->database != 0) {
        snprintf(database, sizeof database, "%d", endpoint->database);
        redis_command_init(&command, NULL);
        redis_command_add_text(&command, "SELECT");
        redis_command_add_text(&command, database);
        connected = introduce(connection, &command, until, error);
    }
    return connected;
}

/* ---- commands ---- */

void redis_command_init(struct redis_command *command, const struct redis_script *script)
{
    *command = (struct redis_command){.script = script};
}

void redis_command_add(struct redis_command *command, const char *argument, size_t size)
{
    if (command->argc == REDIS_ARGUMENTS)
        return;
    command->argv[command->argc] = argument;
    command->size[command->argc++] = size;
}

void redis_command_add_text(struct redis_command *command, const char *argument)
{
    redis_command_add(command, argument, strlen(argument));
}

void redis_command_clear(struct redis_command *command)
{
    if (command->reply != NULL)
        freeReplyObject(command->reply);
    command->reply = NULL;
    command->state = REDIS_PENDING;
}

/* Puts the command into the output buffer; its size, or 0 when memory is out. */
static size_t append(struct redis_connection *connection, const struct redis_command *command)
{
    const char *argv[REDIS_ARGUMENTS + 2];
    size_t size[REDIS_ARGUMENTS + 2], total = 0;
    int argc = 0;
    if (command->script != NULL) {
        argv[0] = command->by_text ? "EVAL" : "EVALSHA";
        argv[1] = command->by_text ? command->script->text : command->script->sha;
        size[0] = strlen(argv[0]);
        size[1] = strlen(argv[1]);
        argc = 2;
    }
    for (int i = 0; i < command->argc; i++, argc++) {
        argv[argc] = command->argv[i];
        size[argc] = command->size[i];
    }
    for (int i = 0; i < argc; i++)
        total += size[i];
    return redisAppendCommandArgv(connection->context, argc, argv, size) == REDIS_OK ? total + 1 : 0;
}

/* Takes a reply for the command. */
static void answer(struct redis_command *command, redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        command->reply = reply;
        command->state = REDIS_DONE;
        return;
    }
    enum error_code code = words_code(reply->str);
    if (command->script != NULL && !command->by_text && strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        command->by_text = true;
        code = ERROR_UNAVAILABLE;
    }
    error_set(&command->error, code, "Redis answers: %s", reply->str);
    command->state = code == ERROR_UNAVAILABLE ? REDIS_PENDING : REDIS_REFUSED;
    freeReplyObject(reply);
}

/* Whether the next reply is there already; *reply is NULL when it is not. */
static bool take_reply(struct redis_connection *connection, redisReply **reply, struct error *error)
{
    void *taken = NULL;
    if (redisGetReplyFromReader(connection->context, &taken) != REDIS_OK)
        return lose_broken(connection, error);
    *reply = taken;
    return true;
}

/* Writes what the socket takes and reads what is there, after waiting for one of both. `*writing`: there is
 * output left. */
static bool move_bytes(struct redis_connection *connection, bool *writing, double deadline,
                       struct error *error)
{
    redisContext *context = connection->context;
    double until = fmin(deadline, clock_monotonic() + connection->timeout);
    int flushed = 0;
    if (*writing && redisBufferWrite(context, &flushed) != REDIS_OK)
        return lose_broken(connection, error);
    *writing = *writing && flushed == 0;
    int ready = wait_for(connection, context->fd, *writing ? POLLIN | POLLOUT : POLLIN, until);
    if (ready < 0)
        return lose(connection, ERROR_CANCELLED, "stopped while waiting for an answer", error);
    if (ready == 0)
        return lose(connection, ERROR_TIMEOUT, "no answer in time", error);
    /* Also when only writing is possible: without data it does nothing. */
    if (redisBufferRead(context) != REDIS_OK)
        return lose_broken(connection, error);
    return true;
}

/* Sends the commands and takes their answers, a window of them at a time. */
static bool exchange(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
                     double deadline, struct error *error)
{
    size_t sent = 0, answered = 0, bytes = 0;
    bool writing = false;
    while (answered < count) {
        redisReply *reply = NULL;
        while (sent < count && sent - answered < PIPELINE_COMMANDS && bytes < PIPELINE_BYTES) {
            size_t size = append(connection, commands[sent]);
            if (size == 0)
                return lose(connection, ERROR_MEMORY, "out of memory", error);
            bytes += size;
            sent++;
            writing = true;
        }
        if (!take_reply(connection, &reply, error))
            return false;
        if (reply != NULL) {
            answer(commands[answered++], reply);
            bytes = answered == sent ? 0 : bytes;
            continue;
        }
        if (!move_bytes(connection, &writing, deadline, error))
            return false;
    }
    return true;
}

/* The pending ones among the commands, as an array of their own (freed by the caller). */
static struct redis_command **pending_of(struct redis_command *const *commands, size_t count, size_t *pending)
{
    struct redis_command **list = malloc((count + 1) * sizeof *list);
    *pending = 0;
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (commands[i]->state == REDIS_PENDING)
            list[(*pending)++] = commands[i];
    }
    return list;
}

static bool exchange_pending(struct redis_connection *connection, struct redis_command *const *commands,
                             size_t count, bool only_by_text, double deadline, struct error *error)
{
    size_t pending = 0, kept = 0;
    struct redis_command **list = pending_of(commands, count, &pending);
    if (list == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < pending; i++) {
        if (!only_by_text || list[i]->by_text)
            list[kept++] = list[i];
    }
    bool done = exchange(connection, list, kept, deadline, error);
    free(list);
    return done;
}

static const struct redis_command *first_pending(struct redis_command *const *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (commands[i]->state == REDIS_PENDING)
            return commands[i];
    }
    return NULL;
}

static void note_fault(struct redis_connection *connection, const struct error *error)
{
    if (!connection->away && !connection->quiet && error->code != ERROR_CANCELLED)
        log_warning("results: %s; trying again", error->message);
    connection->away = true;
}

static void note_success(struct redis_connection *connection)
{
    if (connection->away && !connection->quiet)
        log_info("results: Redis at %s answers again", connection->endpoint.name);
    connection->away = false;
}

bool redis_attempt(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
                   double deadline, struct error *error)
{
    struct error fault = {.code = ERROR_NONE};
    struct error *why = error != NULL ? error : &fault;
    if (connection->context == NULL && !connect_now(connection, deadline, why)) {
        note_fault(connection, why);
        return false;
    }
    /* The second time for scripts that the server did not know by their hash. */
    if (!exchange_pending(connection, commands, count, false, deadline, why) ||
        !exchange_pending(connection, commands, count, true, deadline, why)) {
        note_fault(connection, why);
        return false;
    }
    note_success(connection);
    if (first_pending(commands, count) == NULL)
        connection->pause = 0;
    return true;
}

bool redis_run(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
               double deadline, struct error *error)
{
    struct error fault = {.code = ERROR_NONE};
    for (;;) {
        bool answered = redis_attempt(connection, commands, count, deadline, &fault);
        const struct redis_command *pending = first_pending(commands, count);
        if (pending == NULL)
            return true;
        if (answered)
            fault = pending->error;
        double pause = redis_connection_pause(connection), left = deadline - clock_monotonic();
        if (fault.code == ERROR_DENIED || fault.code == ERROR_CANCELLED || left <= pause)
            return error_set(error, fault.code, "%s", fault.message);
        struct timespec wait = {.tv_sec = (time_t)pause, .tv_nsec = (long)((pause - floor(pause)) * 1e9)};
        nanosleep(&wait, NULL);
    }
}
