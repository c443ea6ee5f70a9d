/* Receiving: a delivery becomes a request, or is disposed of as Celery disposes of what is no task of its own
 * (celery/worker/consumer/consumer.py create_task_handler and the on_... functions beside it). */
#include "celeryc/message/task_message.h"
#include "celeryc/worker/worker.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a body that is read here, so that nobody is told of a task whose message cannot be read; what is
 * larger would hold up the loop, and is found out by the child. */
#define BODY_CHECKED_MOST ((size_t)1 << 20)

static const char *or_none(const char *text)
{
    return text ? text : "none";
}

static void log_bad(const struct consumer_event *event, const char *what, const struct error *error)
{
    const struct wire_message *wire = &event->message;
    log_error("%s: %s (content-type %s, encoding %s, exchange \"%s\", routing key \"%s\", body of %zu bytes)",
              what, error->message, or_none(wire->content_type), or_none(wire->content_encoding),
              wire->exchange ? wire->exchange : "", wire->routing_key ? wire->routing_key : "",
              wire->body_size);
}

/* What is no task's message at all, or none that anybody could run: said in the log, and gone. */
static void dispose(struct worker *worker, const struct consumer_event *event, enum message_fault fault,
                    const struct error *error)
{
    switch (fault) {
    case MESSAGE_UNDECODABLE:
        log_bad(event, "Acknowledged a message that does not decode", error);
        consumer_ack(worker->consumer, event->epoch, event->tag);
        return;
    case MESSAGE_UNKNOWN_FORMAT:
        log_bad(event, "Rejected a message that is no task", error);
        break;
    case MESSAGE_NOT_ACCEPTED:
        log_bad(event, "Rejected a message whose content is not accepted", error);
        break;
    default:
        log_bad(event, "Rejected an invalid task message", error);
        break;
    }
    consumer_reject(worker->consumer, event->epoch, event->tag, false);
}

/* How often a child was lost with this task: counted by us in a header of our own, and by quorum queues for
 * every delivery that came back. */
static int lost_runs(const struct request *request)
{
    json_int_t ours = json_integer_value(json_object_get(request->wire.headers, LOST_RUNS_HEADER));
    json_int_t theirs = json_integer_value(json_object_get(request->wire.headers, "x-delivery-count"));
    json_int_t most = ours > theirs ? ours : theirs;
    return most < 0 ? 0 : most > 1000000 ? 1000000 : (int)most;
}

static void receive_delivery(struct worker *worker, struct consumer_event *event)
{
    if (event->epoch != worker->epoch)
        return; /* the broker has requeued it already */
    struct error error = {0};
    struct task_message *message = NULL;
    enum message_fault fault = task_message_parse(&event->message, &message, &error);
    const struct registered *entry = message ? registry_find(&worker->registry, message->task) : NULL;
    if (fault == MESSAGE_GOOD && entry != NULL)
        fault = task_body_check(&event->message, BODY_CHECKED_MOST, &error);
    if (fault != MESSAGE_GOOD && (message == NULL || entry != NULL)) {
        dispose(worker, event, fault, &error);
        task_message_free(message);
        return;
    }
    if (admit_adopt(worker, message, event)) {
        task_message_free(message);
        return;
    }
    if (worker->phase != PHASE_RUNNING) { /* it was on its way when the queues were cancelled */
        consumer_reject(worker->consumer, event->epoch, event->tag, true);
        task_message_free(message);
        return;
    }
    struct request *request = requests_add(&worker->requests, &event->message, message);
    if (request == NULL) {
        log_error("no memory for a request; the message goes back to its queue");
        consumer_reject(worker->consumer, event->epoch, event->tag, true);
        task_message_free(message);
        return;
    }
    request->worker = worker;
    request->queue = event->queue;
    event->queue = NULL;
    request->epoch = event->epoch;
    request->tag = event->tag;
    request->redelivered = event->redelivered;
    if (entry == NULL) {
        settle_unknown(worker, request);
        return;
    }
    request->type = entry->type;
    request->lost_runs = lost_runs(request);
    request->eta = message->eta_text ? message->eta : 0;
    request->expires = message->expires_text ? message->expires : 0;
    log_write(LOG_INFO, request->id, "Task %s[%s] received", task_message_name(message), request->id);
    admit(worker, request);
}

void receive_event(struct worker *worker, struct consumer_event *event)
{
    switch (event->kind) {
    case CONSUMER_DELIVERY:
        receive_delivery(worker, event);
        break;
    case CONSUMER_CONNECTED:
        consume_connected(worker, event->epoch);
        break;
    case CONSUMER_LOST:
        consume_lost(worker, event->reason);
        break;
    case CONSUMER_QUEUE_READY:
        log_info("Started consuming from %s", or_none(event->queue));
        break;
    case CONSUMER_QUEUE_CANCELLED:
        log_info("No longer consuming from %s", or_none(event->queue));
        break;
    case CONSUMER_QUEUE_REFUSED:
        log_error("The broker refuses queue %s: %s", or_none(event->queue), or_none(event->reason));
        break;
    }
}
