/* A task's message, read: what its headers say (cheap; all that the worker's parent needs) and, apart from
 * that, what its body holds (args, kwargs, and what follows the task; for the child). Protocol 2 and protocol
 * 1, and the hybrid of both.
 *
 * Pure: bytes in, values out. Whatever comes in, one of `enum message_fault` comes out, which says what
 * Celery does with such a message. Not thread-safe; a message may be handed to another thread. Source:
 * celery/worker/consumer/consumer.py create_task_handler, celery/worker/strategy.py,
 * celery/worker/request.py, kombu/message.py, kombu/serialization.py. */
#ifndef CELERYC_MESSAGE_TASK_MESSAGE_H
#define CELERYC_MESSAGE_TASK_MESSAGE_H

#include "celeryc/message/json_reader.h"
#include "celeryc/message/properties.h"

/* What is wrong with a message, and so how it is disposed of. Where Celery's own worker dies of a message,
 * ours rejects. */
enum message_fault {
    MESSAGE_GOOD,
    MESSAGE_UNDECODABLE,    /* does not decompress or decode: acknowledge, log */
    MESSAGE_NOT_ACCEPTED,   /* content type other than JSON: reject without requeue, log; but an unknown task
                               goes first */
    MESSAGE_UNKNOWN_FORMAT, /* no task's message at all: reject without requeue, log */
    MESSAGE_INVALID,        /* wrong shape, no id, bad ETA or expiry: reject without requeue, log */
    MESSAGE_UNFIT,          /* decodes, but the task cannot be called with it: the task fails (bodies only) */
};
const char *message_fault_name(enum message_fault fault); /* "undecodable", for logs */

enum { MESSAGE_TEXT_MOST = 4096 }; /* bytes of an id; a longer one is MESSAGE_INVALID */

enum tristate { TRISTATE_UNSET = -1, TRISTATE_NO = 0, TRISTATE_YES = 1 };

/* Text is NULL where absent or null, and lives as long as the struct (it holds a reference to the headers, or
 * to the decoded body for protocol 1; the wire message may be cleared before). */
struct task_message {
    int protocol;       /* 1 or 2 */
    const char *id;     /* never NULL */
    const char *task;   /* the registered name; never NULL. Not found where the message has none: "None" */
    const char *shadow; /* shown instead of `task` */
    const char *root_id, *parent_id, *group;
    long group_index; /* -1: none */
    int retries;
    const char *eta_text, *expires_text; /* as they came */
    double eta, expires; /* seconds since 1970, 0 none; times before 1970 are negative, so test the texts for
                            presence */
    bool eta_overflows;  /* not a time that Python can hold in UTC: the task fails (OverflowError) and is
                            rejected */
    double time_limit, soft_time_limit; /* seconds; 0: the task's own */
    const char *argsrepr, *kwargsrepr;  /* protocol 1: made here */
    const char *origin, *lang;
    enum tristate ignore_result; /* TRISTATE_UNSET: as the task's type says */
    int replaced_task_nesting;
    json_t *stamped_headers;       /* array, or NULL; borrowed from `source` */
    json_t *stamps;                /* object, or NULL; borrowed from `source` */
    json_t *source;                /* object: headers (2) or body (1); owned reference */
    char *args_made, *kwargs_made; /* owned; what argsrepr and kwargsrepr point at for protocol 1 */
    char *task_made;               /* owned; what `task` points at where the message's is no string */
};

/* Reads the headers (and the body only where the headers name no task: protocol 1). `*message` is set, and
 * ended with task_message_free(), for MESSAGE_GOOD and MESSAGE_NOT_ACCEPTED, else NULL. `error` gets the
 * sentence for the log. */
enum message_fault task_message_parse(const struct wire_message *wire, struct task_message **message,
                                      struct error *error);
void task_message_free(struct task_message *message); /* NULL is allowed */

/* The sender's own headers: those of a message that are not the protocol's, nor the broker's notes of
 * dead-lettering. A new object; NULL: no memory. */
json_t *task_message_custom_headers(json_t *headers);

/* What logs, events and results call the task: shadow, else its name. */
const char *task_message_name(const struct task_message *message);

/* {"exchange", "routing_key", "priority", "redelivered"} as Celery's request has it; a new reference, NULL:
 * no memory. */
json_t *wire_message_delivery_info(const struct wire_message *wire, bool redelivered);

/* ---- body ---- */

/* What a body holds. What only passes through (callbacks, errbacks, chain, chord; args and kwargs of a retry)
 * is kept as the bytes that came, since Jansson cannot hold all that Python sends. kombu's typed values
 * ({"__type__", "__value__"}) are left as they are. */
struct task_body {
    json_t *args;   /* array; owned */
    json_t *kwargs; /* object; owned */
    struct text_slice args_text, kwargs_text;
    struct text_slice callbacks, errbacks, chain, chord; /* JSON text */
    const char *exception; /* MESSAGE_UNFIT: the exception's type; its sentence is in `error`; static */
    char *text; /* the body where it was compressed; owned. Else the slices are of the wire message's body */
    size_t text_size;
};

/* Decodes the body of a message that task_message_parse() found good. `limit`: bytes after decompression (0:
 * 256 MiB; more is MESSAGE_UNDECODABLE). `body` is filled for MESSAGE_GOOD and MESSAGE_UNFIT (then args and
 * kwargs are NULL, the texts are there), and may be given to task_body_clear() in any case. Uses no stack in
 * proportion to the input. */
enum message_fault task_body_decode(const struct wire_message *wire, size_t limit, struct task_body *body,
                                    struct error *error);
void task_body_clear(struct task_body *body);

/* Whether a body would decode, and has the shape of a task's: the same faults but MESSAGE_UNFIT. One of more
 * than `limit` bytes, before or after decompression, is not looked at: MESSAGE_GOOD. */
enum message_fault task_body_check(const struct wire_message *wire, size_t limit, struct error *error);

#endif
