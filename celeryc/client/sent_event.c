#include "celeryc/client/client_state.h"

#include "celeryc/message/json_message.h"
#include "common/clock.h"

#include <time.h>

/* Hours of local time before UTC's, negative to the east, as Celery's utcoffset() counts. */
static double utc_offset(void)
{
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    return local.tm_gmtoff == 0 ? 0.0 : -(double)local.tm_gmtoff / 3600.0;
}

void sent_event_declare(struct celery_client *client)
{
    struct queue_spec spec = {.exchange = "celeryev", .exchange_type = "topic", .exchange_durable = true};
    publisher_declare(client->events, &spec);
}

static int set_new(json_t *event, const char *name, json_t *value)
{
    return json_object_set_new(event, name, value == NULL ? json_null() : value);
}

/* The fields in the order in which a Python client sends them; those of the task are the message's own
 * headers. */
static json_t *event_body(struct celery_client *client, const json_t *headers, const struct sent_task *sent)
{
    static const struct {
        const char *field, *header;
    } fields[] = {{"uuid", "id"},         {"root_id", "root_id"}, {"parent_id", "parent_id"},
                  {"name", "task"},       {"args", "argsrepr"},   {"kwargs", "kwargsrepr"},
                  {"retries", "retries"}, {"eta", "eta"},         {"expires", "expires"}};
    json_t *event = json_pack("{s:s, s:f, s:i, s:I}", "hostname", client->origin, "utcoffset", utc_offset(),
                              "pid", (int)client->pid, "clock", (json_int_t)lamport_forward(&client->clock));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        set_new(event, fields[i].field, json_incref(json_object_get(headers, fields[i].header)));
    set_new(event, "queue", sent->queue == NULL ? json_null() : json_string(sent->queue));
    set_new(event, "exchange", json_string(sent->exchange));
    set_new(event, "routing_key", json_string(sent->routing_key));
    set_new(event, "timestamp", json_real(clock_wall()));
    set_new(event, "type", json_string("task-sent"));
    return event;
}

bool sent_event_make(struct celery_client *client, const struct wire_message *task,
                     const struct sent_task *sent, struct wire_message *event, struct error *error)
{
    return json_message_make("celeryev", "task.sent", json_pack("{s:s}", "hostname", client->origin),
                             event_body(client, task->headers, sent), 1, event, error);
}

void sent_event_publish(struct celery_client *client, struct wire_message *event)
{
    if (!publisher_send(client->events, event, 0, NULL, NULL, NULL))
        wire_message_clear(event);
}
