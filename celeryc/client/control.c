#include "celeryc/client/client_state.h"

#include "celeryc/amqp/consumer.h"
#include "celeryc/client/control_exchange.h"
#include "celeryc/message/json_message.h"
#include "common/clock.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT                                                                                      \
    10.0 /* seconds for the reply queue to be there, or as long as is waited for replies */

/* A call that waits for replies: its mailbox and what came into it. */
struct inspection {
    struct consumer *consumer;
    char ticket[UUID_SIZE], oid[UUID_SIZE];
    bool ready, refused; /* the mailbox is consumed from; the broker will not have it */
    size_t limit;
    json_t *replies;
};

void control_declare(struct celery_client *client)
{
    struct queue_spec requests = {.exchange = CONTROL_EXCHANGE, .exchange_type = "fanout"};
    struct queue_spec replies = {.exchange = CONTROL_REPLY_EXCHANGE, .exchange_type = "direct"};
    publisher_declare(client->publisher, &requests);
    publisher_declare(client->publisher, &replies);
}

/* `inspection` NULL: no replies are wanted. */
static bool publish_request(struct celery_client *client, const char *command, json_t *arguments,
                            json_t *destination, const struct inspection *inspection, double expires,
                            double timeout, struct error *error)
{
    struct control_call_message call = {.method = command,
                                        .arguments = arguments,
                                        .destination = destination,
                                        .clock = (int64_t)lamport_forward(&client->clock),
                                        .expires = clock_wall() + expires};
    if (inspection != NULL) {
        call.ticket = inspection->ticket;
        call.reply_to = inspection->oid;
    }
    struct wire_message wire;
    if (!control_message_make(&call, &wire, error))
        return false;
    struct error why = {.code = ERROR_NONE};
    bool good = publisher_publish(client->publisher, &wire, timeout, &why);
    wire_message_clear(&wire);
    if (!good && why.code == ERROR_NOT_FOUND)
        return true; /* no worker has a mailbox now, so there is nobody to tell */
    return good || error_set(error, why.code, "remote control %.64s: %s", command, why.message);
}

bool celery_broadcast(struct celery_client *client, const char *command, json_t *arguments,
                      json_t *destination, double timeout, struct error *error)
{
    return publish_request(client, command, arguments, destination, NULL, fmax(timeout, 1.0), timeout, error);
}

bool celery_revoke(struct celery_client *client, const char *id, bool terminate, const char *signal,
                   double timeout, struct error *error)
{
    json_t *arguments = json_pack("{s:s, s:b, s:s}", "task_id", id, "terminate", terminate, "signal",
                                  signal == NULL ? "SIGTERM" : signal);
    if (arguments == NULL)
        return error_set(error, ERROR_INVALID, "no memory, or text that is not UTF-8, in a revocation");
    bool good = celery_broadcast(client, "revoke", arguments, NULL, timeout, error);
    json_decref(arguments);
    return good;
}

static void take_reply(struct celery_client *client, struct inspection *inspection,
                       const struct wire_message *wire)
{
    lamport_adjust(&client->clock, json_integer_value(json_object_get(wire->headers, "clock")));
    const char *ticket = json_string_value(json_object_get(wire->headers, "ticket"));
    if (ticket == NULL || strcmp(ticket, inspection->ticket) != 0)
        return;
    json_t *reply = json_loadb(wire->body, wire->body_size, JSON_ALLOW_NUL, NULL);
    if (json_is_object(reply))
        json_array_append(inspection->replies, reply);
    json_decref(reply);
}

