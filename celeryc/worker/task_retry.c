/* Retries: whether there is another, and when. Source: celery/app/task.py retry, celery/app/autoretry.py. */
#include "celeryc/worker/task_context.h"

#include "celeryc/message/repr.h"
#include "common/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DEFAULT_MAX_RETRIES 3
#define DEFAULT_RETRY_DELAY 180.0
#define DEFAULT_BACKOFF_MAX 600.0

static int retries_allowed(const struct celery_task *task, int asked)
{
    int most = asked != 0 ? asked : task->type->max_retries;
    return most == 0 ? DEFAULT_MAX_RETRIES : most == CELERY_NEVER ? 0 : most;
}

static bool are_used_up(const struct celery_task *task, int asked)
{
    int most = retries_allowed(task, asked);
    return most >= 0 && task->message->retries >= most;
}

static double delay_of(const struct celery_task *task, double countdown)
{
    if (countdown < 0)
        return 0;
    if (countdown > 0)
        return countdown;
    return task->type->default_retry_delay > 0 ? task->type->default_retry_delay : DEFAULT_RETRY_DELAY;
}

/* A whole number from 0 to `most`, each as likely. */
static double random_up_to(double most)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
        return most;
    return floor((double)(value >> 11) * 0x1.0p-53 * (most + 1));
}

double task_backoff(double factor, int retries, double most, bool jitter)
{
    double delay = floor(fmax(1, factor)) * exp2(retries < 0 ? 0 : retries);
    delay = fmin(floor(most), delay);
    if (jitter)
        delay = random_up_to(delay);
    return fmax(0, delay);
}

static void fail_for_good(struct celery_task *task, json_t *args, json_t *kwargs)
{
    struct bytes text;
    bytes_init(&text, 0);
    bool ok =
        bytes_append_format(&text, NULL, "Can't retry %s[%s] args:", task->type->name, task->message->id) &&
        repr_append(&text, args, true, REPR_LENGTH_MOST, NULL) &&
        bytes_append_text(&text, " kwargs:", NULL) &&
        repr_append(&text, kwargs, false, REPR_LENGTH_MOST, NULL);
    task_set_failure(task, "celery.exceptions.MaxRetriesExceededError",
                     ok ? bytes_text(&text) : "Can't retry: its retries are used up");
    bytes_clear(&text);
}

static const char *parameter_at(const struct celery_task *task, size_t index)
{
    const char *const *names = task->type->parameters;
    for (size_t i = 0; names != NULL && names[i] != NULL && names[i][0] != '*'; i++) {
        if (i == index)
            return names[i];
    }
    return NULL;
}

/* Positional arguments are new: of the keywords that came those go that name the same parameters. */
static void keep_other_kwargs(struct celery_task *task)
{
    if (json_object_size(task->body.kwargs) == 0 || parameter_at(task, 0) == NULL)
        return;
    task->retry_kwargs = json_copy(task->body.kwargs);
    for (size_t i = 0; i < json_array_size(task->retry_args) && parameter_at(task, i) != NULL; i++)
        (void)json_object_del(task->retry_kwargs, parameter_at(task, i));
}

/* Keywords are new: those that name what came by place take that place. */
static void keep_other_args(struct celery_task *task)
{
    if (json_array_size(task->body.args) == 0 || parameter_at(task, 0) == NULL)
        return;
    json_t *args = json_copy(task->body.args), *kwargs = json_copy(task->retry_kwargs);
    for (size_t i = 0; i < json_array_size(args) && parameter_at(task, i) != NULL; i++) {
        json_t *value = json_object_get(kwargs, parameter_at(task, i));
        if (value == NULL)
            continue;
        json_array_set(args, i, value);
        (void)json_object_del(kwargs, parameter_at(task, i));
    }
    json_decref(task->retry_kwargs);
    task->retry_args = args;
    task->retry_kwargs = kwargs;
}

json_t *celery_retry(struct celery_task *task, const struct celery_retry *retry)
{
    static const struct celery_retry defaults = {0};
    if (task->fate != FATE_NONE)
        return NULL;
    if (retry == NULL)
        retry = &defaults;
    if (are_used_up(task, retry->max_retries)) {
        if (retry->type != NULL)
            task_set_failure(task, retry->type, retry->message);
        else
            fail_for_good(task, retry->args != NULL ? retry->args : task->body.args,
                          retry->kwargs != NULL ? retry->kwargs : task->body.kwargs);
        return NULL;
    }
    if (retry->type != NULL)
        task_set_failure(task, retry->type, retry->message);
    task->fate = FATE_RETRY;
    task->retry_countdown = delay_of(task, retry->countdown);
    task->retry_expires = retry->expires > 0 ? clock_wall() + retry->expires : 0;
    task->retry_args = json_incref(retry->args);
    task->retry_kwargs = json_incref(retry->kwargs);
    if (retry->args != NULL && retry->kwargs == NULL)
        keep_other_kwargs(task);
    if (retry->kwargs != NULL && retry->args == NULL)
        keep_other_args(task);
    return NULL;
}

/* "Exception" stands for all; a name without a module is a builtin. */
static bool retries_for(const struct celery_task *task)
{
    const char *type = task->exc_type;
    if (strncmp(type, "builtins.", 9) == 0)
        type += 9;
    for (const char *const *name = task->type->autoretry_for; *name != NULL; name++) {
        if (strcmp(*name, type) == 0 || strcmp(*name, "Exception") == 0)
            return true;
    }
    return false;
}

void task_autoretry(struct celery_task *task)
{
    const struct celery_task_type *type = task->type;
    if (task->fate != FATE_FAILED || type->autoretry_for == NULL || !retries_for(task) ||
        are_used_up(task, 0))
        return;
    task->fate = FATE_RETRY;
    if (type->retry_backoff > 0)
        task->retry_countdown =
            task_backoff(type->retry_backoff, task->message->retries,
                         type->retry_backoff_max > 0 ? type->retry_backoff_max : DEFAULT_BACKOFF_MAX,
                         !type->no_retry_jitter);
    else
        task->retry_countdown = delay_of(task, 0);
}
