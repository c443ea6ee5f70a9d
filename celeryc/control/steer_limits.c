/* Commands that change how often and how long tasks of a type may run. */
#include "celeryc/control/command.h"
#include "celeryc/message/number.h"
#include "celeryc/message/repr.h"
#include "celeryc/worker/rate.h"
#include "common/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_SIZE 64
#define SECONDS_MOST 1e9

/* ---- rate_limit ---- */

/* The rate as text, as Python's rate() takes it: text, a number a second, or nothing at all. */
static bool rate_text(const json_t *value, char text[RATE_SIZE])
{
    double number = json_number_value(value);
    text[0] = '\0';
    if (json_is_string(value))
        return snprintf(text, RATE_SIZE, "%s", json_string_value(value)) < RATE_SIZE;
    if (json_is_integer(value) && number > 0)
        return snprintf(text, RATE_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < RATE_SIZE;
    if (json_is_real(value) && number > 0)
        text[number_float_text(number, text)] = '\0';
    return number >= 0;
}

/* What rate() raises: float() of what is before the slash, or an unknown unit behind it. */
static json_t *refuse_rate(struct control_call *call, const char *text)
{
    char quantity[RATE_SIZE], sentence[RATE_SIZE + 64];
    const char *slash = strchr(text, '/');
    snprintf(quantity, sizeof quantity, "%.*s", slash != NULL ? (int)(slash - text) : (int)strlen(text),
             text);
    char *end;
    (void)strtod(quantity, &end);
    if (end != quantity && *end == '\0' && slash != NULL)
        return control_raise(call, "KeyError", "%s", slash + 1);
    snprintf(sentence, sizeof sentence, "could not convert string to float: '%s'", quantity);
    char *exception = repr_exception("ValueError", sentence, NULL);
    json_t *reply =
        control_error("Invalid rate limit string: %s", exception != NULL ? exception : "ValueError()");
    free(exception);
    return reply;
}

static json_t *rate_limit(struct control_call *call)
{
    const struct control_worker *worker = call->worker;
    const char *task = control_text(call, "task_name");
    char text[RATE_SIZE];
    double per_second;
    if (!rate_text(json_object_get(call->arguments, "rate_limit"), text) || !rate_parse(text, &per_second))
        return refuse_rate(call, text);
    if (task == NULL || !worker->set_rate_limit(worker->context, task, per_second > 0 ? text : NULL)) {
        log_error("Rate limit attempt for unknown task %.200s", task != NULL ? task : "without a name");
        return control_error("unknown task");
    }
    if (text[0] == '\0') { /* "0" too is no limit, but is said to be set */
        log_info("Rate limits disabled for tasks of type %s", task);
        return control_ok("rate limit disabled successfully");
    }
    log_info("New rate limit for tasks of type %s: %s.", task, text);
    return control_ok("new rate limit set successfully");
}

/* ---- time_limit ---- */

/* Seconds, from a number or (an older command line) its text; nothing: 0. False: neither. */
static bool read_seconds(const struct control_call *call, const char *name, double *seconds)
{
    const json_t *value = json_object_get(call->arguments, name);
    char *end = "";
    *seconds = json_is_string(value) ? strtod(json_string_value(value), &end) : json_number_value(value);
    if (value != NULL && !json_is_null(value) && !json_is_number(value) && !json_is_string(value))
        return false;
    return *end == '\0' && isfinite(*seconds) && *seconds >= 0 && *seconds <= SECONDS_MOST;
}

static void limit_text(double seconds, char text[NUMBER_TEXT_SIZE])
{
    if (seconds == 0)
        snprintf(text, NUMBER_TEXT_SIZE, "None");
    else
        text[number_float_text(seconds, text)] = '\0';
}

static json_t *time_limit(struct control_call *call)
{
    const struct control_worker *worker = call->worker;
    const char *task = control_text(call, "task_name");
    double soft, hard;
    char soft_text[NUMBER_TEXT_SIZE + 1], hard_text[NUMBER_TEXT_SIZE + 1];
    if (!read_seconds(call, "soft", &soft) || !read_seconds(call, "hard", &hard))
        return control_raise(call, "ValueError", "limits are seconds from 0 to %g", SECONDS_MOST);
    if (task == NULL || !worker->set_time_limits(worker->context, task, soft, hard)) {
        log_error("Change time limit attempt for unknown task %.200s",
                  task != NULL ? task : "without a name");
        return control_error("unknown task");
    }
    limit_text(soft, soft_text);
    limit_text(hard, hard_text);
    log_info("New time limits for tasks of type %s: soft=%s hard=%s", task, soft_text, hard_text);
    return control_ok("time limits set successfully");
}

const struct control_command steer_limits_commands[] = {
    {.name = "rate_limit",
     .kind = CONTROL_STEER,
     .required = {"task_name", "rate_limit"},
     .any_keyword = true,
     .signature = "<task_name> <rate_limit (e.g., 5/s | 5/m | 5/h)>",
     .help = "Tell worker(s) to modify the rate limit for a task by type.",
     .run = rate_limit},
    {.name = "time_limit",
     .kind = CONTROL_STEER,
     .optional = {"task_name", "hard", "soft"},
     .any_keyword = true,
     .signature = "<task_name> <soft_secs> [hard_secs]",
     .help = "Tell worker(s) to modify the time limit for task by type.",
     .run = time_limit},
    {.name = NULL},
};
