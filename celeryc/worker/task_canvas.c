/* Canvases from inside a task (celeryc/canvas.h): sent as its children, in its place, or added to its chord.
 * Source: celery/app/task.py apply_async, replace, add_to_chord. */
#include "celeryc/include/celeryc/canvas.h"
#include "celeryc/worker/follow.h"

#include <string.h>

static struct child *child_of(const struct celery_task *task)
{
    return task->keeper->context;
}

/* Fails with what Python would raise for it. */
static json_t *fail(struct celery_task *task, const char *invalid, const struct error *error)
{
    return celery_fail(task, follow_exception_type(error, invalid), "%s", error->message);
}

json_t *celery_apply_async(struct celery_task *task, json_t *signature)
{
    struct error error;
    json_t *result = NULL;
    bool sent = follow_apply(child_of(task), task, signature, NULL, NULL, &result, &error);
    json_decref(signature);
    if (!sent)
        return fail(task, "ValueError", &error);
    return result == NULL ? json_null() : result;
}

static bool replace(struct celery_task *task, json_t *signature, struct error *error)
{
    struct canvas canvas;
    struct child *child = child_of(task);
    follow_canvas(child, task, &canvas);
    json_t *request = celery_task_request(task);
    json_t *replacement = canvas_replacement(&canvas, signature, request);
    json_decref(request);
    if (replacement != NULL && !canvas.failed) {
        if (task->type->on_replace != NULL)
            task->type->on_replace(task, replacement);
        json_decref(canvas_apply(&canvas, replacement, NULL, NULL, NULL));
    }
    bool sent = follow_send(child, task, &canvas, error);
    json_decref(replacement);
    canvas_clear(&canvas);
    return sent;
}

json_t *celery_replace(struct celery_task *task, json_t *signature)
{
    struct error error;
    bool sent = task->fate == FATE_NONE && replace(task, signature, &error);
    json_decref(signature);
    if (!sent && task->fate == FATE_NONE)
        return fail(task, "celery.exceptions.ImproperlyConfigured", &error);
    return celery_ignore(task);
}

/* What the chord's other parts have: its group, its body, its root. */
static void join_chord(struct celery_task *task, json_t *signature, json_t *chord)
{
    const struct task_message *message = task->message;
    signature_set_option(signature, "group_id", message->group == NULL ? NULL : json_string(message->group));
    signature_set_option(signature, "group_index",
                         message->group_index < 0 ? NULL : json_integer(message->group_index));
    signature_set_option(signature, "chord", json_incref(chord));
    signature_set_option(signature, "root_id",
                         message->root_id == NULL ? NULL : json_string(message->root_id));
}

json_t *celery_add_to_chord(struct celery_task *task, json_t *signature)
{
    struct error error;
    struct canvas canvas;
    struct child *child = child_of(task);
    json_t *chord = NULL;
    if (!follow_read(&task->body.chord, "chord", &chord, &error) || !json_is_object(chord) ||
        !json_is_object(signature)) {
        json_decref(signature);
        json_decref(chord);
        return celery_fail(task, "ValueError", "Current task is not member of any chord");
    }
    join_chord(task, signature, chord);
    follow_canvas(child, task, &canvas);
    json_decref(canvas_freeze(&canvas, signature, &(struct freeze){.id = NULL}));
    canvas_clear(&canvas);
    json_decref(chord);
    if (task->message->group != NULL && !child_chord_add(child, task->message->group, &error)) {
        json_decref(signature);
        return fail(task, "ValueError", &error);
    }
    return celery_apply_async(task, signature);
}
