#include "celeryc/amqp/connection.h"

#include "common/clock.h"
#include "common/log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- life cycle ---- */

static bool add_url(struct connection *connection, const char *text, size_t size, struct error *error)
{
    char copy[1025];
    struct url *grown;

    while (size > 0 && text[0] == ' ') {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] == ' ')
        size--;
    if (size == 0)
        return true;
    if (size >= sizeof copy)
        return error_set(error, ERROR_INVALID, "broker URL of more than %zu bytes", sizeof copy - 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    grown = realloc(connection->urls, (connection->url_count + 1) * sizeof *grown);
    if (grown == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a broker URL");
    connection->urls = grown;
    struct url *url = &grown[connection->url_count];
    if (!url_parse(copy, url, error))
        return error_context(error, "broker");
    bool tls = strcmp(url->scheme, "amqps") == 0;
    if (!tls && strcmp(url->scheme, "amqp") != 0 && strcmp(url->scheme, "pyamqp") != 0)
        return error_set(error, ERROR_INVALID, "broker URL with scheme '%s': amqp:// or amqps:// is known",
                         url->scheme);
    if (url->host[0] == '\0')
        (void)snprintf(url->host, sizeof url->host, "localhost");
    if (url->port == 0)
        url->port = tls ? 5671 : 5672;
    if (url->user[0] == '\0') {
        strcpy(url->user, "guest");
        strcpy(url->password, "guest");
    }
    if (url->path[0] == '\0')
        strcpy(url->path, "/");
    connection->url_count++;
    return true;
}

static bool copy_text(const char **text)
{
    if (*text == NULL)
        return true;
    *text = strdup(*text);
    return *text != NULL;
}

static bool read_urls(struct connection *connection, const char *urls, struct error *error)
{
    if (urls == NULL)
        return error_set(error, ERROR_INVALID, "no broker URL");
    if (strlen(urls) > 16384)
        return error_set(error, ERROR_INVALID, "broker URLs of more than 16 KiB");
    for (const char *at = urls;;) {
        size_t size = strcspn(at, ";");
        if (!add_url(connection, at, size, error))
            return false;
        if (at[size] == '\0')
            break;
        at += size + 1;
    }
    if (connection->url_count == 0)
        return error_set(error, ERROR_INVALID, "no broker URL");
    return true;
}

static void set_defaults(struct broker_options *options)
{
    if (options->connect_timeout <= 0)
        options->connect_timeout = 4;
    if (options->retry_first <= 0 && options->retry_step <= 0 && options->retry_most <= 0) {
        options->retry_first = 2;
        options->retry_step = 2;
        options->retry_most = 30;
    }
    if (options->purpose == NULL)
        options->purpose = "celeryc";
}

bool connection_init(struct connection *connection, const struct broker_options *options, struct error *error)
{
    memset(connection, 0, sizeof *connection);
    connection->options = *options;
    set_defaults(&connection->options);
    connection->fd = connection->interrupt_fd = -1;
    pthread_mutex_init(&connection->mutex, NULL);
    error_set(&connection->reason, ERROR_UNAVAILABLE, "the broker was not connected to yet");

    struct broker_options *own = &connection->options;
    own->urls = NULL; /* read into connection->urls, passwords and all */
    bool copied = copy_text(&own->purpose);
    if (!copied)
        own->ca_file = NULL;
    if (!copied || !copy_text(&own->ca_file)) {
        connection_clear(connection);
        return error_set(error, ERROR_MEMORY, "no memory for a connection");
    }
    bool fine = options->heartbeat >= 0 && options->heartbeat <= 65535
                    ? read_urls(connection, options->urls, error)
                    : error_set(error, ERROR_INVALID, "heartbeat of %d s: 0 to 65535", options->heartbeat);
    if (!fine)
        connection_clear(connection);
    return fine;
}

void connection_clear(struct connection *connection)
{
    connection_close(connection, false);
    if (connection->urls != NULL)
        explicit_bzero(connection->urls, connection->url_count * sizeof *connection->urls);
    free(connection->urls);
    free((char *)connection->options.purpose);
    free((char *)connection->options.ca_file);
    pthread_mutex_destroy(&connection->mutex);
}

/* ---- closing ---- */

void connection_close(struct connection *connection, bool polite)
{
    if (connection->state == NULL)
        return;
    if (polite)
        amqp_connection_close(connection->state, AMQP_REPLY_SUCCESS);
    pthread_mutex_lock(&connection->mutex);
    if (connection->interrupt_fd >= 0)
        close(connection->interrupt_fd);
    connection->interrupt_fd = -1;
    if (connection->up && clock_monotonic() - connection->opened_at >= CONNECTION_STEADY)
        connection->attempts = 0;
    connection->up = false;
    pthread_mutex_unlock(&connection->mutex);
    if (connection->attempts == 0) /* the same broker first: often it was only restarted */
        connection->url_next = connection->url_current;
    amqp_destroy_connection(connection->state);
    connection->state = NULL;
    connection->fd = -1;
}

void connection_abandon(struct connection *connection)
{
    char discarded[16384];
    if (connection->state == NULL)
        return;
    /* A socket that is closed with input unread resets the connection, and what was just sent may be lost
     * with it. */
    shutdown(connection->fd, SHUT_WR);
    for (double end = clock_monotonic() + 2; clock_monotonic() < end;) {
        struct pollfd wait = {.fd = connection->fd, .events = POLLIN};
        if (poll(&wait, 1, 100) == 1 && recv(connection->fd, discarded, sizeof discarded, MSG_DONTWAIT) == 0)
            break;
    }
    connection_close(connection, false);
}

void connection_set_reason(struct connection *connection, const struct error *reason)
{
    pthread_mutex_lock(&connection->mutex);
    connection->reason = *reason;
    pthread_mutex_unlock(&connection->mutex);
}

/* ---- frames ---- */

/* Frames of channel 0. False when the connection is over. */
static bool handle_control(struct connection *connection, const amqp_frame_t *frame, struct error *error)
{
    if (frame->frame_type != AMQP_FRAME_METHOD)
        return true;
    if (frame->payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD) {
        const amqp_connection_blocked_t *blocked = frame->payload.method.decoded;
        log_warning("the broker takes no messages at present: %.*s", (int)blocked->reason.len,
                    (char *)blocked->reason.bytes);
        connection->blocked = true;
    } else if (frame->payload.method.id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
        log_info("the broker takes messages again");
        connection->blocked = false;
    } else if (frame->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = frame->payload.method.decoded;
        amqp_connection_close_ok_t ok = {0};
        error_set(error, ERROR_UNAVAILABLE, "the broker closed the connection: %.*s (%d)",
                  (int)close->reply_text.len, (char *)close->reply_text.bytes, close->reply_code);
        amqp_send_method(connection->state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return false;
    }
    return true;
}

enum connection_frame connection_read(struct connection *connection, amqp_frame_t *frame, struct error *error)
{
    for (;;) {
        struct timeval now = {0};
        int status = amqp_simple_wait_frame_noblock(connection->state, frame, &now);
        if (status == AMQP_STATUS_TIMEOUT)
            return CONNECTION_NOTHING;
        if (status != AMQP_STATUS_OK) {
            connection_fail(error, ERROR_UNAVAILABLE, "connection to the broker lost", status);
            bool unreadable = status == AMQP_STATUS_BAD_AMQP_DATA || status == AMQP_STATUS_UNKNOWN_CLASS ||
                              status == AMQP_STATUS_UNKNOWN_METHOD;
            return unreadable ? CONNECTION_BROKEN : CONNECTION_GONE;
        }
        if (frame->channel != 0)
            return CONNECTION_FRAME;
        if (!handle_control(connection, frame, error))
            return CONNECTION_GONE;
        connection_release(connection, 0);
    }
}

void connection_release(struct connection *connection, amqp_channel_t channel)
{
    amqp_maybe_release_buffers_on_channel(connection->state, channel);
}

/* ---- waiting ---- */

void connection_wait(struct connection *connection, int wake_fd, bool read, bool write, double timeout)
{
    struct pollfd wait[2] = {{.fd = wake_fd, .events = POLLIN}, {.fd = connection->fd}};
    bool open = connection->state != NULL && connection->fd >= 0;
    if (open) {
        wait[1].events = (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0));
        if (wait[1].events == 0)
            wait[1].fd = -1; /* or a connection that is lost would keep waking who does not read */
        int heartbeat = amqp_get_heartbeat(connection->state);
        if (heartbeat > 0 && (timeout < 0 || timeout > heartbeat / 2.0))
            timeout = heartbeat / 2.0;
        if (read && (amqp_frames_enqueued(connection->state) || amqp_data_in_buffer(connection->state)))
            timeout = 0;
    }
    int milliseconds = timeout < 0 ? -1 : timeout > 3600 ? 3600000 : (int)(timeout * 1000 + 0.999);
    poll(wait, open ? 2 : 1, milliseconds);
}

bool connection_is_writable(const struct connection *connection)
{
    struct pollfd wait = {.fd = connection->fd, .events = POLLOUT};
    return poll(&wait, 1, 0) == 1;
}

void connection_cork(struct connection *connection, bool on)
{
    int value = on;
    if (connection->fd >= 0)
        setsockopt(connection->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

/* ---- synchronous calls ---- */

bool connection_fail(struct error *error, enum error_code code, const char *what, int status)
{
    return error_set(error, status == AMQP_STATUS_TIMEOUT ? ERROR_TIMEOUT : code, "%s: %s", what,
                     amqp_error_string2(status));
}

static enum error_code code_of_reply(int code)
{
    switch (code) {
    case AMQP_NOT_FOUND:
        return ERROR_NOT_FOUND;
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_ALLOWED:
        return ERROR_DENIED;
    case AMQP_RESOURCE_LOCKED:
    case AMQP_CONNECTION_FORCED:
    case AMQP_INTERNAL_ERROR:
        return ERROR_UNAVAILABLE;
    default:
        return ERROR_INVALID;
    }
}

void connection_answer_close(struct connection *connection, amqp_channel_t channel,
                             const amqp_channel_close_t *close, struct error *error)
{
    amqp_channel_close_ok_t ok = {0};
    error_set(error, code_of_reply(close->reply_code), "%.*s (%d)", (int)close->reply_text.len,
              (char *)close->reply_text.bytes, close->reply_code);
    amqp_send_method(connection->state, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
}

enum connection_reply connection_check(struct connection *connection, amqp_channel_t channel,
                                       amqp_rpc_reply_t reply, const char *what, struct error *error)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return CONNECTION_REPLY_OK;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        connection_answer_close(connection, channel, reply.reply.decoded, error);
        error_context(error, "%s", what);
        return CONNECTION_REPLY_REFUSED;
    }
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = reply.reply.decoded;
        amqp_connection_close_ok_t ok = {0};
        error_set(error, code_of_reply(close->reply_code), "%s: %.*s (%d)", what, (int)close->reply_text.len,
                  (char *)close->reply_text.bytes, close->reply_code);
        amqp_send_method(connection->state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        connection_fail(error, ERROR_UNAVAILABLE, what, reply.library_error);
    } else {
        error_set(error, ERROR_UNAVAILABLE, "%s: the broker hung up", what);
    }
    return CONNECTION_REPLY_GONE;
}

enum connection_reply connection_open_channel(struct connection *connection, amqp_channel_t channel,
                                              struct error *error)
{
    amqp_channel_open(connection->state, channel);
    return connection_check(connection, channel, amqp_get_rpc_reply(connection->state), "opening a channel",
                            error);
}

/* ---- any thread ---- */

void connection_interrupt(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    connection->interrupted = true;
    if (connection->interrupt_fd >= 0)
        shutdown(connection->interrupt_fd, SHUT_RDWR);
    pthread_mutex_unlock(&connection->mutex);
}

bool connection_is_up(struct connection *connection, struct error *error)
{
    pthread_mutex_lock(&connection->mutex);
    bool up = connection->up;
    if (!up && error != NULL)
        *error = connection->reason;
    pthread_mutex_unlock(&connection->mutex);
    return up;
}

json_t *connection_describe(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    const struct url *url = &connection->urls[connection->url_current];
    json_t *alternates = json_array();
    for (size_t i = 0; i < connection->url_count; i++) {
        char shown[URL_FIELD * 3];
        url_redact(&connection->urls[i], shown, sizeof shown);
        if (i != connection->url_current)
            json_array_append_new(alternates, json_string(shown));
    }
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:i, s:b, s:b, s:s, s:i, s:{}, s:s, s:n, s:f, s:s, s:o, s:n, s:b, s:i, s:s}", "hostname",
        url->host, "userid", url->user, "virtual_host", url->path, "port", url->port, "insist", 0, "ssl",
        strcmp(url->scheme, "amqps") == 0, "transport", "amqp", "connect_timeout",
        (int)connection->options.connect_timeout, "transport_options", "login_method", "PLAIN", "uri_prefix",
        "heartbeat", (double)connection->options.heartbeat, "failover_strategy", "round-robin", "alternates",
        alternates, "credential_provider", "connected", connection->up, "heartbeat_agreed",
        connection->up ? connection->heartbeat : 0, "server_version", connection->server_version);
    pthread_mutex_unlock(&connection->mutex);
    return json;
}
