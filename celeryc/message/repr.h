/* Python's repr of values, as events, headers and the texts of exceptions show them. Pure.
 * Source: celery/utils/saferepr.py, Python's repr(). Lengths are in characters, not bytes, as Python counts.
 */
#ifndef CELERYC_MESSAGE_REPR_H
#define CELERYC_MESSAGE_REPR_H

#include "common/bytes.h"

#include <jansson.h>

enum { REPR_LENGTH_MOST = 1024 }; /* Celery's argsrepr_maxsize, kwargsrepr_maxsize, resultrepr_maxsize */

/* Appends what saferepr(value, maxlen, maxlevels=3) gives; `length` 0 is no limit. `tuple`: the outermost
 * array is shown as a tuple, "(1,)", as positional arguments are. Text is quoted but not escaped, as saferepr
 * does. */
bool repr_append(struct bytes *bytes, const json_t *value, bool tuple, size_t length, struct error *error);

/* The same cut at REPR_LENGTH_MOST as a new string, freed by the caller. */
char *repr_arguments(const json_t *args, struct error *error); /* an array, as a tuple */
char *repr_value(const json_t *value, struct error *error);

/* Appends repr(str): the quotes Python would choose, with escapes for what does not print. Invalid UTF-8 is
 * shown as Python's surrogateescape would: '\udcff'. */
bool repr_append_string(struct bytes *bytes, const char *text, size_t size, struct error *error);

/* repr of an exception with one argument, "ValueError('no such file')", or none where `message` is NULL; a
 * module before the type's last dot is left out. A new string, freed by the caller. */
char *repr_exception(const char *type, const char *message, struct error *error);

#endif
