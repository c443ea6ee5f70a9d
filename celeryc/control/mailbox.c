#include "celeryc/control/mailbox.h"

#include "celeryc/amqp/consumer.h"
#include "celeryc/control/commands.h"
#include "celeryc/control/control_request.h"
#include "celeryc/message/json_text.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_EXPIRES 10000      /* milliseconds without a consumer (control_queue_expires) */
#define QUEUE_MESSAGE_TTL 300000 /* milliseconds that a request may wait (control_queue_ttl) */
#define NAME_MOST 255            /* bytes of a short string of AMQP */
#define LISTENERS_MOST 4

struct listening {
    char queue[NAME_MOST + 1]; /* its name, and the tag of its consumer; "": free */
    struct mailbox_listener listener;
};

struct mailbox {
    const struct control_worker *worker;
    struct publisher *replies;
    struct consumer *consumer;
    char *reply_exchange;      /* "reply.celery.pidbox" */
    char queue[NAME_MOST + 1]; /* where requests come, and the tag of its consumer */
    bool in_use_logged;
    struct listening listening[LISTENERS_MOST];
};

/* ---- life cycle ---- */

static void consume_requests(struct mailbox *mailbox, const char *exchange)
{
    json_t *arguments =
        json_pack("{s:i, s:i}", "x-expires", QUEUE_EXPIRES, "x-message-ttl", QUEUE_MESSAGE_TTL);
    struct queue_spec requests = {.name = mailbox->queue,
                                  .consumer_tag = mailbox->queue,
                                  .exchange = exchange,
                                  .exchange_type = "fanout",
                                  .routing_key = "",
                                  .exclusive = true,
                                  .auto_delete = true,
                                  .no_ack = true,
                                  .arguments = arguments};
    consumer_add(mailbox->consumer, &requests);
    json_decref(arguments);
}

static void declare_replies(struct mailbox *mailbox)
{
    struct queue_spec replies = {.exchange = mailbox->reply_exchange, .exchange_type = "direct"};
    publisher_declare(mailbox->replies, &replies);
}

struct mailbox *mailbox_new(const struct mailbox_options *options, struct error *error)
{
    const char *namespace = options->namespace != NULL ? options->namespace : "celery";
    char exchange[NAME_MOST + 1];
    int longest = snprintf(NULL, 0, "%s.%s.pidbox", options->worker->hostname, namespace);
    snprintf(exchange, sizeof exchange, "%s.pidbox", namespace);
    if (longest < 0 || longest > NAME_MOST) {
        error_set(error, ERROR_LIMIT, "the node's name %s is too long for its mailbox",
                  options->worker->hostname);
        return NULL;
    }
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL || asprintf(&mailbox->reply_exchange, "reply.%s.pidbox", namespace) < 0) {
        free(mailbox);
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    snprintf(mailbox->queue, sizeof mailbox->queue, "%s.%s.pidbox", options->worker->hostname, namespace);
    mailbox->worker = options->worker;
    mailbox->replies = options->replies;
    struct consumer_options consumer = {.broker = options->broker, .message_limit = CONTROL_REQUEST_MOST};
    mailbox->consumer = consumer_new(&consumer, error);
    if (mailbox->consumer == NULL) {
        free(mailbox->reply_exchange);
        free(mailbox);
        return NULL;
    }
    declare_replies(mailbox);
    consume_requests(mailbox, exchange);
    return mailbox;
}

void mailbox_free(struct mailbox *mailbox, double timeout)
{
    if (mailbox == NULL)
        return;
    consumer_free(mailbox->consumer, timeout);
    free(mailbox->reply_exchange);
    free(mailbox);
}

int mailbox_fd(const struct mailbox *mailbox)
{
    return consumer_fd(mailbox->consumer);
}

/* ---- listeners ---- */

static struct listening *listening_to(struct mailbox *mailbox, const char *queue)
{
    for (size_t i = 0; queue != NULL && i < LISTENERS_MOST; i++) {
        if (strcmp(mailbox->listening[i].queue, queue) == 0)
            return &mailbox->listening[i];
    }
    return NULL;
}

bool mailbox_listen(struct mailbox *mailbox, const struct queue_spec *queue,
                    const struct mailbox_listener *listener, struct error *error)
{
    struct listening *place = listening_to(mailbox, "");
    if (place == NULL || strlen(queue->name) > NAME_MOST)
        return error_set(error, ERROR_LIMIT, "%.64s cannot be listened to", queue->name);
    snprintf(place->queue, sizeof place->queue, "%s", queue->name);
    place->listener = *listener;
    struct queue_spec spec = *queue;
    spec.consumer_tag = place->queue;
    consumer_add(mailbox->consumer, &spec);
    return true;
}

void mailbox_stop_listening(struct mailbox *mailbox, const char *queue)
{
    struct listening *place = listening_to(mailbox, queue);
    if (place == NULL || place->queue[0] == '\0')
        return;
    consumer_cancel(mailbox->consumer, place->queue);
    *place = (struct listening){.queue = ""};
}

/* ---- replies ---- */

