/* A child of the worker: a process that takes orders from its parent, runs the tasks, stores their results
 * and reports.
 *
 *     read orders -> claim in the page -> execute (execute.h) -> queue the result -> flush: store, then
 * report
 *
 * Nothing is reported as finished before its result is stored. Results of short tasks are stored and reported
 * together; before anything that may take long (a task of unknown or long duration, waiting for orders)
 * everything is flushed. */
#ifndef CELERYC_WORKER_CHILD_H
#define CELERYC_WORKER_CHILD_H

#include "celeryc/amqp/broker.h"
#include "celeryc/include/celeryc/task.h"
#include "celeryc/results/backend.h"

/* What a child must know. Filled before the fork server is started; borrowed. */
struct child_options {
    const char *app;
    const char *hostname; /* the node's name */
    const struct celery_task_type
        *types; /* ended by one without a name; pool_options.types must be the same table */
    struct backend_options backend;
    bool rpc; /* results are messages to who sent the task (rpc://); `backend` is none then */
    struct broker_options broker; /* for what tasks and canvases publish; `purpose` is set by the child */
    const char *default_queue;    /* "celery"; NULL is that */
    bool result_extended;
    bool result_persistent;    /* of rpc */
    bool track_started;        /* for all types */
    bool deduplicate;          /* late tasks that are delivered again are not run where they have succeeded */
    size_t max_memory;         /* bytes of resident memory after which it asks to be replaced; 0 none */
    void (*child_start)(void); /* once, before the first task; or NULL */
};

/* The child's main(), a fork_server_main; `context` is a struct child_options. Ends when the parent closes
 * its end. */
int child_main(const void *context, int socket, int page);

#endif
