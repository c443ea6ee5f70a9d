/* results-tool URL: what celeryc/results does, a line of JSON a request on standard input, a line an answer;
 * for the tests in tests/celery/test_results*.py.
 *
 *     {"do": "store", "id": "a", "status": "SUCCESS", "result": 3}     {"ok": true, "kept": false}
 *     {"do": "async", "id": "a", "status": "SUCCESS", "result": 3}     later: {"stored": "a", "kept": false}
 *     {"do": "lease", "id": "a", "holder": "w1"}                       later: {"lease": "a", "state": "held"}
 */
#include "celeryc/include/celeryc/store.h"
#include "celeryc/results/backend.h"
#include "celeryc/results/lease.h"
#include "common/clock.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASES 64

struct tool {
    struct backend *backend;
    struct backend_async *async;
    struct celery_store *store;
    struct {
        char *id;
        struct lease *lease;
    } leases[LEASES];
    bool quit;
};

static void say(json_t *answer) /* taken */
{
    json_dumpf(answer, stdout, 0);
    putchar('\n');
    fflush(stdout);
    json_decref(answer);
}

static void say_outcome(bool done, const struct error *error)
{
    if (done)
        say(json_pack("{s:b}", "ok", 1));
    else
        say(json_pack("{s:b, s:s, s:s}", "ok", 0, "code", error_code_name(error->code), "message",
                      error->message));
}

static const char *text_of(const json_t *request, const char *name)
{
    return json_string_value(json_object_get(request, name));
}

static double number_of(const json_t *request, const char *name)
{
    return json_number_value(json_object_get(request, name));
}

static void meta_of(json_t *request, struct task_meta *meta)
{
    *meta = (struct task_meta){.task_id = text_of(request, "id"),
                               .status = text_of(request, "status"),
                               .result = json_object_get(request, "result"),
                               .traceback = text_of(request, "traceback"),
                               .children = json_object_get(request, "children"),
                               .group_id = text_of(request, "group_id"),
                               .parent_id = text_of(request, "parent_id"),
                               .date_done = number_of(request, "date_done"),
                               .extended = json_object_get(request, "name") != NULL,
                               .name = text_of(request, "name"),
                               .worker = text_of(request, "worker"),
                               .queue = text_of(request, "queue"),
                               .args = json_object_get(request, "args"),
                               .kwargs = json_object_get(request, "kwargs"),
                               .retries = (int)number_of(request, "retries")};
}

/* On clock_monotonic(), from seconds in the request; 0 stays 0. */
static double deadline_of(const json_t *request)
{
    double seconds = number_of(request, "deadline");
    return seconds > 0 ? clock_monotonic() + seconds : 0;
}

/* ---- what may wait ---- */

static void do_store(struct tool *tool, json_t *request)
{
    struct task_meta meta;
    struct error error;
    bool kept = false;
    meta_of(request, &meta);
    if (backend_store(tool->backend, &meta, &kept, deadline_of(request), &error))
        say(json_pack("{s:b, s:b}", "ok", 1, "kept", kept));
    else
        say_outcome(false, &error);
}

static void do_queue(struct tool *tool, json_t *request)
{
    struct task_meta meta;
    struct error error;
    meta_of(request, &meta);
    say_outcome(backend_queue(tool->backend, &meta, &error), &error);
}

static void do_flush(struct tool *tool, json_t *request)
{
    struct error error;
    size_t count = backend_queued(tool->backend);
    if (backend_flush(tool->backend, deadline_of(request), &error)) {
        say_outcome(true, &error);
        return;
    }
    json_t *refused = json_array();
    for (size_t place = 0; place < count; place++)
        if (backend_was_refused(tool->backend, place))
            json_array_append_new(refused, json_integer((json_int_t)place));
    say(json_pack("{s:b, s:s, s:o}", "ok", 0, "message", error.message, "refused", refused));
}

static void do_get(struct tool *tool, json_t *request)
{
    json_t *meta = NULL;
    struct error error;
    if (backend_get(tool->backend, text_of(request, "id"), &meta, deadline_of(request), &error))
        say(json_pack("{s:b, s:o?}", "ok", 1, "meta", meta));
    else
        say_outcome(false, &error);
}

