/* A worker with the tasks that the tests use, on the public API alone. Their Python twins are in pytasks.py.
 */
#include <celeryc/worker.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pause_for(double seconds)
{
    struct timespec wait = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
}

/* ---- values ---- */

static json_t *noop(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)task;
    (void)args;
    (void)kwargs;
    return json_null();
}

static json_t *add(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y;
    if (!celery_args(task, args, kwargs, "x:o y:o", &x, &y))
        return NULL;
    if (json_is_integer(x) && json_is_integer(y))
        return json_integer(json_integer_value(x) + json_integer_value(y));
    if (json_is_number(x) && json_is_number(y))
        return json_real(json_number_value(x) + json_number_value(y));
    if (json_is_string(x) && json_is_string(y))
        return json_sprintf("%s%s", json_string_value(x), json_string_value(y));
    return celery_fail(task, "TypeError", "unsupported operand type(s) for +");
}

static json_t *mul(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t x, y;
    if (!celery_args(task, args, kwargs, "x:I y:I", &x, &y))
        return NULL;
    return json_integer(x * y);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

/* What arrived, as the worker sees it. */
static json_t *echo(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest, *more;
    if (!celery_args(task, args, kwargs, "*args:A **kwargs:K", &rest, &more))
        return NULL;
    return json_pack("{s:O, s:O, s:s, s:s, s:i, s:o, s:o, s:o, s:s, s:O, s:O, s:i}", "args", rest, "kwargs",
                     more, "id", celery_task_id(task), "name", celery_task_name(task), "retries",
                     celery_task_retries(task), "root_id", text_or_null(celery_task_root_id(task)),
                     "parent_id", text_or_null(celery_task_parent_id(task)), "group",
                     text_or_null(celery_task_group(task)), "hostname", celery_task_hostname(task), "headers",
                     celery_task_headers(task), "delivery_info", celery_task_delivery_info(task), "lost_runs",
                     celery_task_lost_runs(task));
}

static json_t *default_arguments(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t a, b;
    const char *c;
    if (!celery_args(task, args, kwargs, "a:I b:I=2 c:s=\"three\"", &a, &b, &c))
        return NULL;
    return json_pack("[I, I, s]", a, b, c);
}

static json_t *big(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t size;
    if (!celery_args(task, args, kwargs, "size:I", &size))
        return NULL;
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (text == NULL)
        return celery_fail(task, "MemoryError", "%lld bytes", (long long)size);
    memset(text, 'x', (size_t)size);
    json_t *value = json_stringn(text, (size_t)size);
    free(text);
    return value;
}

static json_t *process(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)task;
    (void)args;
    (void)kwargs;
    return json_integer(getpid());
}

/* ---- time ---- */

static json_t *sleep_for(struct celery_task *task, json_t *args, json_t *kwargs)
{
    double seconds;
    if (!celery_args(task, args, kwargs, "seconds:d", &seconds))
        return NULL;
    pause_for(seconds);
    return json_incref(json_array_size(args) > 0 ? json_array_get(args, 0)
                                                 : json_object_get(kwargs, "seconds"));
}

/* Works until it is told to stop. */
static json_t *until_told(struct celery_task *task, json_t *args, json_t *kwargs)
{
    double most;
    if (!celery_args(task, args, kwargs, "most:d=600", &most))
        return NULL;
    for (double waited = 0; waited < most; waited += 0.01) {
        if (celery_soft_time_limit_passed(task))
            return json_string("soft time limit");
        if (celery_should_stop(task))
            return json_string("shutting down");
        pause_for(0.01);
    }
    return json_null();
}

/* Stops at its soft time limit and leaves the exception to the worker. */
static json_t *soft(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    while (!celery_should_stop(task))
        pause_for(0.01);
    return NULL;
}

static json_t *progress(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t steps;
    double pause;
    if (!celery_args(task, args, kwargs, "steps:I=3 pause:d=0.1", &steps, &pause))
        return NULL;
    for (json_int_t step = 1; step <= steps; step++) {
        celery_update_state(task, "PROGRESS", json_pack("{s:I, s:I}", "step", step, "of", steps));
        pause_for(pause);
    }
    return json_integer(steps);
}

/* ---- ends ---- */

static json_t *fail(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *message;
    if (!celery_args(task, args, kwargs, "message:s=\"deliberate\"", &message))
        return NULL;
    return celery_fail(task, "ValueError", "%s", message);
}

static json_t *raise_type(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *type, *message;
    if (!celery_args(task, args, kwargs, "type:s message:s=\"\"", &type, &message))
        return NULL;
    return celery_fail(task, type, "%s", message);
}