/* {node: reply}, with the ticket by which the sender knows its answer. */
static bool fill_reply(struct mailbox *mailbox, const struct control_request *request, json_t *reply,
                       struct wire_message *message, struct error *error)
{
    const struct control_worker *worker = mailbox->worker;
    json_t *body = json_pack("{s:O}", worker->hostname, reply);
    message->exchange = strdup(request->reply_exchange);
    message->routing_key = strdup(request->reply_routing_key);
    message->content_type = strdup("application/json");
    message->content_encoding = strdup("utf-8");
    message->headers = json_pack("{s:s?, s:I}", "ticket", request->ticket, "clock",
                                 (json_int_t)lamport_forward(worker->clock));
    message->delivery_mode = 1;
    message->priority = 0;
    message->body = body != NULL ? json_text_dump(body, &message->body_size, error) : NULL;
    json_decref(body);
    bool whole = message->exchange != NULL && message->routing_key != NULL && message->content_type != NULL &&
                 message->content_encoding != NULL && message->headers != NULL;
    if (whole && body == NULL)
        return error_set(error, ERROR_INVALID, "the node's name is not UTF-8");
    return whole ? message->body != NULL : error_set(error, ERROR_MEMORY, "out of memory");
}

static void send_reply(struct mailbox *mailbox, const struct control_request *request, json_t *reply)
{
    struct wire_message message;
    struct error error = {.code = ERROR_NONE};
    wire_message_init(&message);
    if (!fill_reply(mailbox, request, reply, &message, &error) ||
        !publisher_send(mailbox->replies, &message, 0, NULL, NULL, &error))
        log_warning("remote control: the reply to %.64s is lost: %s", request->method, error.message);
    wire_message_clear(&message);
}

/* Only the exchange for replies: one that does not exist would cost the events that share the connection. */
static bool may_reply(const struct mailbox *mailbox, const struct control_request *request)
{
    if (request->reply_exchange == NULL)
        return false;
    bool known =
        strcmp(request->reply_exchange, mailbox->reply_exchange) == 0 || request->reply_exchange[0] == '\0';
    if (known && strlen(request->reply_routing_key) <= NAME_MOST)
        return true;
    log_warning("remote control: %.64s asks for its reply at \"%.64s\", which is not answered",
                request->method, request->reply_exchange);
    return false;
}

/* ---- requests ---- */

static void run_request(struct mailbox *mailbox, const struct control_request *request)
{
    log_debug("remote control: %.64s", request->method);
    json_t *reply = control_run(mailbox->worker, request->method, request->arguments);
    if (reply != NULL && may_reply(mailbox, request))
        send_reply(mailbox, request, reply);
    json_decref(reply);
}

static void take_request(struct mailbox *mailbox, const struct wire_message *message)
{
    struct control_request request;
    struct error error = {.code = ERROR_NONE};
    bool meant = false;
    (void)lamport_forward(mailbox->worker->clock); /* senders of requests mostly have no clock of their own */
    if (!control_request_parse(message, &request, &error)) {
        log_error("remote control: bad request: %s", error.message);
        return;
    }
    lamport_adjust(mailbox->worker->clock, request.clock);
    if (!control_request_is_for(&request, mailbox->worker->hostname, &meant, &error))
        log_error("remote control: %.64s: %s", request.method, error.message);
    if (meant)
        run_request(mailbox, &request);
    control_request_clear(&request);
}

static void take_refusal(struct mailbox *mailbox, const struct consumer_event *event,
                         const struct listening *listening)
{
    const char *reason = event->reason != NULL ? event->reason : "refused";
    if (listening != NULL)
        log_warning("%s cannot be listened to: %s", listening->queue, reason);
    else if (!mailbox->in_use_logged)
        log_warning(
            "remote control: a node named %s is already using this mailbox, or was a moment ago; trying "
            "again: %s",
            mailbox->worker->hostname, reason);
    mailbox->in_use_logged = mailbox->in_use_logged || listening == NULL;
}

static void take_event(struct mailbox *mailbox, const struct consumer_event *event)
{
    bool delivered = event->kind == CONSUMER_DELIVERY;
    const char *queue = delivered ? event->consumer_tag : event->queue;
    const struct listening *listening = queue != NULL && *queue != '\0' ? listening_to(mailbox, queue) : NULL;
    switch (event->kind) {
    case CONSUMER_DELIVERY:
        if (listening != NULL)
            listening->listener.heard(listening->listener.context, &event->message);
        else if (queue != NULL && strcmp(queue, mailbox->queue) == 0)
            take_request(mailbox, &event->message);
        break;
    case CONSUMER_QUEUE_REFUSED:
        take_refusal(mailbox, event, listening);
        break;
    case CONSUMER_QUEUE_READY:
        if (listening == NULL)
            mailbox->in_use_logged = false;
        else if (listening->listener.ready != NULL)
            listening->listener.ready(listening->listener.context);
        break;
    default:
        break;
    }
}

void mailbox_turn(struct mailbox *mailbox)
{
    struct consumer_event *event = consumer_take(mailbox->consumer);
    while (event != NULL) {
        struct consumer_event *next = event->next;
        take_event(mailbox, event);
        consumer_event_free(event);
        event = next;
    }
}
