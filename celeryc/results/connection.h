/* One connection to Redis and the commands that go through it: made when needed, given up at the first fault,
 * made anew.
 *
 * Commands are sent in a pipeline and answered in order. The caller keeps the commands until each is done or
 * refused, so that an attempt that broke half way can be made again with what is left: all commands that are
 * sent here may be repeated. Every wait has a bound; of hiredis, 0.14 or 1.x, only the writing and reading of
 * the protocol is used: its own calls that wait know no deadline for a whole answer. Not thread-safe, but for
 * `cancel`. */
#ifndef CELERYC_RESULTS_CONNECTION_H
#define CELERYC_RESULTS_CONNECTION_H

#include "celeryc/results/endpoint.h"
#include "celeryc/results/link.h"
#include "celeryc/results/scripts.h"
#include "common/bytes.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stddef.h>

struct redis_connection {
    struct redis_endpoint endpoint;
    double connect_timeout; /* seconds for name, TCP, TLS, AUTH and SELECT together (the name by the
                               resolver's own time) */
    double timeout;         /* seconds without any answer after which the connection is given up */
    const atomic_bool
        *cancel; /* looked at while waiting: true ends an attempt within a fifth of a second; or NULL */
    struct redis_link link;
    redisReader *reader; /* NULL while not connected */
    struct bytes out;    /* commands; of them `written` bytes are gone */
    size_t written;
    bool away;    /* the fault was logged; the next success is, too */
    double pause; /* seconds of the last backoff */
    bool quiet;   /* faults are not logged: the caller says them */
};

#define REDIS_ARGUMENTS 17

enum redis_command_state {
    REDIS_PENDING, /* to be sent, or refused for now (OOM, LOADING ...: `error` has the server's words) */
    REDIS_DONE,    /* `reply` is the answer */
    REDIS_REFUSED, /* the server will not (NOPERM, WRONGTYPE ...); `error` has its words */
};

struct redis_command {
    const struct redis_script *script; /* EVALSHA of it (EVAL where the server does not know it), or NULL */
    int argc;                          /* with a script: "1", the key, the arguments */
    const char *argv[REDIS_ARGUMENTS]; /* borrowed while the command is pending */
    size_t size[REDIS_ARGUMENTS];
    enum redis_command_state state;
    bool by_text; /* the server does not know the script's hash */
    redisReply *reply;
    struct error error;
};

/* ---- life cycle ---- */
void redis_connection_init(struct redis_connection *connection, const struct redis_endpoint *endpoint,
                           double connect_timeout, double timeout); /* does not connect */
void redis_connection_clear(struct redis_connection *connection);   /* closes */
bool redis_connection_is_open(const struct redis_connection *connection);

/* ---- commands ---- */
void redis_command_init(struct redis_command *command, const struct redis_script *script);
void redis_command_add(struct redis_command *command, const char *argument,
                       size_t size); /* at most REDIS_ARGUMENTS */
void redis_command_add_text(struct redis_command *command, const char *argument);
void redis_command_clear(struct redis_command *command); /* frees the reply; pending again */

/* One attempt: connects where there is no connection, sends what is pending, takes the answers. True when all
 * were answered, though some may still be pending (refused for now). False when there is no connection or it
 * broke: what was not answered is pending. `deadline` (clock_monotonic) bounds it all. */
bool redis_attempt(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
                   double deadline, struct error *error);

/* Attempts with growing pauses until nothing is pending, or `deadline`. False with the last fault when
 * something is still pending; a wrong password, or a file of TLS that cannot be used, is not tried again. */
bool redis_run(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
               double deadline, struct error *error);

/* How long to wait before the next attempt: doubles from 0.05 to 1 s, and begins anew after a success. */
double redis_connection_pause(struct redis_connection *connection);

#endif
