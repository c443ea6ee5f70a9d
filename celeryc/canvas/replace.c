/* What runs in a task's place. Source: celery/app/task.py replace. */
#include "celeryc/canvas/canvas.h"
#include "celeryc/canvas/compose.h"
#include "celeryc/canvas/link.h"

/* A group is followed by celery.accumulate, so that there is one task whose end is its end. */
static json_t *accumulated(json_t *group)
{
    json_t *accumulate =
        signature_new("celery.accumulate", NULL, json_pack("{s:i}", "index", 0), NULL, NULL, false);
    json_t *chord = signature_or(group, accumulate);
    json_decref(accumulate);
    return chord;
}

/* Takes the signature. */
static json_t *uplift_groups(json_t *signature)
{
    if (signature_kind(signature) == SIGNATURE_GROUP) {
        json_t *chord = accumulated(signature);
        json_decref(signature);
        return chord;
    }
    if (signature_kind(signature) != SIGNATURE_CHAIN)
        return signature;
    json_t *tasks = signature_tasks(signature), *last = signature_last(tasks);
    if (last != NULL && signature_kind(last) == SIGNATURE_GROUP)
        json_array_set_new(tasks, json_array_size(tasks) - 1, accumulated(last));
    return signature;
}

static void inherit_links(json_t *signature, json_t *request)
{
    json_t *callbacks = json_maybe_list(json_object_get(request, "callbacks")), *link;
    json_t *errbacks = json_maybe_list(json_object_get(request, "errbacks"));
    size_t index;
    json_array_foreach(callbacks, index, link) signature_link(signature, link);
    json_array_foreach(errbacks, index, link) signature_link_error(signature, link);
    json_t *links = signature_option(signature, "link");
    json_t *last = signature_last(signature_tasks(signature));
    if (signature_kind(signature) == SIGNATURE_CHAIN && links != NULL && last != NULL) {
        signature_extend_option(last, "link", links);
        json_object_del(signature_options(signature), "link");
    }
    json_decref(callbacks);
    json_decref(errbacks);
}

static void inherit_options(json_t *signature, json_t *request, json_t *nesting)
{
    static const char *const names[][2] = {
        {"chord", "chord"}, {"group_id", "group"}, {"group_index", "group_index"}, {"root_id", "root_id"}};
    size_t index;
    json_t *task;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        signature_set_option(signature, names[i][0], json_incref(json_object_get(request, names[i][1])));
    signature_set_option(signature, "replaced_task_nesting", json_incref(nesting));
    if (signature_kind(signature) != SIGNATURE_CHAIN)
        return;
    json_array_foreach(signature_tasks(signature), index, task)
        signature_set_option(task, "replaced_task_nesting", json_incref(nesting));
}

/* signature | each step of the request's chain, which holds them in reverse. Takes the signature. */
static json_t *followed(json_t *signature, json_t *chain, json_t *nesting)
{
    for (size_t i = json_array_size(chain); i > 0; i--) {
        json_t *step = signature_clone(json_array_get(chain, i - 1), NULL, NULL, NULL);
        signature_set_option(step, "replaced_task_nesting", json_incref(nesting));
        json_t *longer = signature_or(signature, step);
        json_decref(step);
        json_decref(signature);
        signature = longer;
    }
    return signature;
}

json_t *canvas_replacement(struct canvas *canvas, json_t *given, json_t *request)
{
    if (!json_is_object(given)) {
        canvas_fail(canvas, ERROR_INVALID, "what is to replace a task is no signature");
        return NULL;
    }
    if (signature_option(given, "chord") != NULL) {
        canvas_fail(canvas, ERROR_INVALID, "A signature replacing a task must not be part of a chord");
        return NULL;
    }
    if (signature_kind(given) == SIGNATURE_CHAIN && json_array_size(signature_tasks(given)) == 0) {
        canvas_fail(canvas, ERROR_INVALID, "Cannot replace with an empty chain");
        return NULL;
    }
    json_t *signature = uplift_groups(json_incref(given));
    inherit_links(signature, request);
    struct freeze freeze = {.id = json_string_value(json_object_get(request, "id"))};
    json_decref(canvas_freeze(canvas, signature, &freeze));
    json_int_t depth = json_integer_value(json_object_get(request, "replaced_task_nesting"));
    json_t *nesting = json_integer(depth + 1);
    inherit_options(signature, request, nesting);
    signature = followed(signature, json_object_get(request, "chain"), nesting);
    json_decref(nesting);
    return signature;
}