static json_t *retry(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t times;
    double countdown;
    if (!celery_args(task, args, kwargs, "times:I=1 countdown:d=0.2", &times, &countdown))
        return NULL;
    if (celery_task_retries(task) < times)
        return celery_retry(task, &(struct celery_retry){.countdown = countdown == 0 ? -1 : countdown,
                                                         .max_retries = CELERY_UNLIMITED,
                                                         .type = "OSError",
                                                         .message = "not yet"});
    return json_sprintf("retry %d", celery_task_retries(task));
}

static json_t *give_up(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    return celery_retry(task, &(struct celery_retry){.countdown = 0.1});
}

static json_t *retry_with(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t n;
    if (!celery_args(task, args, kwargs, "n:I", &n))
        return NULL;
    if (n <= 0)
        return json_integer(celery_task_retries(task));
    json_t *less = json_pack("[I]", n - 1);
    celery_retry(task,
                 &(struct celery_retry){.countdown = -1, .max_retries = CELERY_UNLIMITED, .args = less});
    json_decref(less);
    return NULL;
}

static json_t *autoretry(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t times;
    if (!celery_args(task, args, kwargs, "times:I=1", &times))
        return NULL;
    if (celery_task_retries(task) < times)
        return celery_fail(task, "ConnectionError", "try %d", celery_task_retries(task));
    return json_integer(celery_task_retries(task));
}

static json_t *reject(struct celery_task *task, json_t *args, json_t *kwargs)
{
    bool requeue;
    const char *reason;
    if (!celery_args(task, args, kwargs, "requeue:b=false reason:s=null", &requeue, &reason))
        return NULL;
    return celery_reject(task, reason, requeue);
}

/* Back to the queue with the reason, and when it comes again: the reason. */
static json_t *reject_first(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *reason;
    if (!celery_args(task, args, kwargs, "reason:s", &reason))
        return NULL;
    if (json_is_true(json_object_get(celery_task_delivery_info(task), "redelivered")))
        return json_string(reason);
    return celery_reject(task, reason, true);
}

static json_t *ignore(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    return celery_ignore(task);
}

/* ---- crashes ---- */

static void crash_now(const char *how)
{
    if (strcmp(how, "segv") == 0)
        signal(SIGSEGV, SIG_DFL), raise(SIGSEGV);
    else if (strcmp(how, "abort") == 0)
        signal(SIGABRT, SIG_DFL), raise(SIGABRT);
    else if (strcmp(how, "exit") == 0)
        _exit(3);
    kill(getpid(), SIGKILL);
}

static json_t *crash(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *how;
    if (!celery_args(task, args, kwargs, "how:s=\"kill\"", &how))
        return NULL;
    crash_now(how);
    return NULL;
}

/* One line more in a file, by one write: so that a test can count what ran. */
static bool note(struct celery_task *task, const char *path, const char *line)
{
    char text[1024];
    int size = snprintf(text, sizeof text, "%s\n", line),
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    bool written = file >= 0 && write(file, text, (size_t)size) == size;
    if (file >= 0)
        close(file);
    if (!written)
        celery_fail(task, "OSError", "%s: %s", path, strerror(errno));
    return written;
}

static json_t *append(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *path, *line;
    double seconds;
    if (!celery_args(task, args, kwargs, "path:s line:s seconds:d=0", &path, &line, &seconds))
        return NULL;
    if (!note(task, path, line))
        return NULL;
    pause_for(seconds);
    return json_string(line);
}

/* A run that is noted, and ends when a file is there. */
static json_t *hold(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *path, *line, *until;
    if (!celery_args(task, args, kwargs, "path:s line:s until:s", &path, &line, &until))
        return NULL;
    if (!note(task, path, line))
        return NULL;
    while (access(until, F_OK) != 0)
        pause_for(0.01);
    return json_string(line);
}

/* Crashes in its first `times` runs, which it counts in a file. */
static json_t *crash_first(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *path, *how;
    json_int_t times, runs = 0;
    if (!celery_args(task, args, kwargs, "path:s times:I=1 how:s=\"kill\"", &path, &times, &how))
        return NULL;
    if (!note(task, path, celery_task_id(task)))
        return NULL;
    FILE *file = fopen(path, "re");
    for (int byte = 0; file != NULL && byte != EOF; byte = fgetc(file))
        runs += byte == '\n';
    if (file != NULL)
        fclose(file);
    if (runs <= times)
        crash_now(how);
    return json_integer(runs);
}

