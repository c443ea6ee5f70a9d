/* Canvases from a client (celeryc/canvas.h): the steps of a plan, done in order. */
#include "celeryc/canvas/canvas.h"
#include "celeryc/client/client_state.h"
#include "celeryc/include/celeryc/canvas.h"
#include "celeryc/message/json_text.h"
#include "celeryc/results/chord.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHORD_EXPIRES 86400.0 /* seconds: Celery's result_expires */

static bool publish(struct celery_client *client, struct wire_message *wire, double deadline,
                    struct error *error)
{
    struct wire_message event;
    bool plain = wire->exchange[0] == '\0', told = client->events != NULL;
    struct sent_task sent = {.queue = plain ? wire->routing_key : NULL,
                             .exchange = wire->exchange,
                             .routing_key = wire->routing_key};
    wire_message_init(&event);
    double left = deadline - clock_monotonic();
    bool good = (!plain || client_declare_queue(client, wire->routing_key, NULL, error)) &&
                (!told || sent_event_make(client, wire, &sent, &event, error)) &&
                publisher_publish(client->publisher, wire, left > 0 ? left : 0, error);
    if (good && told)
        sent_event_publish(client, &event);
    wire_message_clear(&event);
    return good;
}

/* A new string, NULL: no memory. */
static char *group_key(const struct celery_client *client, const char *group, const char *suffix)
{
    const char *prefix = client->options.key_prefix;
    char *key = NULL;
    return asprintf(&key, "%scelery-taskset-meta-%s%s", prefix == NULL ? "" : prefix, group, suffix) < 0
               ? NULL
               : key;
}

/* Sets one key of a chord; `value` NULL removes it. */
static bool store(struct celery_client *client, const char *group, const char *suffix, const char *value,
                  double deadline, struct error *error)
{
    double left = deadline - clock_monotonic();
    if (left <= 0)
        return error_set(error, ERROR_TIMEOUT, "the chord %.64s is not stored in time", group);
    char *key = group_key(client, group, suffix);
    bool stored = key != NULL || error_set(error, ERROR_MEMORY, "no memory for a chord");
    if (stored && value == NULL)
        stored = celery_store_delete(client->store, key, left, error);
    else if (stored)
        stored = celery_store_set(client->store, key, value, strlen(value), CHORD_EXPIRES, left, error);
    free(key);
    return stored;
}

static bool store_size(struct celery_client *client, const struct canvas_step *step, double deadline,
                       struct error *error)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)step->size);
    return store(client, step->group, ".c", NULL, deadline, error) &&
           store(client, step->group, ".s", text, deadline, error);
}

static bool store_group(struct celery_client *client, const struct canvas_step *step, double deadline,
                        struct error *error)
{
    json_t *object = json_pack("{s:O}", "result", step->tuple);
    char *text = json_text_dump(object, NULL, error);
    bool stored = text != NULL && store(client, step->group, "", text, deadline, error);
    free(text);
    json_decref(object);
    return stored;
}

static bool do_step(struct celery_client *client, struct canvas_step *step, double deadline,
                    struct error *error)
{
    switch (step->kind) {
    case CANVAS_SEND:
        return publish(client, &step->wire, deadline, error);
    case CANVAS_CHORD_SIZE:
        return store_size(client, step, deadline, error);
    case CANVAS_CHORD_GROUP:
        return store_group(client, step, deadline, error);
    }
    return false;
}

static bool send_plan(struct celery_client *client, struct canvas *canvas, double timeout,
                      struct error *error)
{
    double deadline = clock_monotonic() + timeout;
    if (canvas->failed)
        return error_set(error, canvas->error.code, "%s", canvas->error.message);
    for (size_t i = 0; i < canvas->count; i++) {
        if (!do_step(client, &canvas->steps[i], deadline, error))
            return false;
    }
    return true;
}

bool celery_apply(struct celery_client *client, json_t *signature, json_t *args, double timeout,
                  json_t **result, struct error *error)
{
    struct canvas canvas;
    canvas_init(&canvas);
    canvas.reply_to = client->oid;
    canvas.origin = client->origin;
    canvas.default_queue = client->options.default_queue;
    canvas.chords_refused = chord_refusal(client->options.result_backend);
    canvas.now = clock_wall();
    json_t *made = canvas_apply(&canvas, signature, args, NULL, NULL);
    bool sent = send_plan(client, &canvas, timeout, error);
    if (result != NULL)
        *result = sent && made != NULL ? result_tuple(made) : NULL;
    json_decref(made);
    json_decref(signature);
    json_decref(args);
    canvas_clear(&canvas);
    return sent;
}