static void take_events(struct celery_client *client, struct inspection *inspection, struct error *error)
{
    struct consumer_event *event = consumer_take(inspection->consumer);
    while (event != NULL) {
        struct consumer_event *next = event->next;
        if (event->kind ==
            CONSUMER_QUEUE_READY) /* a connection alone may come before the queue is asked for */
            inspection->ready = true;
        if (event->kind == CONSUMER_QUEUE_REFUSED) {
            inspection->refused = true;
            error_set(error, ERROR_UNAVAILABLE, "the reply queue is refused: %.256s",
                      event->reason == NULL ? "" : event->reason);
        }
        if (event->kind == CONSUMER_LOST && !inspection->ready)
            error_set(error, ERROR_UNAVAILABLE, "%.256s", event->reason == NULL ? "" : event->reason);
        if (event->kind == CONSUMER_DELIVERY)
            take_reply(client, inspection, &event->message);
        consumer_event_free(event);
        event = next;
    }
}

static bool is_complete(const struct inspection *inspection)
{
    return inspection->limit > 0 && json_array_size(inspection->replies) >= inspection->limit;
}

/* Takes what comes until the deadline, the limit, or (`connecting`) until the mailbox is there. */
static void collect(struct celery_client *client, struct inspection *inspection, double deadline,
                    bool connecting, struct error *error)
{
    for (;;) {
        take_events(client, inspection, error);
        if (inspection->refused || is_complete(inspection) || (connecting && inspection->ready))
            return;
        double left = deadline - clock_monotonic();
        if (left <= 0)
            return;
        struct pollfd ready = {.fd = consumer_fd(inspection->consumer), .events = POLLIN};
        poll(&ready, 1, (int)fmin(ceil(left * 1000.0), 1000.0));
    }
}

/* The queue `<oid>.reply.celery.pidbox`, of this call alone, so that calls of several threads do not meet. */
static bool open_mailbox(struct celery_client *client, struct inspection *inspection, double timeout,
                         struct error *error)
{
    struct consumer_options options = {.broker = {.urls = client->options.broker_url,
                                                  .purpose = "celeryc client: replies",
                                                  .retry_first = 0.2,
                                                  .retry_step = 0.5,
                                                  .retry_most = 2}};
    inspection->consumer = consumer_new(&options, error);
    if (inspection->consumer == NULL)
        return false;
    char name[UUID_SIZE + 32];
    snprintf(name, sizeof name, "%s." CONTROL_REPLY_EXCHANGE, inspection->oid);
    json_t *arguments = json_pack("{s:i, s:i}", "x-expires", 10000, "x-message-ttl", 300000);
    struct queue_spec spec = {.name = name,
                              .exchange = CONTROL_REPLY_EXCHANGE,
                              .exchange_type = "direct",
                              .routing_key = inspection->oid,
                              .exclusive = true,
                              .auto_delete = true,
                              .no_ack = true,
                              .arguments = arguments};
    consumer_add(inspection->consumer, &spec);
    json_decref(arguments);
    collect(client, inspection, clock_monotonic() + timeout, true, error);
    if (!inspection->refused && inspection->ready)
        return true;
    if (error != NULL && error->code == ERROR_NONE)
        error_set(error, ERROR_UNAVAILABLE, "no connection to the broker within %g s", timeout);
    return false;
}

bool celery_inspect(struct celery_client *client, const char *command, json_t *arguments, json_t *destination,
                    double wait, size_t limit, json_t **replies, struct error *error)
{
    struct error why = {.code = ERROR_NONE};
    struct inspection inspection = {.limit = limit == 0 ? json_array_size(destination) : limit,
                                    .replies = json_array()};
    uuid_make(inspection.ticket);
    uuid_make(inspection.oid);
    *replies = NULL;
    double timeout = fmax(wait, CONNECT_TIMEOUT);
    bool good = open_mailbox(client, &inspection, timeout, &why) &&
                publish_request(client, command, arguments, destination, &inspection, wait, timeout, &why);
    if (good) {
        collect(client, &inspection, clock_monotonic() + wait, false, &why);
        *replies = json_incref(inspection.replies);
    } else {
        error_set(error, why.code, "inspect %.64s: %s", command, why.message);
    }
    if (inspection.consumer != NULL)
        consumer_free(inspection.consumer, 1.0);
    json_decref(inspection.replies);
    return good;
}
