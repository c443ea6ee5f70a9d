/* What a running task may ask of its context, and do while it runs (celeryc/task.h). */
#include "celeryc/worker/task_context.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    json_decref(task->exc_args);
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
    return celery_soft_time_limit_passed(task);
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
