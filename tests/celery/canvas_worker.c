/* A worker with the tasks of random canvases (tests/conformance/canvases.py), on the public API alone. Their
 * Python twins are in canvas_tasks.py. Each run is a line in the file that CANVAS_RUNS names. */
#include <celeryc/canvas.h>
#include <celeryc/worker.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_VALUES 60 /* in a result; results of results grow without bound */

/* How many values there are in it, itself among them. */
static size_t count_values(const json_t *value)
{
    size_t count = 1, index;
    json_t *member;
    json_array_foreach(value, index, member) count += count_values(member);
    return count;
}

static json_t *bounded(json_t *args)
{
    size_t count = count_values(args);
    return count <= MOST_VALUES ? json_incref(args) : json_pack("[s, I]", "many", (json_int_t)count);
}

/* What the request has under a name. */
static json_t *of_request(struct celery_task *task, const char *name)
{
    json_t *request = celery_task_request(task);
    json_t *value = json_incref(json_object_get(request, name));
    json_decref(request);
    return value != NULL ? value : json_null();
}

/* One line in the file of runs, by one write. `run` is taken. */
static bool write_run(struct celery_task *task, json_t *run)
{
    const char *path = getenv("CANVAS_RUNS");
    char *text = json_dumps(run, JSON_COMPACT);
    json_decref(run);
    int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    size_t size = text != NULL ? strlen(text) : 0;
    if (text != NULL)
        text[size] = '\n'; /* in place of its end: what is written has none */
    bool written = text != NULL && file >= 0 && write(file, text, size + 1) == (ssize_t)(size + 1);
    if (!written)
        celery_fail(task, "OSError", "CANVAS_RUNS: %s", strerror(errno));
    if (file >= 0)
        close(file);
    free(text);
    return written;
}

static bool note(struct celery_task *task, const char *label, json_t *args)
{
    return write_run(task, json_pack("{s:s, s:o, s:i, s:o, s:o, s:o}", "label", label, "args", bounded(args),
                                     "retries", celery_task_retries(task), "root_id",
                                     of_request(task, "root_id"), "parent_id", of_request(task, "parent_id"),
                                     "group", of_request(task, "group")));
}

/* ---- values ---- */

/* What came, with the task's label before it. */
static json_t *join(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    const char *label;
    if (!celery_args(task, args, kwargs, "*args:A label:s", &rest, &label) || !note(task, label, rest))
        return NULL;
    return json_pack("[s, o]", label, bounded(rest));
}

/* ---- ends ---- */

static json_t *fail(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    const char *label;
    if (!celery_args(task, args, kwargs, "*args:A label:s", &rest, &label) || !note(task, label, rest))
        return NULL;
    return celery_fail(task, "ValueError", "%s fails", label);
}

/* Is retried once, then returns; or, with `tires`, fails. */
static json_t *retry(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    const char *label;
    bool tires;
    if (!celery_args(task, args, kwargs, "*args:A label:s tires:b=false", &rest, &label, &tires) ||
        !note(task, label, rest))
        return NULL;
    if (celery_task_retries(task) >= 1 && !tires)
        return json_pack("[s, o]", label, bounded(rest));
    char message[128];
    (void)snprintf(message, sizeof message, "%s tires", label);
    return celery_retry(
        task,
        &(struct celery_retry){.countdown = -1, .max_retries = 1, .type = "ValueError", .message = message});
}

/* Does not end by itself: the worker's parent finds how it ended. */
static json_t *end(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    const char *label, *how;
    if (!celery_args(task, args, kwargs, "*args:A label:s how:s", &rest, &label, &how) ||
        !note(task, label, rest))
        return NULL;
    if (strcmp(how, "reject") == 0)
        return celery_reject(task, NULL, false);
    if (strcmp(how, "kill") == 0)
        kill(getpid(), SIGKILL);
    nanosleep(&(struct timespec){.tv_sec = 600}, NULL);
    return json_null();
}

/* ---- tasks that send others ---- */

