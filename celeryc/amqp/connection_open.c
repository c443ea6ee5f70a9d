/* Opening a connection: socket, TLS, login, and how long to wait before the next attempt. */
#include "celeryc/amqp/connection.h"

#include "celeryc/amqp/dial.h"
#include "celeryc/amqp/table.h"
#include "celeryc/version.h"
#include "common/clock.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static struct timeval to_timeval(double seconds)
{
    if (seconds < 0.001)
        seconds = 0.001;
    return (struct timeval){.tv_sec = (time_t)seconds,
                            .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
}

/* Lets connection_interrupt() reach the socket. False when it came already. */
static bool publish_socket(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    connection->interrupt_fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
    bool wanted = !connection->interrupted && connection->interrupt_fd >= 0;
    pthread_mutex_unlock(&connection->mutex);
    return wanted;
}

static amqp_table_entry_t text_entry(const char *key, const char *text)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(text);
    return entry;
}

static amqp_table_entry_t true_entry(const char *key)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

static amqp_rpc_reply_t login(struct connection *connection, const struct url *url)
{
    amqp_table_entry_t capabilities[] = {
        true_entry("consumer_cancel_notify"),
        true_entry("connection.blocked"),
        true_entry("basic.nack"),
        true_entry("publisher_confirms"),
        true_entry("exchange_exchange_bindings"),
        true_entry("authentication_failure_close"),
    };
    amqp_table_entry_t properties[] = {
        text_entry("product", "celeryc"),
        text_entry("version", CELERYC_VERSION),
        text_entry("platform", "C"),
        text_entry("information", "Celery in C"),
        text_entry("connection_name", connection->options.purpose),
        {.key = amqp_cstring_bytes("capabilities")},
    };
    properties[5].value.kind = AMQP_FIELD_KIND_TABLE;
    properties[5].value.value.table =
        (amqp_table_t){sizeof capabilities / sizeof capabilities[0], capabilities};
    amqp_table_t table = {sizeof properties / sizeof properties[0], properties};
    return amqp_login_with_properties(connection->state, url->path, 8, CONNECTION_FRAME_MOST,
                                      connection->options.heartbeat, &table, AMQP_SASL_METHOD_PLAIN,
                                      url->user, url->password);
}

static bool connect_plain(struct connection *connection, const struct url *url, struct error *error)
{
    amqp_socket_t *socket = amqp_tcp_socket_new(connection->state);
    if (socket == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a socket");
    int fd = dial_tcp(url->host, url->port, connection->options.connect_timeout, error);
    if (fd >= 0)
        amqp_tcp_socket_set_sockfd(socket, fd);
    return fd >= 0;
}

static bool connect_tls(struct connection *connection, const struct url *url, struct error *error)
{
    const char *file = connection->options.ca_file;
    /* A thread that was left alone in a handshake must not find OpenSSL cleaned up when the process ends. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    amqp_socket_t *socket = amqp_ssl_socket_new(connection->state);
    if (socket == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a socket");
    if (file == NULL)
        SSL_CTX_set_default_verify_paths(amqp_ssl_socket_get_context(socket));
    else if (amqp_ssl_socket_set_cacert(socket, file) != AMQP_STATUS_OK)
        return error_set(error, ERROR_INVALID, "CA file %s cannot be used", file);
    struct timeval timeout = to_timeval(connection->options.connect_timeout);
    int status = amqp_socket_open_noblock(socket, url->host, url->port, &timeout);
    if (status == AMQP_STATUS_OK)
        return true;
    /* rabbitmq-c does not tell why there is no connection: a second attempt without TLS does. */
    int fd = dial_tcp(url->host, url->port, 1, error);
    if (fd < 0)
        return false;
    close(fd);
    return connection_fail(error, ERROR_UNAVAILABLE, "connecting with TLS", status);
}

static void read_server(struct connection *connection)
{
    const amqp_table_t *table = amqp_get_server_properties(connection->state);
    char *version = NULL;
    for (int i = 0; i < table->num_entries && version == NULL; i++) {
        const amqp_table_entry_t *entry = &table->entries[i];
        if (entry->key.len == 7 && memcmp(entry->key.bytes, "version", 7) == 0 &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8)
            version = table_text(entry->value.value.bytes);
    }
    connection->server_major = connection->server_minor = 0;
    if (version != NULL && sscanf(version, "%d.%d", &connection->server_major, &connection->server_minor) < 1)
        connection->server_major = 0;
    pthread_mutex_lock(&connection->mutex);
    snprintf(connection->server_version, sizeof connection->server_version, "%s",
             version == NULL ? "" : version);
    connection->heartbeat = amqp_get_heartbeat(connection->state);
    connection->up = true;
    pthread_mutex_unlock(&connection->mutex);
    free(version);
}

static bool open_url(struct connection *connection, const struct url *url, struct error *error)
{
    double deadline = clock_monotonic() + connection->options.connect_timeout;
    connection->state = amqp_new_connection();
    if (connection->state == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a connection");
    bool tls = strcmp(url->scheme, "amqps") == 0;
    if (!(tls ? connect_tls(connection, url, error) : connect_plain(connection, url, error)))
        return false;
    connection->fd = amqp_get_sockfd(connection->state);
    if (!publish_socket(connection))
        return error_set(error, ERROR_CANCELLED, "told to stop");

    struct timeval left = to_timeval(deadline - clock_monotonic());
    amqp_set_handshake_timeout(connection->state, &left);
    left = to_timeval(CONNECTION_CALL_TIMEOUT);
    amqp_set_rpc_timeout(connection->state, &left);
    return connection_check(connection, 0, login(connection, url), "login", error) == CONNECTION_REPLY_OK;
}

bool connection_open(struct connection *connection, struct error *error)
{
    connection_close(connection, false);
    const struct url *url = &connection->urls[connection->url_next];
    pthread_mutex_lock(&connection->mutex);
    connection->url_current = connection->url_next;
    pthread_mutex_unlock(&connection->mutex);
    connection->url_next = (connection->url_next + 1) % connection->url_count;
    connection->attempts++;
    connection->blocked = false;

    struct error reason = {0};
    if (!open_url(connection, url, &reason)) {
        char shown[URL_FIELD * 3];
        url_redact(url, shown, sizeof shown);
        error_context(&reason, "broker %s", shown);
        connection_set_reason(connection, &reason);
        connection_close(connection, false);
        if (error != NULL)
            *error = reason;
        return false;
    }
    connection->opened_at = clock_monotonic();
    read_server(connection);
    return true;
}

double connection_backoff(const struct connection *connection, unsigned failures)
{
    const struct broker_options *options = &connection->options;
    unsigned char random = 128;
    if (failures == 0)
        return 0;
    double delay = options->retry_first + options->retry_step * (failures - 1);
    if (delay > options->retry_most)
        delay = options->retry_most;
    if (getrandom(&random, 1, GRND_NONBLOCK) != 1)
        random = 128;
    return delay * (0.75 + random / 512.0);
}

double connection_delay(const struct connection *connection)
{
    unsigned count = (unsigned)connection->url_count;
    return connection->attempts % count == 0 ? connection_backoff(connection, connection->attempts / count)
                                             : 0;
}
