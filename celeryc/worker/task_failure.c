/* How a running task says how it ends (celeryc/task.h), and what is told of its exception. */
#include "celeryc/worker/task_context.h"

#include "celeryc/message/repr.h"
#include "celeryc/message/utf8.h"
#include "celeryc/results/backend.h"
#include "common/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MOST 65536 /* bytes of an exception's message; a longer one is cut */

/* A copy that is UTF-8 whatever comes: messages quote keys and lines that may hold any bytes. Those that are
 * none are shown as \xNN; at most MESSAGE_MOST bytes are taken. */
static char *printable_copy(const char *text)
{
    struct bytes copy;
    unsigned character;
    bytes_init(&copy, 0);
    size_t size = strnlen(text, MESSAGE_MOST);
    for (size_t at = 0; at < size;) {
        size_t length = utf8_read(text + at, size - at, &character);
        bool whole = length == 0
                         ? bytes_append_format(&copy, NULL, "\\x%02x", (unsigned)(unsigned char)text[at])
                         : bytes_append(&copy, text + at, length, NULL);
        if (!whole)
            break;
        at += length == 0 ? 1 : length;
    }
    return bytes_take(&copy, NULL);
}

void task_set_failure(struct celery_task *task, const char *type, const char *message)
{
    char *new_type = printable_copy(type == NULL ? "Exception" : type);
    char *new_message = message == NULL ? NULL : printable_copy(message);
    if (new_type == NULL || (message != NULL && new_message == NULL))
        abort(); /* no memory even to say so: the child ends, and the parent reports the task as lost */
    free(task->exc_type);
    free(task->exc_message);
    json_decref(task->exc_args);
    task->exc_type = new_type;
    task->exc_message = new_message;
    task->exc_args = NULL;
    task->fate = FATE_FAILED;
}

json_t *celery_fail(struct celery_task *task, const char *type, const char *format, ...)
{
    if (task->fate != FATE_NONE)
        return NULL;
    char *text = NULL;
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
            text = NULL;
        va_end(arguments);
    }
    task_set_failure(task, type, text == NULL || text[0] == '\0' ? NULL : text);
    free(text);
    return NULL;
}

/* The arguments as Python shows them, "'a', 2". */
static bool append_arguments(struct bytes *text, const json_t *arguments, struct error *error)
{
    for (size_t i = 0; i < json_array_size(arguments); i++) {
        const json_t *value = json_array_get(arguments, i);
        bool whole = i == 0 || bytes_append_text(text, ", ", error);
        if (json_is_string(value))
            whole =
                whole && repr_append_string(text, json_string_value(value), json_string_length(value), error);
        else
            whole = whole && repr_append(text, value, false, 0, error);
        if (!whole)
            return false;
    }
    return true;
}

/* str(exception): nothing, its one argument, or a tuple of them. */
static bool append_message(struct bytes *text, const json_t *arguments)
{
    if (json_array_size(arguments) > 1)
        return bytes_append_text(text, "(", NULL) && append_arguments(text, arguments, NULL) &&
               bytes_append_text(text, ")", NULL);
    const json_t *only = json_array_get(arguments, 0);
    return json_is_string(only) ? bytes_append(text, json_string_value(only), json_string_length(only), NULL)
                                : append_arguments(text, arguments, NULL);
}

json_t *celery_fail_with(struct celery_task *task, const char *type, json_t *arguments)
{
    if (task->fate == FATE_NONE) {
        struct bytes text;
        bytes_init(&text, 0);
        bool whole = append_message(&text, arguments);
        task_set_failure(task, type, whole && json_array_size(arguments) > 0 ? bytes_text(&text) : NULL);
        task->exc_args = json_incref(arguments);
        bytes_clear(&text);
    }
    json_decref(arguments);
    return NULL;
}

json_t *celery_reject(struct celery_task *task, const char *reason, bool requeue)
{
    if (task->fate == FATE_NONE) {
        task->fate = FATE_REJECTED;
        task->requeue = requeue;
        task->exc_message = reason == NULL ? NULL : strdup(reason);
    }
    return NULL;
}

json_t *celery_ignore(struct celery_task *task)
{
    if (task->fate == FATE_NONE)
        task->fate = FATE_IGNORED;
    return NULL;
}

/* ---- what is told of it ---- */

json_t *task_failure_value(const struct celery_task *task)
{
    json_t *exception = task_exception(task->exc_type, task->exc_message);
    if (task->exc_args != NULL)
        json_object_set(exception, "exc_message", task->exc_args);
    return exception;
}

char *task_failure_repr(const struct celery_task *task, struct error *error)
{
    if (task->exc_args == NULL)
        return repr_exception(task->exc_type, task->exc_message, error);
    struct bytes text;
    const char *dot = strrchr(task->exc_type, '.');
    bytes_init(&text, 0);
    bool whole = bytes_append_format(&text, error, "%s(", dot == NULL ? task->exc_type : dot + 1) &&
                 append_arguments(&text, task->exc_args, error) && bytes_append_text(&text, ")", error);
    char *made = whole ? bytes_take(&text, NULL) : NULL;
    bytes_clear(&text);
    return made;
}

char *task_traceback(const struct celery_task *task)
{
    const char *dot = strrchr(task->exc_type, '.');
    bool builtin = dot == NULL || strncmp(task->exc_type, "builtins.", 9) == 0;
    const char *type = builtin && dot != NULL ? dot + 1 : task->exc_type;
    char *text = NULL;
    int length =
        asprintf(&text, "Traceback (most recent call last):\n  File \"%s\", in %s\n%s%s%s\n",
                 program_invocation_name, task->type->name, type, task->exc_message == NULL ? "" : ": ",
                 task->exc_message == NULL ? "" : task->exc_message);
    return length < 0 ? NULL : text;
}