/* Is replaced by the canvas that is its argument. */
static json_t *replace(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest, *by;
    const char *label;
    if (!celery_args(task, args, kwargs, "*args:A label:s by:o", &rest, &label, &by) ||
        !note(task, label, rest))
        return NULL;
    return celery_replace(task, celery_clone(by));
}

/* Sends the canvas that is its argument. */
static json_t *send_on(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest, *by;
    const char *label;
    if (!celery_args(task, args, kwargs, "*args:A label:s by:o", &rest, &label, &by) ||
        !note(task, label, rest))
        return NULL;
    json_t *result = celery_apply_async(task, celery_clone(by));
    json_decref(result);
    return result != NULL ? json_string(label) : NULL;
}

/* ---- errbacks ---- */

/* The old style: a task that gets the id of what failed. */
static json_t *errback(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *id;
    const char *label;
    if (!celery_args(task, args, kwargs, "request_id:o=null label:s=\"\"", &id, &label))
        return NULL;
    json_t *noted = json_pack("[O]", id);
    bool written = note(task, label, noted);
    json_decref(noted);
    return written ? json_pack("[s, O]", label, id) : NULL;
}

/* The new style: called where the task failed, with its request, the exception and the traceback. */
static json_t *errback_in_place(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *request, *exc, *tb;
    const char *label;
    if (!celery_args(task, args, kwargs, "request:o exc:o tb:o label:s", &request, &exc, &tb, &label))
        return NULL;
    json_t *id = json_object_get(request, "id"), *type = json_object_get(exc, "exc_type");
    json_t *run = json_pack("{s:s, s:[O?, O?], s:b}", "label", label, "args", id, type, "in_place", true);
    return write_run(task, run) ? json_null() : NULL;
}

/* One that takes its process with it. */
static json_t *deadly_errback(struct celery_task *task, json_t *args, json_t *kwargs)
{
    errback_in_place(task, args, kwargs);
    kill(getpid(), SIGKILL);
    return NULL;
}

/* ---- order ---- */

/* Holds the only child until a file is there, so that all that is sent meanwhile waits in its order. */
static json_t *hold(struct celery_task *task, json_t *args, json_t *kwargs)
{
    const char *path;
    if (!celery_args(task, args, kwargs, "path:s", &path))
        return NULL;
    while (access(path, F_OK) != 0 && !celery_should_stop(task))
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    return json_null();
}

static const struct celery_task_type tasks[] = {
    {.name = "canvas.join", .run = join, .parameters = (const char *const[]){"*args", NULL}},
    {.name = "canvas.fail", .run = fail, .parameters = (const char *const[]){"*args", NULL}},
    /* With a prefetch of 1 its retry is sent before others run. */
    {.name = "canvas.retry",
     .run = retry,
     .parameters = (const char *const[]){"*args", NULL},
     .acks_late = true},
    {.name = "canvas.replace", .run = replace, .parameters = (const char *const[]){"*args", NULL}},
    {.name = "canvas.send", .run = send_on, .parameters = (const char *const[]){"*args", NULL}},
    {.name = "canvas.errback", .run = errback, .parameters = (const char *const[]){"request_id", NULL}},
    {.name = "canvas.errback_in_place",
     .run = errback_in_place,
     .parameters = (const char *const[]){"request", "exc", "tb", NULL}},
    {.name = "canvas.deadly_errback",
     .run = deadly_errback,
     .parameters = (const char *const[]){"request", "exc", "tb", NULL}},
    {.name = "canvas.end", .run = end},
    {.name = "canvas.end_late", .run = end, .acks_late = true},
    {.name = "canvas.hold", .run = hold},
    {0},
};

int main(int argc, char **argv)
{
    static const struct celery_worker_program program = {.app = "canvas",
                                                         .version = "1.0",
                                                         .about =
                                                             "A worker with the tasks of random canvases.",
                                                         .tasks = tasks};
    return celery_worker_main(argc, argv, &program);
}
