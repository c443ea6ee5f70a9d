/* The tasks that every worker has. Source: celery/app/builtins.py. */
#ifndef CELERYC_WORKER_BUILTINS_H
#define CELERYC_WORKER_BUILTINS_H

#include "celeryc/include/celeryc/task.h"

/* A new table: the program's tasks, then those built in whose names it does not use. Freed with free(); NULL:
 * no memory. */
struct celery_task_type *builtins_join(const struct celery_task_type *tasks);

#endif
