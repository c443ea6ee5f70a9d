/* The table of all commands: found by name, called with a request's arguments. */
#ifndef CELERYC_CONTROL_COMMANDS_H
#define CELERYC_CONTROL_COMMANDS_H

#include "celeryc/control/command.h"

/* By name or alias; NULL: there is none. */
const struct control_command *control_find(const char *name);

/* Every command in turn, for help and documentation; NULL behind the last. */
const struct control_command *control_at(size_t index);

/* Runs `method` with `arguments` (an object or NULL; borrowed): the reply as Celery gives it, a new
 * reference, also for what is unknown ({"error": "KeyError('x')"}) or does not fit. NULL: nothing is replied.
 */
json_t *control_run(const struct control_worker *worker, const char *method, json_t *arguments);

#endif
