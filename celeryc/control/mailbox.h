/* The mailbox: remote control as kombu/pidbox.py and celery/worker/pidbox.py have it.
 *
 * A consumer on a connection of its own takes requests from the queue `<node>.celery.pidbox`, bound to the
 * fanout exchange `celery.pidbox`; each is meant for this node or not, is dispatched by the table of commands
 * (commands.h), and answered on the exchange that it names, through a publisher without confirms. A bad
 * request costs a line in the log, whatever is in it. One thread (the worker's event loop) owns it; nothing
 * here waits but mailbox_free(). */
#ifndef CELERYC_CONTROL_MAILBOX_H
#define CELERYC_CONTROL_MAILBOX_H

#include "celeryc/amqp/broker.h"
#include "celeryc/amqp/publisher.h"
#include "celeryc/control/worker_view.h"

struct mailbox;

struct mailbox_options {
    struct broker_options broker;        /* strings borrowed */
    const char *namespace;               /* NULL: "celery" */
    const struct control_worker *worker; /* must outlive the mailbox */
    struct publisher *replies;           /* without confirms; must outlive the mailbox */
};

struct mailbox *mailbox_new(const struct mailbox_options *options,
                            struct error *error); /* starts its thread */
void mailbox_free(struct mailbox *mailbox,
                  double timeout); /* waits that long at most for the broker; NULL is allowed */

/* ---- what else comes on this connection ---- */

struct mailbox_listener {
    void (*ready)(void *context); /* the queue is consumed from, once for each connection; may be NULL */
    void (*heard)(void *context, const struct wire_message *message);
    void *context;
};
/* Consumes from one queue more, until it is told to stop. The name tells queues apart. ERROR_LIMIT,
 * ERROR_MEMORY.
 */
bool mailbox_listen(struct mailbox *mailbox, const struct queue_spec *queue,
                    const struct mailbox_listener *listener, struct error *error);
void mailbox_stop_listening(struct mailbox *mailbox, const char *queue);

int mailbox_fd(const struct mailbox *mailbox); /* readable when mailbox_turn() has work */
void mailbox_turn(struct mailbox *mailbox);    /* runs what came, replies */

#endif
