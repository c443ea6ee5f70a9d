/* The worker's manual page: --help-man, which the build makes PROGRAM.1 of. */
#ifndef CELERYC_WORKER_MANUAL_H
#define CELERYC_WORKER_MANUAL_H

#include "celeryc/worker/options.h"

/* `path`: how the program was called. */
void worker_manual_print(const struct worker_options *options, const struct celery_worker_program *program,
                         const char *path, FILE *to);

#endif
