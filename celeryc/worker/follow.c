/* What follows a task's end, in Celery's order (celery/app/trace.py _dispatch_callbacks_and_chain,
 * celery/backends/base.py mark_as_done, mark_as_failure). */
#include "celeryc/worker/follow.h"

#include "celeryc/message/json_whole.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"

#include <stdlib.h>
#include <string.h>

/* ---- canvases ---- */

const struct celery_task_type *follow_find_type(const struct child *child, const char *name)
{
    for (size_t i = 0; name != NULL && i < child->types; i++) {
        if (strcmp(child->options->types[i].name, name) == 0)
            return &child->options->types[i];
    }
    return NULL;
}

const char *follow_exception_type(const struct error *error, const char *invalid)
{
    return error->code == ERROR_INVALID       ? invalid
           : error->code == ERROR_UNSUPPORTED ? "NotImplementedError"
                                              : "kombu.exceptions.OperationalError";
}

void follow_canvas(struct child *child, const struct celery_task *task, struct canvas *canvas)
{
    canvas_init(canvas);
    if (child->oid[0] == '\0')
        uuid_make(child->oid);
    canvas->types = child->options->types;
    canvas->reply_to = child->oid;
    canvas->origin = child->options->hostname;
    canvas->default_queue = child->options->default_queue;
    canvas->chords_refused = chord_refusal(child->options->rpc ? "rpc://" : child->options->backend.url);
    canvas->task_id = task->message->id;
    canvas->root_id = task->message->root_id;
    canvas->now = clock_wall();
}

