/* Commands that change which queues the worker consumes from. */
#include "celeryc/control/command.h"

#include <string.h>

#define NAME_MOST 255 /* bytes of a short string of AMQP */

/* A name as AMQP allows it. */
static bool is_name(const char *text)
{
    return text != NULL && *text != '\0' && strlen(text) <= NAME_MOST;
}

static json_t *add_consumer(struct control_call *call)
{
    struct queue_spec queue = {.name = control_text(call, "queue"),
                               .exchange = control_text(call, "exchange"),
                               .exchange_type = control_text(call, "exchange_type"),
                               .routing_key = control_text(call, "routing_key"),
                               .durable = true,
                               .exchange_durable = true};
    const char *const texts[] = {queue.name, queue.exchange, queue.exchange_type, queue.routing_key};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (i == 0 ? !is_name(texts[i]) : texts[i] != NULL && strlen(texts[i]) > NAME_MOST)
            return control_raise(call, "ValueError", "names have 1 to %d bytes", NAME_MOST);
    }
    call->worker->add_queue(call->worker->context, &queue);
    return control_ok("add consumer %s", queue.name);
}

static json_t *cancel_consumer(struct control_call *call)
{
    const char *name = control_text(call, "queue");
    if (!is_name(name))
        return control_raise(call, "ValueError", "names have 1 to %d bytes", NAME_MOST);
    call->worker->cancel_queue(call->worker->context, name);
    return control_ok("no longer consuming from %s", name);
}

const struct control_command steer_queues_commands[] = {
    {.name = "add_consumer",
     .kind = CONTROL_STEER,
     .required = {"queue"},
     .optional = {"exchange", "exchange_type", "routing_key"},
     .any_keyword = true,
     .signature = "<queue> [exchange [type [routing_key]]]",
     .help = "Tell worker(s) to consume from task queue by name.",
     .run = add_consumer},
    {.name = "cancel_consumer",
     .kind = CONTROL_STEER,
     .required = {"queue"},
     .any_keyword = true,
     .signature = "<queue>",
     .help = "Tell worker(s) to stop consuming from task queue by name.",
     .run = cancel_consumer},
    {.name = NULL},
};
