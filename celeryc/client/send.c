#include "celeryc/client/client_state.h"

#include "celeryc/message/encode.h"
#include "common/clock.h"

#include <stdio.h>
#include <string.h>

#define EXPIRES_IS_A_TIME 1e9 /* seconds; larger ones count from 1970 */

/* Where a task goes: to a queue by the default exchange, unless an exchange is named (amqp.py
 * send_task_message). */
static struct sent_task destination(const struct celery_client *client, const struct celery_send *send)
{
    struct sent_task sent = {.queue = send->queue, .exchange = "", .routing_key = send->queue};
    bool has_exchange = send->exchange != NULL && send->exchange[0] != '\0';
    if (send->queue == NULL && !has_exchange)
        sent.queue = sent.routing_key = client->options.default_queue;
    if (has_exchange && (send->routing_key != NULL || send->queue == NULL)) {
        sent.exchange = send->exchange;
        sent.routing_key = send->routing_key == NULL ? "" : send->routing_key;
    }
    return sent;
}

static void make_draft(const struct celery_client *client, const struct celery_send *send, const char *id,
                       const struct sent_task *sent, struct task_draft *draft)
{
    double now = clock_wall();
    task_draft_init(draft);
    draft->id = id;
    draft->task = send->task;
    draft->args = send->args;
    draft->kwargs = send->kwargs;
    draft->eta = send->countdown != 0 ? now + send->countdown : send->eta;
    if (send->expires != 0)
        draft->expires = send->expires > EXPIRES_IS_A_TIME ? send->expires : now + send->expires;
    draft->priority = send->priority;
    draft->time_limit = send->time_limit;
    draft->soft_time_limit = send->soft_time_limit;
    draft->ignore_result = send->ignore_result ? TRISTATE_YES : TRISTATE_UNSET;
    draft->headers = send->headers;
    draft->root_id = send->root_id;
    draft->parent_id = send->parent_id;
    draft->origin = client->origin;
    draft->reply_to = client->oid;
    draft->exchange = sent->exchange;
    draft->routing_key = sent->routing_key;
    draft->now = now;
}

bool celery_send(struct celery_client *client, const struct celery_send *send, double timeout, char id[37],
                 struct error *error)
{
    char made[UUID_SIZE];
    if (send->id == NULL)
        uuid_make(made);
    const char *task_id = send->id == NULL ? made : send->id;
    struct sent_task sent = destination(client, send);
    if (sent.queue != NULL && !client_declare_queue(client, sent.queue, NULL, error))
        return false;
    struct task_draft draft;
    make_draft(client, send, task_id, &sent, &draft);
    struct wire_message wire, event;
    wire_message_init(&event);
    bool good = task_encode(&draft, &wire, error) &&
                (client->events == NULL || sent_event_make(client, &wire, &sent, &event, error)) &&
                publisher_publish(client->publisher, &wire, timeout, error);
    if (good && client->events != NULL)
        sent_event_publish(client, &event);
    if (good && id != NULL)
        snprintf(id, UUID_SIZE, "%s", task_id);
    wire_message_clear(&wire);
    wire_message_clear(&event);
    return good;
}