/* Messages that follow each other go out together; *done is how many steps that were. */
static bool send_together(struct child *child, struct canvas_step *steps, size_t count, size_t *done,
                          struct error *error)
{
    size_t messages = 0;
    while (messages < count && steps[messages].kind == CANVAS_SEND)
        messages++;
    *done = messages;
    struct wire_message **take = reallocarray(NULL, messages, sizeof *take);
    if (take == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to send %zu tasks", messages);
    for (size_t i = 0; i < messages; i++)
        take[i] = &steps[i].wire;
    bool sent = child_publish_all(child, take, messages, error);
    free(take);
    return sent;
}

/* The first of so many steps, and those that go with it. */
static bool do_steps(struct child *child, struct canvas_step *steps, size_t count, size_t *done,
                     struct error *error)
{
    const struct canvas_step *step = steps;
    *done = 1;
    switch (step->kind) {
    case CANVAS_SEND:
        return send_together(child, steps, count, done, error);
    case CANVAS_CHORD_SIZE:
        return child_chord_size(child, step->group, step->size, error);
    case CANVAS_CHORD_GROUP:
        return child_chord_group(child, step->group, step->tuple, error);
    }
    return false;
}

static void add_children(struct celery_task *task, json_t *trail)
{
    size_t index;
    json_t *result;
    if (json_array_size(trail) > 0 && task->children == NULL)
        task->children = json_array();
    json_array_foreach(trail, index, result) json_array_append_new(task->children, result_tuple(result));
}

bool follow_send(struct child *child, struct celery_task *task, struct canvas *canvas, struct error *error)
{
    if (canvas->failed)
        return error_set(error, canvas->error.code, "%s", canvas->error.message);
    size_t done = 0;
    for (size_t i = 0; i < canvas->count; i += done) {
        if (!do_steps(child, &canvas->steps[i], canvas->count - i, &done, error))
            return false;
    }
    add_children(task, canvas->trail);
    return true;
}

bool follow_apply(struct child *child, struct celery_task *task, json_t *signature, json_t *args,
                  json_t *options, json_t **result, struct error *error)
{
    struct canvas canvas;
    follow_canvas(child, task, &canvas);
    canvas.from_message = true;
    json_t *made = canvas_apply(&canvas, signature, args, NULL, options);
    bool sent = follow_send(child, task, &canvas, error);
    if (result != NULL)
        *result = sent && made != NULL ? result_tuple(made) : NULL;
    json_decref(made);
    canvas_clear(&canvas);
    return sent;
}

json_t *follow_call(struct celery_task *task, const struct celery_task_type *type, json_t *args,
                    json_t *kwargs, json_t **failure)
{
    struct celery_task inner;
    task_context_init(&inner, type, task->keeper);
    inner.order = task->order;
    inner.message = task->message;
    inner.delivery_info = json_incref(task->delivery_info);
    inner.body = task->body;
    inner.body.args = json_incref(args);
    inner.body.kwargs = json_incref(kwargs);
    inner.started = task->started;
    inner.claimed = task->claimed;
    inner.soft_deadline = task->soft_deadline;
    json_t *value = type->run(&inner, args, kwargs);
    *failure = NULL;
    if (value == NULL || inner.fate != FATE_NONE) {
        json_decref(value);
        value = NULL;
        if (inner.exc_type == NULL)
            task_set_failure(&inner, "RuntimeError", "it did not return, nor fail");
        *failure = task_failure_value(&inner);
    }
    inner.message = NULL; /* the outer task's */
    inner.body.text = NULL;
    task_context_clear(&inner);
    return value;
}

bool follow_read(const struct text_slice *text, const char *what, json_t **value, struct error *error)
{
    *value = NULL;
    if (text->data == NULL)
        return true;
    *value = json_whole_load(text->data, text->size, error);
    return *value != NULL || error_context(error, "its %s cannot be read", what);
}

/* ---- after a success ---- */

/* {"parent_id", "root_id", "priority": null}, as what follows is applied with. */
static json_t *followers_options(const struct celery_task *task)
{
    const char *id = task->message->id, *root_id = task->message->root_id;
    return json_pack("{s:s, s:s, s:n}", "parent_id", id, "root_id", root_id == NULL ? id : root_id,
                     "priority");
}

/* Groups are sent by themselves, the others together as one group. */
static bool send_many(struct child *child, struct celery_task *task, json_t *callbacks, json_t *args,
                      json_t *options, struct error *error)
{
    json_t *others = json_array(), *callback;
    size_t index;
    bool sent = true;
    json_array_foreach(callbacks, index, callback)
    {
        if (signature_kind(callback) != SIGNATURE_GROUP)
            json_array_append(others, callback);
        else
            sent = sent && follow_apply(child, task, callback, args, options, NULL, error);
    }
    if (json_array_size(others) == 0) {
        json_decref(others);
        return sent;
    }
    json_t *group = signature_new_group(others);
    sent = sent && follow_apply(child, task, group, args, options, NULL, error);
    json_decref(group);
    return sent;
}

static bool send_callbacks(struct child *child, struct celery_task *task, json_t *args, json_t *options,
                           struct error *error)
{
    json_t *value;
    if (!follow_read(&task->body.callbacks, "callbacks", &value, error))
        return false;
    json_t *callbacks = json_maybe_list(value);
    bool sent = true;
    if (json_array_size(callbacks) == 1)
        sent = follow_apply(child, task, json_array_get(callbacks, 0), args, options, NULL, error);
    else if (json_array_size(callbacks) > 1)
        sent = send_many(child, task, callbacks, args, options, error);
    json_decref(callbacks);
    json_decref(value);
    return sent;
}

static bool send_next_step(struct child *child, struct celery_task *task, json_t *args, json_t *options,
                           struct error *error)
{
    json_t *chain;
    if (!follow_read(&task->body.chain, "chain", &chain, error))
        return false;
    size_t count = json_array_size(chain);
    bool sent = true;
    if (count > 0) {
        json_t *next = json_incref(json_array_get(chain, count - 1));
        json_array_remove(chain, count - 1);
        json_object_set(options, "chain", chain);
        sent = follow_apply(child, task, next, args, options, NULL, error);
        json_decref(next);
    }
    json_decref(chain);
    return sent;
}

bool follow_success(struct child *child, struct celery_task *task, json_t *result, struct error *error)
{
    if (task->body.callbacks.data == NULL && task->body.chain.data == NULL)
        return true;
    json_t *args = json_pack("[O]", result), *options = followers_options(task);
    bool sent = send_callbacks(child, task, args, options, error) &&
                send_next_step(child, task, args, options, error);
    json_decref(args);
    json_decref(options);
    return sent;
}

void follow_end(struct child *child, struct celery_task *task, const char *status, json_t *result)
{
    struct error error;
    json_t *chord;
    if (task->body.chord.data == NULL)
        return;
    if (!follow_read(&task->body.chord, "chord", &chord, &error)) {
        log_write(LOG_ERROR, task->message->id, "%s", error.message);
        return;
    }
    struct ended ended = {.id = task->message->id,
                          .group = task->message->group,
                          .group_index = task->message->group_index,
                          .status = status,
                          .chord = chord,
                          .result = result};
    follow_part(child, task, &ended);
    json_decref(chord);
}

/* ---- after a failure ---- */

void follow_failure(struct child *child, struct celery_task *task, json_t *exception, const char *traceback,
                    bool store)
{
    struct error error;
    struct failure failure = {.exception = exception, .traceback = traceback, .store = store};
    json_t *chain = NULL, *errbacks = NULL;
    follow_end(child, task, "FAILURE", exception);
    if (!follow_read(&task->body.chain, "chain", &chain, &error) ||
        !follow_read(&task->body.errbacks, "errbacks", &errbacks, &error))
        log_write(LOG_ERROR, task->message->id, "%s", error.message);
    follow_fail_chain(child, task, chain, &failure);
    if (json_truth(errbacks)) {
        json_t *list = json_maybe_list(errbacks), *request = celery_task_request(task);
        follow_errbacks(child, task, list, request, &failure);
        json_decref(list);
        json_decref(request);
    }
    json_decref(chain);
    json_decref(errbacks);
}
