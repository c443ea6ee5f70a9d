#include "celeryc/amqp/broker.h"

#include "celeryc/amqp/connection.h"

#include <string.h>

bool broker_options_check(const struct broker_options *options, struct error *error)
{
    struct connection connection;
    if (!connection_init(&connection, options, error))
        return false;
    connection_clear(&connection);
    return true;
}
