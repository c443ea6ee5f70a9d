/* A health check: does the node of this name answer remote control? */
#ifndef CELERYC_WORKER_PING_H
#define CELERYC_WORKER_PING_H

#include "celeryc/worker/options.h"

/* Pings the node over the broker and asks the program's own `ready`. Exit code: 0 both are well, 1 not; says
 * why on standard error. */
int worker_ping(const struct worker_options *options, const struct celery_worker_program *program);

#endif
