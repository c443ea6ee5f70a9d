/* The worker: a whole Celery worker's main() over a table of tasks. */
#ifndef CELERYC_WORKER_H
#define CELERYC_WORKER_H

#include "celeryc/task.h"
#include "common/setting_table.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct celery_worker_program {
    const char *app; /* the application's name, in the banner and in `inspect report` */
    const char *version;
    const char *about;                    /* first lines of --help */
    const struct celery_task_type *tasks; /* ended by one without a name */
    const struct setting *settings;       /* the program's own options beside the worker's, or NULL */
    long prefetch_multiplier;             /* the program's default, 0: Celery's 4 */
    bool (*prepare)(struct error *error); /* after the options are read, before anything is started: checks of
                                             the program's own */
    void (*child_start)(void);            /* in each child, once, before its first task; or NULL */
    bool (*ready)(struct error *error); /* NULL, or another thing to check for `--ping`-like health checks */
};

/* Reads environment and options (Celery's names: --concurrency, --queues, --loglevel, --hostname, ...),
 * prints the banner, runs until a signal or remote control stops it. Returns the exit code: 0 after a
 * shutdown, 1 when something failed, 2 for bad usage. Call it first in main(), before any thread or
 * connection exists: it forks. */
int celery_worker_main(int argc, char **argv, const struct celery_worker_program *program);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
