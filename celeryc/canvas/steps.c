/* A chain made ready: nested chains spliced, groups that are followed by something made chords, all frozen.
 * Source: celery/canvas.py prepare_steps. */
#include "celeryc/canvas/canvas.h"
#include "celeryc/canvas/compose.h"
#include "celeryc/canvas/link.h"

/* Puts all tasks of an array where the first step was. */
static void splice_front(json_t *steps, json_t *tasks)
{
    for (size_t i = json_array_size(tasks); i > 0; i--)
        json_array_insert(steps, 0, json_array_get(tasks, i - 1));
}

/* Sees to it that the first step is a task of its own, which gets the chain's arguments. */
static void normalise_head(json_t *steps, bool clone)
{
    json_t *stripped = NULL;
    while (json_array_size(steps) > 0) {
        json_t *head = json_array_get(steps, 0);
        if (signature_kind(head) == SIGNATURE_CHAIN) {
            json_t *chain = clone ? signature_clone(head, NULL, NULL, NULL) : json_incref(head);
            json_array_remove(steps, 0);
            splice_front(steps, signature_tasks(chain));
            json_decref(chain);
            continue;
        }
        if (signature_kind(head) != SIGNATURE_GROUP)
            break;
        json_array_set(steps, 0, signature_unroll_group(head));
        head = json_array_get(steps, 0);
        if (json_array_size(steps) == 1 || !signature_is_empty_group(head))
            break;
        json_decref(stripped);
        stripped = json_incref(head);
        json_array_remove(steps, 0);
    }
    if (stripped != NULL && json_array_size(steps) == 0)
        json_array_append(steps, stripped);
    json_decref(stripped);
}

/* The walk from the last step to the first. */
struct walk {
    struct canvas *canvas;
    const struct chain_options *options;
    json_t *steps;    /* owned: those that are still to come */
    json_t *tasks;    /* owned: those that are ready */
    json_t *results;  /* owned */
    json_t *previous; /* borrowed from `tasks`, or NULL */
    json_t *result;   /* owned: what the previous one's line of results begins with, or NULL */
    bool begun;       /* the last step is ready */
};

static void set_result(struct walk *walk, json_t *result)
{
    json_incref(result);
    json_decref(walk->result);
    walk->result = result;
}

static json_t *pop(json_t *array)
{
    json_t *last = json_incref(signature_last(array));
    if (last != NULL)
        json_array_remove(array, json_array_size(array) - 1);
    return last;
}

/* Unlinks what is linked to the body's result, so that it can be linked to the chord's. */
static void unlink_body(struct walk *walk, json_t *body_result)
{
    json_t *node = signature_last(walk->results);
    while (json_is_object(node) && json_object_get(node, "parent") != body_result)
        node = json_object_get(node, "parent");
    if (!json_is_object(node))
        return;
    json_object_set_new(node, "parent", json_null());
    set_result(walk, node);
}

/* A group that something follows is the header of a chord. Takes the group, a new reference. */
static json_t *upgrade(struct walk *walk, json_t *group)
{
    json_t *body = pop(walk->tasks), *body_result = pop(walk->results);
    json_t *chord = signature_new_chord(group, body);
    json_t *options = signature_options(chord);
    const char *root_id = walk->options->root_id;
    if (json_object_get(walk->result, "results") == NULL)
        json_object_set_new(options, "task_id", json_string(result_id(walk->result)));
    json_object_set_new(options, "root_id", root_id == NULL ? json_null() : json_string(root_id));
    walk->previous = signature_last(walk->tasks);
    unlink_body(walk, body_result);
    json_decref(group);
    json_decref(body);
    json_decref(body_result);
    return chord;
}

static void link_errors(json_t *task, json_t *link_error)
{
    json_t *errbacks = json_maybe_list(link_error), *errback;
    size_t index;
    json_array_foreach(errbacks, index, errback)
    {
        signature_link_error(task, errback);
        if (signature_kind(task) == SIGNATURE_CHORD && signature_body(task) != NULL)
            signature_link_error(signature_body(task), errback);
    }
    json_decref(errbacks);
}

/* Freezes a step and adds it; takes `task`. */
static void add_step(struct walk *walk, json_t *task)
{
    const struct chain_options *options = walk->options;
    struct freeze freeze = {.root_id = options->root_id};
    if (!walk->begun) {
        freeze.id = options->last_id;
        freeze.group_id = options->group_id;
        freeze.chord = options->chord;
        freeze.group_index = options->group_index;
    }
    json_t *result = canvas_freeze(walk->canvas, task, &freeze);
    walk->begun = true;
    if (result == NULL) {
        json_decref(task);
        return;
    }
    if (walk->previous != NULL && walk->result != NULL &&
        !json_is_object(json_object_get(walk->result, "parent")))
        json_object_set(walk->result, "parent", result);
    link_errors(task, options->link_error);
    json_array_append_new(walk->tasks, task);
    json_array_append_new(walk->results, result);
    walk->previous = task;
    set_result(walk, result);
    if (signature_kind(task) != SIGNATURE_CHORD || !canvas_allows_chords(walk->canvas))
        return;
    while (json_is_object(json_object_get(walk->result, "parent")))
        set_result(walk, json_object_get(walk->result, "parent"));
}

/* Takes the last of the steps. */
static void walk_step(struct walk *walk)
{
    const struct chain_options *options = walk->options;
    json_t *popped = pop(walk->steps), *task = popped, *more;
    bool first = json_array_size(walk->steps) == 0;
    if (signature_kind(task) == SIGNATURE_GROUP) {
        task = signature_unroll_group(task);
        if (signature_is_empty_group(task) && (!first || walk->previous != NULL)) {
            json_decref(popped);
            return;
        }
    }
    if (options->clone && signature_kind(task) == SIGNATURE_CHORD &&
        signature_is_chain_led_by_task(signature_body(task))) {
        more = signature_unroll_body(task);
        json_array_extend(walk->steps, more);
        json_decref(more);
        json_decref(popped);
        return;
    }
    if (options->clone) {
        task = signature_clone(task, first ? options->args : NULL, first ? options->kwargs : NULL, NULL);
    } else {
        json_incref(task);
        if (first)
            signature_prepend(task, options->args);
    }
    json_decref(popped);
    if (signature_kind(task) == SIGNATURE_CHAIN) {
        json_array_extend(walk->steps, signature_tasks(task));
        json_decref(task);
        return;
    }
    if (signature_kind(task) == SIGNATURE_GROUP && walk->previous != NULL)
        task = upgrade(walk, task);
    add_step(walk, task);
}

bool canvas_prepare_steps(struct canvas *canvas, json_t *chain, const struct chain_options *options,
                          struct prepared *prepared)
{
    struct walk walk = {.canvas = canvas,
                        .options = options,
                        .steps = json_copy(signature_tasks(chain)),
                        .tasks = json_array(),
                        .results = json_array()};
    json_t *task;
    size_t index;
    normalise_head(walk.steps, options->clone);
    while (json_array_size(walk.steps) > 0 && !canvas->failed)
        walk_step(&walk);
    json_t *last = json_array_get(walk.results, 0);
    const char *id = last == NULL ? options->last_id : result_id(last);
    signature_set_option(chain, "task_id", id == NULL ? NULL : json_string(id));
    if (options->clone) {
        json_array_foreach(walk.tasks, index, task) signature_strip_header_links(task);
    }
    json_decref(walk.steps);
    json_decref(walk.result);
    *prepared = (struct prepared){.tasks = walk.tasks, .results = walk.results};
    return !canvas->failed;
}