/* {"do": "key", "call": "get" | "set" | "add" | "delete" | "ping", "key": ..., "value": ..., "expires": ...,
 * "timeout":} */
static void do_key(struct tool *tool, json_t *request)
{
    const char *call = text_of(request, "call"), *key = text_of(request, "key"),
               *value = text_of(request, "value");
    double expires = number_of(request, "expires"), timeout = number_of(request, "timeout");
    struct error error;
    struct celery_value found = {.data = NULL};
    bool done, stored = false;
    size_t size = value != NULL ? strlen(value) : 0;
    if (strcmp(call, "get") == 0)
        done = celery_store_get(tool->store, &key, &found, 1, timeout, &error);
    else if (strcmp(call, "set") == 0)
        done = celery_store_set(tool->store, key, value, size, expires, timeout, &error);
    else if (strcmp(call, "add") == 0)
        done = celery_store_set_if_absent(tool->store, key, value, size, expires, &stored, timeout, &error);
    else if (strcmp(call, "delete") == 0)
        done = celery_store_delete(tool->store, key, timeout, &error);
    else
        done = celery_store_ping(tool->store, timeout, &error);
    if (done)
        say(json_pack("{s:b, s:s?, s:b}", "ok", 1, "value", found.data, "stored", stored));
    else
        say_outcome(false, &error);
    free(found.data);
}

/* {"do": "race", "threads": N, "rounds": N}: in each round all threads want one key, and read what stands
 * there. */
struct race {
    struct tool *tool;
    size_t rounds;
    atomic_size_t won, read;
};

static void *run_race(void *argument)
{
    struct race *race = argument;
    for (size_t round = 0; round < race->rounds; round++) {
        char key[32];
        bool stored = false;
        const char *keys[] = {key};
        struct celery_value value = {.data = NULL};
        snprintf(key, sizeof key, "race-%zu", round);
        if (celery_store_set_if_absent(race->tool->store, key, key, strlen(key), 0, &stored, 100, NULL) &&
            stored)
            atomic_fetch_add(&race->won, 1);
        if (celery_store_get(race->tool->store, keys, &value, 1, 100, NULL) && value.data != NULL &&
            strcmp(value.data, key) == 0)
            atomic_fetch_add(&race->read, 1);
        free(value.data);
    }
    return NULL;
}

static void do_race(struct tool *tool, json_t *request)
{
    pthread_t threads[64];
    struct race race = {.tool = tool, .rounds = (size_t)number_of(request, "rounds")};
    size_t count = (size_t)number_of(request, "threads");
    for (size_t i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, run_race, &race);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    say(json_pack("{s:b, s:I, s:I}", "ok", 1, "won", (json_int_t)atomic_load(&race.won), "read",
                  (json_int_t)atomic_load(&race.read)));
}

/* ---- what may not ---- */

static void stored(void *context, bool kept, const struct error *error)
{
    char *id = context;
    if (error == NULL)
        say(json_pack("{s:s, s:b}", "stored", id, "kept", kept));
    else
        say(json_pack("{s:s, s:s, s:s}", "failed", id, "code", error_code_name(error->code), "message",
                      error->message));
    free(id);
}

static void do_async(struct tool *tool, json_t *request)
{
    struct task_meta meta;
    struct error error;
    meta_of(request, &meta);
    char *id = strdup(meta.task_id);
    bool taken = backend_async_store(tool->async, &meta, deadline_of(request), stored, id, &error);
    if (taken)
        return;
    say(json_pack("{s:s, s:s, s:s}", "failed", id, "code", error_code_name(error.code), "message",
                  error.message));
    free(id);
}

static void lease_says(void *context, enum lease_state state)
{
    static const char *const names[] = {[LEASE_HELD] = "held", [LEASE_BUSY] = "busy", [LEASE_LOST] = "lost"};
    say(json_pack("{s:s, s:s}", "lease", (const char *)context, "state", names[state]));
}