/* Leaves a process behind that would go on for ten minutes, and goes on itself. */
static json_t *spawn(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *path;
    double seconds;
    char line[64];
    if (!celery_args(task, args, kwargs, "path:s seconds:d=600", &path, &seconds))
        return NULL;
    pid_t child = fork();
    if (child == 0) {
        pause_for(600);
        _exit(0);
    }
    (void)snprintf(line, sizeof line, "%d %d", (int)getpid(), (int)child);
    if (!note(task, path, line))
        return NULL;
    pause_for(seconds);
    return json_integer(child);
}

static json_t *grow(struct celery_task *task, json_t *args, json_t *kwargs)
{
    static char *kept; /* what a leaky library would hold on to */
    json_int_t mebibytes;
    if (!celery_args(task, args, kwargs, "mebibytes:I", &mebibytes))
        return NULL;
    free(kept);
    kept = malloc((size_t)mebibytes << 20);
    if (kept == NULL)
        return celery_fail(task, "MemoryError", "no %lld MiB", (long long)mebibytes);
    memset(kept, 1, (size_t)mebibytes << 20);
    return json_integer(getpid());
}

/* ---- the table ---- */

static const char *const x_y[] = {"x", "y", NULL};
static const char *const connection_errors[] = {"ConnectionError", NULL};

static const struct celery_task_type tasks[] = {
    {.name = "demo.noop", .run = noop},
    {.name = "demo.add", .run = add, .parameters = x_y},
    {.name = "demo.mul", .run = mul, .parameters = x_y},
    {.name = "demo.echo", .run = echo},
    {.name = "demo.defaults", .run = default_arguments},
    {.name = "demo.big", .run = big},
    {.name = "demo.pid", .run = process},
    {.name = "demo.sleep", .run = sleep_for},
    {.name = "demo.sleep_late", .run = sleep_for, .acks_late = true},
    {.name = "demo.sleep_tracked", .run = sleep_for, .track_started = true},
    {.name = "demo.sleep_short_limit", .run = sleep_for, .time_limit = 1},
    {.name = "demo.sleep_late_rejected",
     .run = sleep_for,
     .acks_late = true,
     .no_ack_on_timeout = true,
     .time_limit = 1},
    {.name = "demo.until_told", .run = until_told},
    {.name = "demo.until_told_late", .run = until_told, .acks_late = true},
    {.name = "demo.soft", .run = soft, .soft_time_limit = 0.5},
    {.name = "demo.progress", .run = progress},
    {.name = "demo.fail", .run = fail},
    {.name = "demo.fail_late_rejected", .run = fail, .acks_late = true, .no_ack_on_failure = true},
    {.name = "demo.raise", .run = raise_type},
    {.name = "demo.retry", .run = retry},
    {.name = "demo.retry_late", .run = retry, .acks_late = true},
    {.name = "demo.retry_with", .run = retry_with},
    {.name = "demo.give_up", .run = give_up, .max_retries = 1},
    {.name = "demo.autoretry",
     .run = autoretry,
     .autoretry_for = connection_errors,
     .retry_backoff = 1,
     .max_retries = 2},
    {.name = "demo.reject", .run = reject},
    {.name = "demo.reject_late", .run = reject, .acks_late = true},
    {.name = "demo.reject_first", .run = reject_first, .acks_late = true},
    {.name = "demo.ignore", .run = ignore},
    {.name = "demo.ignored", .run = add, .ignore_result = true},
    {.name = "demo.fail_ignored", .run = fail, .ignore_result = true},
    {.name = "demo.fail_ignored_stored",
     .run = fail,
     .ignore_result = true,
     .store_errors_even_if_ignored = true},
    {.name = "demo.limited", .run = add, .rate_limit = "2/s"},
    {.name = "demo.crash", .run = crash},
    {.name = "demo.crash_late", .run = crash, .acks_late = true},
    {.name = "demo.crash_first", .run = crash_first, .acks_late = true, .reject_on_worker_lost = true},
    {.name = "demo.crash_bounded",
     .run = crash_first,
     .acks_late = true,
     .reject_on_worker_lost = true,
     .worker_lost_limit = 3},
    {.name = "demo.append", .run = append},
    {.name = "demo.append_late", .run = append, .acks_late = true},
    {.name = "demo.append_leased", .run = append, .acks_late = true, .lease = true},
    {.name = "demo.hold", .run = hold},
    {.name = "demo.hold_late", .run = hold, .acks_late = true},
    {.name = "demo.spawn", .run = spawn},
    {.name = "demo.grow", .run = grow},
    {0},
};

int main(int argc, char **argv)
{
    static const struct celery_worker_program program = {
        .app = "demo",
        .version = "1.0",
        .about = "A worker with the tasks that celeryc's tests use.",
        .tasks = tasks};
    return celery_worker_main(argc, argv, &program);
}
