/* The worker's command line and environment: Celery's own names (celery/bin/worker.py), read into one struct.
 *
 * Celery's program answers to CELERY_WORKER_<OPTION> in the environment for each option of `celery worker`,
 * and its configuration to CELERY_BROKER_URL and CELERY_RESULT_BACKEND; so does this. Text is borrowed from
 * argv and the environment but for what is expanded (node name, files, queues), which the struct owns. */
#ifndef CELERYC_WORKER_OPTIONS_H
#define CELERYC_WORKER_OPTIONS_H

#include "celeryc/include/celeryc/worker.h"
#include "celeryc/worker/cpu_budget.h"
#include "common/log.h"

#include <stdio.h>

#define WORKER_QUEUES_MOST 64

enum worker_action {
    WORKER_RUN,
    WORKER_HELP,
    WORKER_MANUAL, /* --help-man, which no table lists: the build calls it */
    WORKER_VERSION,
    WORKER_PING, /* a health check: ask the node of this name, exit 0 when it answers */
};

struct worker_options {
    enum worker_action action;
    enum log_level level;

    /* Owned: expanded from the text below. */
    char *hostname; /* the node's name, "celery@host" */
    char *logfile, *pidfile, *statedb;
    char *queues[WORKER_QUEUES_MOST + 1]; /* names, NULL-terminated; at least one */
    size_t queue_count;
    const struct setting *table; /* the whole table, the program's own options behind the worker's */

    /* As given. */
    const char *broker, *result_backend, *key_prefix;
    const char *hostname_text, *queues_text, *exclude_text, *loglevel_text, *logfile_text, *pidfile_text,
        *statedb_text;
    const char *concurrency_text, *pool, *optimization, *application, *default_queue, *queue_type,
        *autoscale_text;
    long concurrency;         /* children; 1 to 512 */
    bool concurrency_is_auto; /* it follows from `cpus` */
    struct cpu_budget cpus;
    long prefetch_multiplier, eta_task_limit, max_tasks_per_child,
        max_memory_per_child /* KiB, as in Celery */;
    long queue_priorities, broker_heartbeat;
    long autoscale_most, autoscale_least; /* 0: no autoscaling */
    double time_limit, soft_time_limit, result_expires, soft_shutdown_timeout, heartbeat_interval;
    double broker_retry_first, broker_retry_step, broker_retry_most, ping_timeout, lease_time;
    bool task_events, without_gossip, without_mingle, without_heartbeat, quiet, no_color;
    bool result_extended, result_persistent, deduplicate;
    bool track_started, json_log, help, version, ping, reject_on_worker_lost,
        soft_shutdown_on_idle;
};

/* Fills `options`. ERROR_INVALID names the option and what is allowed. End with worker_options_clear() in any
 * case. */
bool worker_options_read(struct worker_options *options, const struct celery_worker_program *program,
                         int argc, char **argv, struct error *error);
void worker_options_clear(struct worker_options *options);
void worker_options_print_help(const struct worker_options *options,
                               const struct celery_worker_program *program, FILE *to);

/* "name@host" of what -n says: "w1" is celery@w1, "w1@%h" w1@<this host> (celery/utils/nodenames.py); a new
 * string, NULL when memory is out. */
char *node_name_expand(const char *text, const char *host);
/* A file's name with %h, %n, %d, %p of the node; a new string. */
char *node_format(const char *text, const char *node);

#endif
