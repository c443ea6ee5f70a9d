/* Tasks' messages, written: protocol 2 as a Python client writes it, header by header and byte by byte, and
 * the message that a retry publishes. Pure: the time is given. Source: celery/app/amqp.py as_task_v2 and
 * send_task_message, celery/app/base.py send_task, celery/app/task.py signature_from_request,
 * kombu/messaging.py. */
#ifndef CELERYC_MESSAGE_ENCODE_H
#define CELERYC_MESSAGE_ENCODE_H

#include "celeryc/message/task_message.h"

/* A task to be sent. Zero (and TRISTATE_UNSET, group_index and priority -1: task_draft_init()) is absent. All
 * is borrowed for the call. */
struct task_draft {
    const char *id, *task; /* must be there */
    json_t *args, *kwargs; /* array, object; NULL: empty */
    struct text_slice args_text,
        kwargs_text; /* instead of args, kwargs: their JSON text, with the reprs then given */
    struct text_slice callbacks, errbacks, chain,
        chord;                           /* JSON text; one signature in place of a list is put in one */
    const char *argsrepr, *kwargsrepr;   /* NULL: made from args and kwargs */
    double eta, expires;                 /* seconds since 1970 */
    const char *eta_text, *expires_text; /* as ISO 8601 instead, sent as they are */
    const char *shadow, *group, *root_id, *parent_id, *origin, *reply_to; /* root_id NULL: id */
    long group_index;
    int retries, replaced_task_nesting;
    double time_limit, soft_time_limit; /* seconds */
    enum tristate ignore_result;        /* unset: null, the task's own default, as app.send_task() has it */
    json_t *stamped_headers, *stamps;   /* array, object */
    json_t *headers;                    /* object of further headers; they win */
    const char *exchange, *routing_key; /* exchange NULL: the default exchange */
    int priority;                       /* 0 to 255; -1: 0, as kombu sends it */
    double now;                         /* clock_wall(), for the message's expiration */
};

void task_draft_init(struct task_draft *draft);

/* Fills `wire` (initialised here; cleared by the caller in any case). ERROR_INVALID names what is wrong: no
 * id or name, args that are no array, kwargs that are no object, text that is no UTF-8; ERROR_MEMORY. */
bool task_encode(const struct task_draft *draft, struct wire_message *wire, struct error *error);

struct task_retry {
    double eta;            /* seconds since 1970; 0: at once */
    double expires;        /* seconds since 1970; 0: as before */
    json_t *args, *kwargs; /* others than before (borrowed), or NULL */
    bool ignore_result;    /* what the task's type says; used where the message does not say */
    double now;            /* clock_wall() */
};

/* The message that sends a task again: same id, retries + 1, same place, priority, expiry, stamps, embedded
 * signatures (their bytes as they came) and headers, but those of dead-lettering. `original` is the message
 * as it came, `message` and `body` what was read of it. `wire` as above. */
bool task_encode_retry(const struct wire_message *original, const struct task_message *message,
                       const struct task_body *body, const struct task_retry *retry,
                       struct wire_message *wire, struct error *error);

#endif
