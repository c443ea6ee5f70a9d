/* Exceptions as they are stored and sent: {"exc_type", "exc_message", "exc_module"}. Pure. Source:
 * celery/backends/base.py prepare_exception, exception_to_python. */
#ifndef CELERYC_MESSAGE_EXCEPTION_H
#define CELERYC_MESSAGE_EXCEPTION_H

#include "common/error.h"

#include <jansson.h>

/* What Python shows of it, "ValueError('no such file', 2)"; a new string, freed by the caller. */
char *exception_repr(const json_t *exception, struct error *error);

#endif
