/* What a client is made of. Internal to this room. */
#ifndef CELERYC_CLIENT_CLIENT_STATE_H
#define CELERYC_CLIENT_CLIENT_STATE_H

#include "celeryc/amqp/publisher.h"
#include "celeryc/events/clock.h"
#include "celeryc/include/celeryc/client.h"
#include "celeryc/include/celeryc/store.h"
#include "common/uuid.h"

#include <pthread.h>
#include <sys/types.h>

enum { CLIENT_QUEUES_MOST = 4096 }; /* queues declared at each connecting; further ones must exist */

struct celery_client {
    struct celery_client_options options; /* with the defaults filled in */
    struct publisher *publisher;          /* tasks and remote control: confirmed, mandatory */
    struct publisher *events;             /* task-sent events; NULL: none are sent */
    struct celery_store *store;           /* where results are; NULL: none can be read */
    struct lamport_clock clock;
    char origin[320];      /* "gen<pid>@<host>" */
    char oid[UUID_SIZE];   /* reply_to of what it sends, as a Python client's thread id */
    pid_t pid;             /* of the process, for events */
    pthread_mutex_t mutex; /* guards `queues` */
    char **queues;         /* those that are declared; owned */
    size_t queue_count;
};

/* Declares the queue, with an exchange of its name, the first time it is sent to, as Celery's clients do. */
bool client_declare_queue(struct celery_client *client, const char *queue, json_t *arguments,
                          struct error *error);

/* What a task-sent event says beside the message's own headers. */
struct sent_task {
    const char *queue; /* or NULL */
    const char *exchange, *routing_key;
};
/* Makes the event of a message that is about to be sent; it is published by sent_event_publish() once that is
 * confirmed. */
bool sent_event_make(struct celery_client *client, const struct wire_message *task,
                     const struct sent_task *sent, struct wire_message *event, struct error *error);
/* At most once, never waits; takes `event`. */
void sent_event_publish(struct celery_client *client, struct wire_message *event);
void sent_event_declare(struct celery_client *client);

#endif
