#include "celeryc/amqp/declare.h"

#include "celeryc/amqp/table.h"

#include <stdio.h>
#include <string.h>

/* Checks the answer of the call just made; a channel that was closed by it is opened again. */
static enum connection_reply settle_call(struct connection *connection, const char *what, const char *name,
                                         struct error *error)
{
    char sentence[400];
    snprintf(sentence, sizeof sentence, "%s '%s'", what, name);
    enum connection_reply reply =
        connection_check(connection, DECLARE_CHANNEL, amqp_get_rpc_reply(connection->state), sentence, error);
    if (reply != CONNECTION_REPLY_REFUSED)
        return reply;
    reply = connection_open_channel(connection, DECLARE_CHANNEL, NULL);
    return reply == CONNECTION_REPLY_OK ? CONNECTION_REPLY_REFUSED : CONNECTION_REPLY_GONE;
}

static bool is_built_in(const char *exchange)
{
    return exchange[0] == '\0' || strncmp(exchange, "amq.", 4) == 0;
}

enum connection_reply declare_queue(struct connection *connection, const struct queue_spec *spec,
                                    struct error *error)
{
    amqp_connection_state_t state = connection->state;
    enum connection_reply reply = CONNECTION_REPLY_OK;
    amqp_bytes_t exchange = amqp_cstring_bytes(spec->exchange);

    if (!is_built_in(spec->exchange)) {
        amqp_exchange_declare(state, DECLARE_CHANNEL, exchange, amqp_cstring_bytes(spec->exchange_type), 0,
                              spec->exchange_durable, spec->exchange_auto_delete, 0, amqp_empty_table);
        reply = settle_call(connection, "declaring exchange", spec->exchange, error);
    }
    if (reply != CONNECTION_REPLY_OK || spec->name == NULL)
        return reply;

    amqp_pool_t pool;
    amqp_table_t arguments;
    init_amqp_pool(&pool, 4096);
    if (!table_from_json(spec->arguments, &pool, &arguments, error)) {
        error_context(error, "arguments of queue '%s'", spec->name);
        empty_amqp_pool(&pool);
        return CONNECTION_REPLY_REFUSED;
    }
    amqp_bytes_t queue = amqp_cstring_bytes(spec->name);
    amqp_queue_declare(state, DECLARE_CHANNEL, queue, 0, spec->durable, spec->exclusive, spec->auto_delete,
                       arguments);
    reply = settle_call(connection, "declaring queue", spec->name, error);
    empty_amqp_pool(&pool);
    if (reply != CONNECTION_REPLY_OK || spec->exchange[0] == '\0')
        return reply;

    amqp_queue_bind(state, DECLARE_CHANNEL, queue, exchange, amqp_cstring_bytes(spec->routing_key),
                    amqp_empty_table);
    return settle_call(connection, "binding queue", spec->name, error);
}

enum connection_reply declare_check_exchange(struct connection *connection, const char *exchange,
                                             struct error *error)
{
    amqp_exchange_declare(connection->state, DECLARE_CHANNEL, amqp_cstring_bytes(exchange),
                          amqp_cstring_bytes("direct"), 1, 0, 0, 0, amqp_empty_table);
    return settle_call(connection, "exchange", exchange, error);
}
