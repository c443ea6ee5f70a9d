/* One connection to the broker, as both consumer and publisher need it: failover list, login, heartbeats,
 * errors in words.
 *
 * It belongs to one thread, which may wait in it: opening for connect_timeout, a synchronous call until the
 * broker answers or CONNECTION_CALL_TIMEOUT has passed, sending until the socket takes it.
 * connection_interrupt(), connection_describe() and connection_reason() may be called by any thread.
 * Heartbeats are sent by connection_read(), which must be called at least as often as connection_wait()
 * returns.
 *
 * rabbitmq-c traps that are handled here: it announces no consumer_cancel_notify and no connection.blocked by
 * itself; it closes its socket on time-outs (so interrupting works on a duplicate); it leaves channel.close
 * and connection.close unanswered. */
#ifndef CELERYC_AMQP_CONNECTION_H
#define CELERYC_AMQP_CONNECTION_H

#include "celeryc/amqp/broker.h"
#include "common/url.h"

#include <amqp.h>
#include <jansson.h>
#include <pthread.h>

#define CONNECTION_CALL_TIMEOUT                                                                              \
    30 /* seconds that a synchronous call may take before the connection counts as lost */
#define CONNECTION_FRAME_MOST 131072
#define CONNECTION_STEADY                                                                                    \
    5.0 /* seconds after which a connection that is lost is tried again without delay                        \
         */

struct connection {
    struct broker_options options; /* with copies of the text */
    struct url *urls;
    size_t url_count, url_next; /* url_next: the one that the next opening tries */
    unsigned attempts;          /* openings since the last connection that lasted */
    double opened_at;

    amqp_connection_state_t state; /* NULL: not open */
    int fd;                        /* the socket; -1 */
    bool blocked; /* the broker takes no messages at present (connection.blocked: memory or disk alarm) */
    int server_major, server_minor;

    pthread_mutex_t mutex; /* guards what follows */
    int interrupt_fd;      /* duplicate of the socket; -1 */
    bool interrupted, up;
    size_t url_current;
    char server_version[64];
    int heartbeat;       /* as negotiated */
    struct error reason; /* why there is no connection */
};

/* Copies `options`; ERROR_INVALID when broker_options_check() would say so. */
bool connection_init(struct connection *connection, const struct broker_options *options,
                     struct error *error);
void connection_clear(struct connection *connection);

/* Tries the next broker of the list; false with ERROR_UNAVAILABLE, ERROR_DENIED, ERROR_TIMEOUT. */
bool connection_open(struct connection *connection, struct error *error);
/* `polite`: says connection.close and waits for the answer. Does nothing when not open. */
void connection_close(struct connection *connection, bool polite);
/* Sends what was written, then closes without reading on: for a frame that rabbitmq-c cannot read. */
void connection_abandon(struct connection *connection);
/* Seconds to wait before the next connection_open(). */
double connection_delay(const struct connection *connection);
/* Seconds before attempt number `failures` + 1, with jitter, so that a broker's clients do not come back all
 * at once. */
double connection_backoff(const struct connection *connection, unsigned failures);
/* Records why there is no connection, for connection_reason(). */
void connection_set_reason(struct connection *connection, const struct error *reason);

enum connection_frame {
    CONNECTION_FRAME,
    CONNECTION_NOTHING, /* no complete frame is there */
    CONNECTION_BROKEN,  /* a frame that cannot be read; what is sent still arrives (connection_abandon) */
    CONNECTION_GONE,
};

/* The next frame that has come, without waiting. Frames of channel 0 are dealt with here and never returned.
 * Memory of the frame lives until connection_release(). */
enum connection_frame connection_read(struct connection *connection, amqp_frame_t *frame,
                                      struct error *error);
void connection_release(struct connection *connection, amqp_channel_t channel);

/* Waits for `wake_fd`, for input, (if `write`) for room to send, or `timeout` seconds; less where a heartbeat
 * is due. Works without a connection, too. With `read` false input is left alone. */
void connection_wait(struct connection *connection, int wake_fd, bool read, bool write, double timeout);
bool connection_is_writable(const struct connection *connection);
/* Between the two nothing is sent in small packets (TCP_CORK). */
void connection_cork(struct connection *connection, bool on);

enum connection_reply {
    CONNECTION_REPLY_OK,
    CONNECTION_REPLY_REFUSED, /* the broker closed the channel; it must be opened anew */
    CONNECTION_REPLY_GONE,    /* the connection is lost */
};

/* What became of a synchronous call; `what` is "declaring queue 'celery'". ERROR_NOT_FOUND is 404,
 * ERROR_DENIED 403 and 530, ERROR_UNAVAILABLE 405 and a lost connection, ERROR_INVALID the rest. */
enum connection_reply connection_check(struct connection *connection, amqp_channel_t channel,
                                       amqp_rpc_reply_t reply, const char *what, struct error *error);
/* Fills `error` with the words of a channel.close that came by connection_read(), and answers it. */
void connection_answer_close(struct connection *connection, amqp_channel_t channel,
                             const amqp_channel_close_t *close, struct error *error);
enum connection_reply connection_open_channel(struct connection *connection, amqp_channel_t channel,
                                              struct error *error);

/* Fills `error` with what rabbitmq-c's status means; ERROR_TIMEOUT, or `code`. Always false. */
bool connection_fail(struct error *error, enum error_code code, const char *what, int status);

/* ---- any thread ---- */

/* Breaks off what the owner waits for, now and ever after. */
void connection_interrupt(struct connection *connection);
/* As kombu's Connection.info() has it, and "connected", "server_version"; a new object. */
json_t *connection_describe(struct connection *connection);
bool connection_is_up(struct connection *connection,
                      struct error *error); /* false: `error` has the last reason */

#endif
