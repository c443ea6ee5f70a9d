/* The pid file: tells other programs where the worker is, and keeps a second one from starting beside it
 * (celery/platforms.py Pidfile). */
#ifndef CELERYC_WORKER_PIDFILE_H
#define CELERYC_WORKER_PIDFILE_H

#include "common/error.h"

/* Writes our process id to `path`. ERROR_INVALID when the process whose id is there lives; a stale file is
 * replaced. */
bool pidfile_write(const char *path, struct error *error);
void pidfile_remove(const char *path); /* if it is ours */

#endif
