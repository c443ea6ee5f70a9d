#include "celeryc/results/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- TLS ---- */

/* OpenSSL's own words for what failed last in this thread. */
static const char *tls_words(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *words =
        ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    return words != NULL ? words : "TLS failed";
}

static bool load_files(SSL_CTX *context, const struct redis_endpoint *endpoint, struct error *error)
{
    const char *ca = endpoint->ca_file, *certificate = endpoint->certificate_file, *key = endpoint->key_file;
    if (ca[0] == '\0')
        (void)SSL_CTX_set_default_verify_paths(context);
    else if (SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
        return error_set(error, ERROR_INVALID, "ssl_ca_certs %s: %s", ca, tls_words());
    if (certificate[0] == '\0')
        return true;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return error_set(error, ERROR_INVALID, "ssl_certfile %s: %s", certificate, tls_words());
    if (key[0] == '\0')
        key = certificate; /* one file may hold both */
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return error_set(error, ERROR_INVALID, "ssl_keyfile %s: %s", key, tls_words());
    return true;
}

/* A BIO of a socket. OpenSSL's own writes with write(2), and so ends the process by SIGPIPE when the server
 * is gone, unless the program ignores that; a library must not ask it to. */
static BIO_METHOD *quiet_socket;

static int fd_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static bool is_to_be_tried_again(ssize_t count)
{
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int write_quietly(BIO *bio, const char *data, int size)
{
    ssize_t count = send(fd_of(bio), data, (size_t)size, MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (is_to_be_tried_again(count))
        BIO_set_retry_write(bio);
    return (int)count;
}

static int read_socket(BIO *bio, char *buffer, int size)
{
    ssize_t count = recv(fd_of(bio), buffer, (size_t)size, 0);
    BIO_clear_retry_flags(bio);
    if (is_to_be_tried_again(count))
        BIO_set_retry_read(bio);
    return (int)count;
}

/* There is nothing to flush, and nothing else that OpenSSL asks of a BIO is needed. */
static long control_socket(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static void make_quiet_socket(void)
{
    quiet_socket = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "socket");
    if (quiet_socket == NULL)
        return;
    (void)BIO_meth_set_write(quiet_socket, write_quietly);
    (void)BIO_meth_set_read(quiet_socket, read_socket);
    (void)BIO_meth_set_ctrl(quiet_socket, control_socket);
}

/* The SSL speaks over the socket, which stays the caller's to close. */
static bool use_socket(SSL *tls, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_quiet_socket);
    BIO *bio = quiet_socket != NULL ? BIO_new(quiet_socket) : NULL;
    if (bio == NULL)
        return false;
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls, bio, bio);
    return true;
}

/* Whom the certificate must name. */
static bool expect_host(SSL *tls, const char *host, bool checked)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool numeric = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (!numeric && SSL_set_tlsext_host_name(tls, host) != 1)
        return false;
    if (!checked)
        return true;
    return numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1
                   : SSL_set1_host(tls, host) == 1;
}

bool redis_link_secure(struct redis_link *link, const struct redis_endpoint *endpoint, struct error *error)
{
    /* A thread in a handshake must not find OpenSSL cleaned up when the process ends. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return error_set(error, ERROR_MEMORY, "%s", tls_words());
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* So that a write never waits for something to read. */
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(context, endpoint->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    bool ok = load_files(context, endpoint, error);
    if (ok) {
        link->tls = SSL_new(context);
        ok = link->tls != NULL && use_socket(link->tls, link->fd) &&
             expect_host(link->tls, endpoint->host, endpoint->verify && endpoint->check_host);
        if (!ok)
            error_set(error, ERROR_MEMORY, "%s", tls_words());
    }
    SSL_CTX_free(context); /* the SSL keeps it */
    return ok;
}

/* What a call of OpenSSL that did not succeed means: 0 try again when `wants` is there, -1 broken. */
static int tls_outcome(struct redis_link *link, int result, struct error *error)
{
    int system = errno;
    switch (SSL_get_error(link->tls, result)) {
    case SSL_ERROR_WANT_READ:
        link->wants = POLLIN;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        link->wants = POLLOUT;
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        error_set(error, ERROR_UNAVAILABLE, "the server closed the connection");
        return -1;
    case SSL_ERROR_SYSCALL:
        error_set(error, ERROR_UNAVAILABLE, "%s",
                  system != 0 ? strerror(system) : "the server closed the connection");
        return -1;
    default:
        error_set(error, ERROR_UNAVAILABLE, "%s", tls_words());
        return -1;
    }
}

int redis_link_shake_hands(struct redis_link *link, struct error *error)
{
    ERR_clear_error();
    errno = 0;
    link->wants = 0;
    int result = SSL_connect(link->tls);
    if (result == 1)
        return 1;
    int outcome = tls_outcome(link, result, error);
    long verified = SSL_get_verify_result(link->tls);
    if (outcome < 0 && verified != X509_V_OK)
        error_set(error, ERROR_DENIED, "its certificate is not trusted: %s",
                  X509_verify_cert_error_string(verified));
    return outcome;
}

void redis_link_close(struct redis_link *link)
{
    if (link->tls != NULL)
        SSL_free(link->tls);
    if (link->fd >= 0)
        (void)close(link->fd);
    *link = REDIS_LINK_NONE;
}

/* ---- bytes ---- */

/* The outcome of send(2) or recv(2). */
static ssize_t plain_outcome(ssize_t count, struct error *error)
{
    if (count >= 0)
        return count;
    if (is_to_be_tried_again(count))
        return 0;
    error_set(error, ERROR_UNAVAILABLE, "%s", strerror(errno));
    return -1;
}

ssize_t redis_link_write(struct redis_link *link, const void *data, size_t size, struct error *error)
{
    if (link->tls == NULL)
        return plain_outcome(send(link->fd, data, size, MSG_NOSIGNAL), error);
    size_t written = 0;
    ERR_clear_error();
    errno = 0;
    link->wants = 0;
    int result = SSL_write_ex(link->tls, data, size, &written);
    return result == 1 ? (ssize_t)written : tls_outcome(link, result, error);
}

ssize_t redis_link_read(struct redis_link *link, void *buffer, size_t size, struct error *error)
{
    size_t got = 0;
    if (link->tls == NULL) {
        ssize_t count = recv(link->fd, buffer, size, 0);
        if (count != 0)
            return plain_outcome(count, error);
        error_set(error, ERROR_UNAVAILABLE, "the server closed the connection");
        return -1;
    }
    ERR_clear_error();
    errno = 0;
    link->wants = 0;
    int result = SSL_read_ex(link->tls, buffer, size, &got);
    return result == 1 ? (ssize_t)got : tls_outcome(link, result, error);
}

bool redis_link_has_more(const struct redis_link *link)
{
    return link->tls != NULL && SSL_pending(link->tls) > 0;
}