static void do_lease(struct tool *tool, json_t *request)
{
    for (size_t i = 0; i < LEASES; i++) {
        struct error error;
        if (tool->leases[i].lease != NULL)
            continue;
        tool->leases[i].id = strdup(text_of(request, "id"));
        tool->leases[i].lease =
            lease_new(tool->async, tool->leases[i].id, text_of(request, "holder"),
                      number_of(request, "seconds"), lease_says, tool->leases[i].id, &error);
        return;
    }
}

static void do_release(struct tool *tool, json_t *request)
{
    for (size_t i = 0; i < LEASES; i++) {
        if (tool->leases[i].lease == NULL || strcmp(tool->leases[i].id, text_of(request, "id")) != 0)
            continue;
        lease_release(tool->leases[i].lease);
        free(tool->leases[i].id);
        tool->leases[i].lease = NULL;
        say(json_pack("{s:b}", "ok", 1));
        return;
    }
}

static void do_held(struct tool *tool, json_t *request)
{
    (void)request;
    say(json_pack("{s:I}", "held", (json_int_t)backend_async_held(tool->async)));
}

static void do_quit(struct tool *tool, json_t *request)
{
    tool->quit = true;
    backend_async_free(tool->async, number_of(request, "timeout"));
    for (size_t i = 0; i < LEASES; i++) {
        if (tool->leases[i].lease == NULL)
            continue;
        lease_release(tool->leases[i].lease);
        free(tool->leases[i].id);
    }
}

static const struct {
    const char *name;
    void (*run)(struct tool *tool, json_t *request);
} requests[] = {
    {"store", do_store}, {"queue", do_queue}, {"flush", do_flush}, {"get", do_get},
    {"key", do_key},     {"async", do_async}, {"lease", do_lease}, {"release", do_release},
    {"held", do_held},   {"quit", do_quit},   {"race", do_race},
};

static void run_line(struct tool *tool, const char *line)
{
    json_t *request = json_loads(line, 0, NULL);
    const char *name = text_of(request, "do");
    for (size_t i = 0; name != NULL && i < sizeof requests / sizeof requests[0]; i++) {
        if (strcmp(requests[i].name, name) == 0)
            requests[i].run(tool, request);
    }
    json_decref(request);
}

/* Lines from standard input and turns of the asynchronous backend, as an event loop would have them. */
static void run_loop(struct tool *tool)
{
    char *line = NULL;
    size_t room = 0;
    setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() sees what is left */
    while (!tool->quit) {
        struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                {.fd = backend_async_fd(tool->async), .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents != 0)
            backend_async_turn(tool->async);
        if (fds[0].revents == 0)
            continue;
        if (getline(&line, &room, stdin) < 0) {
            do_quit(tool, NULL);
            break;
        }
        run_line(tool, line);
    }
    free(line);
}

int main(int argc, char **argv)
{
    struct error error = {.code = ERROR_NONE};
    struct tool tool = {.quit = false};
    const char *timeout = getenv("RESULTS_TIMEOUT"), *expires = getenv("RESULTS_EXPIRES"),
               *limit = getenv("RESULTS_LIMIT");
    struct backend_options options = {.url = argc > 1 ? argv[1] : NULL,
                                      .key_prefix = getenv("RESULTS_PREFIX"),
                                      .timeout = timeout != NULL ? atof(timeout) : 0,
                                      .expires = expires != NULL ? atof(expires) : 0};
    struct celery_store_options store = {.url = options.url, .connections = 8};
    signal(SIGPIPE, SIG_IGN);
    tool.backend = backend_new(&options, &error);
    tool.async = tool.backend != NULL
                     ? backend_async_new(&options, limit != NULL ? strtoull(limit, NULL, 10) : 0, &error)
                     : NULL;
    tool.store = celery_store_new(&store, NULL); /* NULL where there is no Redis */
    if (tool.async == NULL) {
        fprintf(stderr, "results-tool: %s\n", error.message);
        backend_free(tool.backend);
        celery_store_free(tool.store);
        return 2;
    }
    run_loop(&tool);
    backend_free(tool.backend);
    celery_store_free(tool.store);
    return 0;
}
