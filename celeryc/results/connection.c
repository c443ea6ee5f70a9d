#include "celeryc/results/connection_state.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANCEL_SLICE 0.2             /* seconds between two looks at `cancel` */
#define PIPELINE_COMMANDS 1000       /* sent and not answered, at most */
#define PIPELINE_BYTES (1024 * 1024) /* the same; one command may be larger */
#define READ_SIZE (16 * 1024)
#define OUT_KEPT (64 * 1024) /* an output buffer that has grown beyond is given back when it is empty */
#define PAUSE_FIRST 0.05
#define PAUSE_MOST 1.0

void redis_connection_init(struct redis_connection *connection, const struct redis_endpoint *endpoint,
                           double connect_timeout, double timeout)
{
    *connection = (struct redis_connection){.endpoint = *endpoint, .link = REDIS_LINK_NONE};
    connection->connect_timeout = connect_timeout > 0 ? connect_timeout : 5;
    connection->timeout = timeout > 0 ? timeout : 10;
}

static void disconnect(struct redis_connection *connection)
{
    redis_link_close(&connection->link);
    if (connection->reader != NULL)
        redisReaderFree(connection->reader);
    connection->reader = NULL;
    bytes_clear(&connection->out);
    connection->written = 0;
}

bool redis_connection_is_open(const struct redis_connection *connection)
{
    return connection->link.fd >= 0;
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

bool redis_lose(struct redis_connection *connection, enum error_code code, const char *reason,
                struct error *error)
{
    error_set(error, code, "Redis at %s: %s", connection->endpoint.name, reason);
    disconnect(connection);
    return false;
}

/* ---- waiting ---- */

bool redis_is_cancelled(const struct redis_connection *connection)
{
    return connection->cancel != NULL && atomic_load(connection->cancel);
}

int redis_wait(const struct redis_connection *connection, short events, double until)
{
    for (;;) {
        if (redis_is_cancelled(connection))
            return -1;
        double left = until - clock_monotonic();
        if (left <= 0)
            return 0;
        double slice = connection->cancel != NULL ? fmin(left, CANCEL_SLICE) : fmin(left, 60);
        struct pollfd poller = {.fd = connection->link.fd, .events = events};
        int ready = poll(&poller, 1, (int)ceil(slice * 1000));
        if (ready > 0)
            return 1;
        if (ready < 0 && errno != EINTR)
            return -1;
    }
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
    size_t size[REDIS_ARGUMENTS + 2];
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
    char *text = NULL;
    long long length = redisFormatCommandArgv(&text, argc, argv, size);
    bool kept = length > 0 && bytes_append(&connection->out, text, (size_t)length, NULL);
    if (length > 0)
        redisFreeCommand(text);
    return kept ? (size_t)length : 0;
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
    if (redisReaderGetReply(connection->reader, &taken) != REDIS_OK)
        return redis_lose(connection, ERROR_PROTOCOL, connection->reader->errstr, error);
    *reply = taken;
    return true;
}

static bool write_some(struct redis_connection *connection, struct error *error)
{
    struct bytes *out = &connection->out;
    struct error reason;
    ssize_t count = redis_link_write(&connection->link, out->data + connection->written,
                                     out->size - connection->written, &reason);
    if (count < 0)
        return redis_lose(connection, reason.code, reason.message, error);
    connection->written += (size_t)count;
    if (connection->written < out->size)
        return true;
    connection->written = 0;
    if (out->capacity > OUT_KEPT)
        bytes_clear(out);
    else
        bytes_truncate(out, 0);
    return true;
}

static bool read_some(struct redis_connection *connection, struct error *error)
{
    char buffer[READ_SIZE];
    struct error reason;
    ssize_t count = redis_link_read(&connection->link, buffer, sizeof buffer, &reason);
    if (count < 0)
        return redis_lose(connection, reason.code, reason.message, error);
    return count == 0 || redisReaderFeed(connection->reader, buffer, (size_t)count) == REDIS_OK ||
           redis_lose(connection, ERROR_MEMORY, connection->reader->errstr, error);
}

/* Writes what the socket takes and reads what is there, after waiting for one of both. */
static bool move_bytes(struct redis_connection *connection, double deadline, struct error *error)
{
    double until = fmin(deadline, clock_monotonic() + connection->timeout);
    if (connection->out.size > 0 && !write_some(connection, error))
        return false;
    if (!redis_link_has_more(&connection->link)) {
        short writing = connection->out.size > 0 ? POLLOUT : 0;
        int ready = redis_wait(connection, (short)(POLLIN | writing | connection->link.wants), until);
        if (ready < 0)
            return redis_lose(connection, ERROR_CANCELLED, "stopped while waiting for an answer", error);
        if (ready == 0)
            return redis_lose(connection, ERROR_TIMEOUT, "no answer in time", error);
    }
    /* Also when only writing is possible: without data it does nothing. */
    return read_some(connection, error);
}

bool redis_exchange(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
                    double deadline, struct error *error)
{
    size_t sent = 0, answered = 0, bytes = 0;
    while (answered < count) {
        redisReply *reply = NULL;
        while (sent < count && sent - answered < PIPELINE_COMMANDS && bytes < PIPELINE_BYTES) {
            size_t size = append(connection, commands[sent]);
            if (size == 0)
                return redis_lose(connection, ERROR_MEMORY, "out of memory", error);
            bytes += size;
            sent++;
        }
        if (!take_reply(connection, &reply, error))
            return false;
        if (reply != NULL) {
            answer(commands[answered++], reply);
            bytes = answered == sent ? 0 : bytes;
            continue;
        }
        if (!move_bytes(connection, deadline, error))
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
    bool done = redis_exchange(connection, list, kept, deadline, error);
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
    if (!redis_connection_is_open(connection) && !redis_connection_open(connection, deadline, why)) {
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
        if (fault.code == ERROR_DENIED || fault.code == ERROR_INVALID || fault.code == ERROR_CANCELLED ||
            left <= pause)
            return error_set(error, fault.code, "%s", fault.message);
        struct timespec wait = {.tv_sec = (time_t)pause, .tv_nsec = (long)((pause - floor(pause)) * 1e9)};
        nanosleep(&wait, NULL);
    }
}
