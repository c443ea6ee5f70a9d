/* What a running task may ask of its context, and how it says how it ends (celeryc/task.h). */
#include "celeryc/worker/task_context.h"

#include "celeryc/message/utf8.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MOST 65536 /* bytes of an exception's message; a longer one is cut */

void task_context_init(struct celery_task *task, const struct celery_task_type *type,
                       const struct task_keeper *keeper)
{
    *task = (struct celery_task){.type = type, .keeper = keeper};
}

void task_context_clear(struct celery_task *task)
{
    task_message_free(task->message);
    task_body_clear(&task->body);
    json_decref(task->delivery_info);
    json_decref(task->defaults);
    json_decref(task->children);
    json_decref(task->retry_args);
    json_decref(task->retry_kwargs);
    free(task->exc_type);
    free(task->exc_message);
    *task = (struct celery_task){.type = NULL};
}

const char *task_function_name(const struct celery_task *task)
{
    const char *dot = strrchr(task->type->name, '.');
    return dot == NULL ? task->type->name : dot + 1;
}

/* ---- what it is ---- */

const char *celery_task_id(const struct celery_task *task)
{
    return task->message->id;
}

const char *celery_task_name(const struct celery_task *task)
{
    return task->type->name;
}

int celery_task_retries(const struct celery_task *task)
{
    return task->message->retries;
}

const char *celery_task_root_id(const struct celery_task *task)
{
    return task->message->root_id;
}

const char *celery_task_parent_id(const struct celery_task *task)
{
    return task->message->parent_id;
}

const char *celery_task_group(const struct celery_task *task)
{
    return task->message->group;
}

const char *celery_task_hostname(const struct celery_task *task)
{
    return task->keeper->hostname;
}

const char *celery_task_result_backend(const struct celery_task *task)
{
    return task->keeper->result_backend;
}

json_t *celery_task_headers(const struct celery_task *task)
{
    return task->order->wire.headers;
}

json_t *celery_task_delivery_info(const struct celery_task *task)
{
    return task->delivery_info;
}

int celery_task_lost_runs(const struct celery_task *task)
{
    return task->order->lost_runs;
}

/* ---- while it runs ---- */

bool celery_update_state(struct celery_task *task, const char *state, json_t *meta)
{
    bool stored = task->keeper->update(task->keeper->context, task, state, meta);
    json_decref(meta);
    return stored;
}

bool celery_soft_time_limit_passed(const struct celery_task *task)
{
    return task->soft_deadline > 0 && clock_monotonic() >= task->soft_deadline;
}

bool celery_should_stop(const struct celery_task *task)
{
    if (celery_soft_time_limit_passed(task))
        return true;
    return task->keeper->page != NULL && page_should_stop(task->keeper->page);
}

void celery_log(struct celery_task *task, int level, const char *format, ...)
{
    if (level < LOG_DEBUG || level > LOG_CRITICAL)
        level = LOG_ERROR;
    if ((enum log_level)level < log_get_level())
        return;
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_write((enum log_level)level, task->message->id, "%s", text);
}

/* ---- how it ends ---- */

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
    task->exc_type = new_type;
    task->exc_message = new_message;
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

json_t *celery_reject(struct celery_task *task, bool requeue)
{
    if (task->fate == FATE_NONE) {
        task->fate = FATE_REJECTED;
        task->requeue = requeue;
    }
    return NULL;
}

json_t *celery_ignore(struct celery_task *task)
{
    if (task->fate == FATE_NONE)
        task->fate = FATE_IGNORED;
    return NULL;
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
