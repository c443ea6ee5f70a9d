/* The banner: what the worker is, printed when it starts, as Celery's is laid out (celery/apps/worker.py). */
#ifndef CELERYC_WORKER_BANNER_H
#define CELERYC_WORKER_BANNER_H

#include "celeryc/worker/options.h"

#include <stdio.h>

/* No password is shown. Tasks are listed at log level INFO and below. */
void banner_print(const struct worker_options *options, const struct celery_worker_program *program,
                  FILE *to);
/* "amqp://user:**@host:port/vhost" of the first of several URLs separated by ';'. */
void banner_redact(const char *urls, char *buffer, size_t size);

#endif
