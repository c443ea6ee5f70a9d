/* client-tool [--events]: what celeryc/client does, a line of JSON a request on standard input, a line an
 * answer; for the tests in tests/celery/test_client*.py. Broker and results are those of CELERY_BROKER_URL
 * and CELERY_RESULT_BACKEND.
 *
 *     {"do": "send", "task": "demo.add", "args": [1, 2]}               {"ok": true, "id": "..."}
 *     {"do": "flood", "task": "demo.add", "threads": 8, "count": 100}  {"ok": true, "ids": [...]}
 *     {"do": "apply", "signature": {...}, "args": [1]}                 {"ok": true, "result": [[id, parent],
 * ...]}
 *     {"do": "get" | "wait" | "forget", "id": "..."}                   {"ok": true, "meta": {...}}
 *     {"do": "broadcast" | "inspect", "command": "ping"}               {"ok": true, "replies": [...]}
 *     {"do": "revoke", "id": "...", "terminate": true}                 {"ok": true}
 *     {"do": "broker" | "backend"}                                     {"ok": false, "code": "unavailable",
 * ...}
 */
#include "celeryc/include/celeryc/canvas.h"
#include "celeryc/include/celeryc/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MOST 64

static const char *text_of(const json_t *request, const char *name)
{
    return json_string_value(json_object_get(request, name));
}

static double number_of(const json_t *request, const char *name, double absent)
{
    json_t *value = json_object_get(request, name);
    return json_is_number(value) ? json_number_value(value) : absent;
}

static struct celery_send send_of(const json_t *request)
{
    return (struct celery_send){
        .task = text_of(request, "task"),
        .args = json_object_get(request, "args"),
        .kwargs = json_object_get(request, "kwargs"),
        .id = text_of(request, "id"),
        .queue = text_of(request, "queue"),
        .exchange = text_of(request, "exchange"),
        .routing_key = text_of(request, "routing_key"),
        .countdown = number_of(request, "countdown", 0),
        .eta = number_of(request, "eta", 0),
        .expires = number_of(request, "expires", 0),
        .priority = (int)number_of(request, "priority", 0),
        .time_limit = number_of(request, "time_limit", 0),
        .soft_time_limit = number_of(request, "soft_time_limit", 0),
        .ignore_result = json_is_true(json_object_get(request, "ignore_result")),
        .headers = json_object_get(request, "headers"),
        .root_id = text_of(request, "root_id"),
        .parent_id = text_of(request, "parent_id"),
    };
}

static void say(bool good, json_t *answer, const struct error *error)
{
    json_object_set_new(answer, "ok", json_boolean(good));
    if (!good) {
        json_object_set_new(answer, "code", json_string(error_code_name(error->code)));
        json_object_set_new(answer, "message", json_string(error->message));
    }
    json_dumpf(answer, stdout, 0);
    putchar('\n');
    fflush(stdout);
    json_decref(answer);
}

struct flood {
    struct celery_client *client;
    const json_t *request;
    json_t *ids; /* of this thread */
    struct error error;
    size_t count;
    bool good;
};

static void *flood_run(void *context)
{
    struct flood *flood = context;
    struct celery_send send = send_of(flood->request);
    flood->good = true;
    for (size_t i = 0; i < flood->count && flood->good; i++) {
        char id[37];
        flood->good =
            celery_send(flood->client, &send, number_of(flood->request, "timeout", 120), id, &flood->error);
        if (flood->good)
            json_array_append_new(flood->ids, json_string(id));
    }
    return NULL;
}

