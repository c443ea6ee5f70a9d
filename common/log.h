/* The log: one line, one event, on standard error (or a file), as key=value or as JSON. Never a secret.
 *
 *     2026-11-25T21:52:01.123Z INFO pid=812 task=5b9a... msg="received demo.add"
 *
 * The level and form are the only global state here. Lines are written by one write(2), so that processes that share
 * the file do not mix theirs. Thread- and fork-safe; not for signal handlers. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };

void log_set_level(enum log_level level);       /* default LOG_INFO */
enum log_level log_get_level(void);
void log_set_json(bool json);                   /* default false */
bool log_parse_level(const char *name, enum log_level *level); /* Celery's names, any case; FATAL = CRITICAL */
bool log_open(const char *path, struct error *error); /* appends to the file from now on, instead of standard error */

/* `task`: the id of the task that the line is about, or NULL. The message is cut at 4 KiB; quotes, control bytes and
 * invalid UTF-8 are escaped. */
void log_write(enum log_level level, const char *task, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(LOG_DEBUG, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, NULL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, NULL, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, NULL, __VA_ARGS__)

#endif
