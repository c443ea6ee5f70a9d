/* Declaring on a live connection: exchange, queue, binding, in the order and with the arguments that kombu
 * uses. */
#ifndef CELERYC_AMQP_DECLARE_H
#define CELERYC_AMQP_DECLARE_H

#include "celeryc/amqp/connection.h"
#include "celeryc/amqp/topology.h"

/* Declares on the channel DECLARE_CHANNEL, which is opened anew after each refusal, so that no other channel
 * suffers. The outcome and `error` are connection_check()'s. */
#define DECLARE_CHANNEL 2

enum connection_reply declare_queue(struct connection *connection, const struct queue_spec *spec,
                                    struct error *error);

/* Whether the exchange exists (passive declare); CONNECTION_REPLY_REFUSED with ERROR_NOT_FOUND when it does
 * not. */
enum connection_reply declare_check_exchange(struct connection *connection, const char *exchange,
                                             struct error *error);

#endif