static void flood(struct celery_client *client, const json_t *request)
{
    static struct flood floods[THREADS_MOST];
    pthread_t threads[THREADS_MOST];
    size_t count = (size_t)number_of(request, "threads", 1);
    json_t *ids = json_array();
    bool good = true;
    struct error error = {.code = ERROR_NONE};
    for (size_t i = 0; i < count && i < THREADS_MOST; i++) {
        floods[i] = (struct flood){.client = client, .request = request, .ids = json_array()};
        floods[i].count = (size_t)number_of(request, "count", 1);
        if (pthread_create(&threads[i], NULL, flood_run, &floods[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < count && i < THREADS_MOST; i++) {
        pthread_join(threads[i], NULL);
        json_array_extend(ids, floods[i].ids);
        json_decref(floods[i].ids);
        if (!floods[i].good) {
            good = false;
            error = floods[i].error;
        }
    }
    say(good, json_pack("{s:o}", "ids", ids), &error);
}

static void answer(struct celery_client *client, const json_t *request)
{
    const char *what = text_of(request, "do"), *id = text_of(request, "id");
    double timeout = number_of(request, "timeout", 120);
    json_t *arguments = json_object_get(request, "arguments"),
           *destination = json_object_get(request, "destination");
    json_t *reply = json_object(), *meta = NULL;
    struct error error = {.code = ERROR_NONE};
    bool good = false;
    if (strcmp(what, "send") == 0) {
        struct celery_send send = send_of(request);
        char sent[37] = "";
        good = celery_send(client, &send, timeout, sent, &error);
        json_object_set_new(reply, "id", json_string(sent));
    } else if (strcmp(what, "apply") == 0) {
        json_t *signature = json_incref(json_object_get(request, "signature"));
        good = celery_apply(client, signature, json_incref(json_object_get(request, "args")), timeout, &meta,
                            &error);
        json_object_set_new(reply, "result", meta == NULL ? json_null() : meta);
    } else if (strcmp(what, "get") == 0 || strcmp(what, "wait") == 0) {
        good = what[0] == 'g' ? celery_result_get(client, id, &meta, timeout, &error)
                              : celery_result_wait(client, id, &meta, timeout, &error);
        json_object_set_new(reply, "meta", meta == NULL ? json_null() : meta);
    } else if (strcmp(what, "forget") == 0) {
        good = celery_result_forget(client, id, timeout, &error);
    } else if (strcmp(what, "broadcast") == 0) {
        good = celery_broadcast(client, text_of(request, "command"), arguments, destination, timeout, &error);
    } else if (strcmp(what, "inspect") == 0) {
        good = celery_inspect(client, text_of(request, "command"), arguments, destination,
                              number_of(request, "wait", 1), (size_t)number_of(request, "limit", 0), &meta,
                              &error);
        json_object_set_new(reply, "replies", meta == NULL ? json_null() : meta);
    } else if (strcmp(what, "revoke") == 0) {
        good = celery_revoke(client, id, json_is_true(json_object_get(request, "terminate")),
                             text_of(request, "signal"), timeout, &error);
    } else if (strcmp(what, "broker") == 0) {
        good = celery_client_broker_ready(client, &error);
    } else if (strcmp(what, "backend") == 0) {
        good = celery_client_backend_ready(client, timeout, &error);
    }
    say(good, reply, &error);
}

int main(int argc, char **argv)
{
    struct celery_client_options options = {
        .broker_url = getenv("CELERY_BROKER_URL"),
        .result_backend = getenv("CELERY_RESULT_BACKEND"),
        .key_prefix = getenv("KEY_PREFIX"),
        .send_events = argc > 1 && strcmp(argv[1], "--events") == 0,
    };
    struct error error;
    struct celery_client *client = celery_client_new(&options, &error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    char *line = NULL;
    size_t room = 0;
    for (;;) {
        ssize_t size = getline(&line, &room, stdin);
        if (size <= 0)
            break;
        json_t *request = json_loadb(line, (size_t)size, JSON_ALLOW_NUL, NULL);
        if (text_of(request, "do") == NULL)
            abort();
        if (strcmp(text_of(request, "do"), "flood") == 0)
            flood(client, request);
        else
            answer(client, request);
        json_decref(request);
    }
    free(line);
    celery_client_free(client);
    return 0;
}
