/* What opening a connection to Redis and using it share. Internal; the interface is connection.h. */
#ifndef CELERYC_RESULTS_CONNECTION_STATE_H
#define CELERYC_RESULTS_CONNECTION_STATE_H

#include "celeryc/results/connection.h"

/* Connects, speaks TLS where the endpoint says so, and introduces itself (AUTH, SELECT). `deadline` and the
 * connect timeout bound it. The connection must be closed. */
bool redis_connection_open(struct redis_connection *connection, double deadline, struct error *error);

/* Gives the connection up for `reason`. False, always. */
bool redis_lose(struct redis_connection *connection, enum error_code code, const char *reason,
                struct error *error);

bool redis_is_cancelled(const struct redis_connection *connection);

/* Waits for `events` until `until`. 1 ready, 0 time is over, -1 cancelled or failed. */
int redis_wait(const struct redis_connection *connection, short events, double until);

/* Sends the commands and takes their answers, a window of them at a time. */
bool redis_exchange(struct redis_connection *connection, struct redis_command *const *commands, size_t count,
                    double deadline, struct error *error);

#endif
