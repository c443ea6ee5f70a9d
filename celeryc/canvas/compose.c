#include "celeryc/canvas/compose.h"

#include "celeryc/canvas/link.h"

#include <string.h>

/* ---- taking apart ---- */

json_t *signature_unchain(json_t *chain)
{
    json_t *tasks = json_array(), *task, *link;
    json_t *links = json_maybe_list(signature_option(chain, "link"));
    json_t *errors = json_maybe_list(signature_option(chain, "link_error"));
    size_t index, each;
    json_array_foreach(signature_tasks(chain), index, task)
        json_array_append_new(tasks, signature_clone(task, NULL, NULL, NULL));
    if (json_array_size(tasks) > 0) {
        json_array_foreach(links, index, link) signature_link(signature_last(tasks), link);
    }
    json_array_foreach(errors, index, link)
    {
        json_array_foreach(tasks, each, task) signature_link_error(task, link);
    }
    json_decref(links);
    json_decref(errors);
    return tasks;
}

/* What a chain passes on to its first task when it is run; a new object. */
static json_t *first_task_options(json_t *chain)
{
    static const char *const own[] = {"chord",      "group_id",  "group_index", "link",
                                      "link_error", "parent_id", "root_id",     "task_id"};
    json_t *options = json_copy(signature_options(chain));
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        json_object_del(options, own[i]);
    return options;
}

json_t *signature_unroll_body(json_t *chord)
{
    json_t *task = signature_clone(chord, NULL, NULL, NULL);
    json_t *body = json_incref(signature_body(task)), *steps = signature_unchain(body);
    json_t *options = first_task_options(body);
    signature_set_body(task, signature_clone(json_array_get(steps, 0), NULL, NULL, options));
    json_array_set_new(steps, 0, task);
    json_decref(options);
    json_decref(body);
    return steps;
}

/* Appends what a chain's task becomes. */
static void append_unrolled(json_t *tasks, json_t *task)
{
    json_t *unrolled = NULL, *step;
    size_t index;
    if (signature_kind(task) == SIGNATURE_CHAIN) {
        unrolled = signature_clone(task, NULL, NULL, NULL);
        signature_unroll_chords(unrolled);
        json_array_append_new(tasks, unrolled);
        return;
    }
    if (signature_kind(task) != SIGNATURE_CHORD || !signature_is_chain_led_by_task(signature_body(task))) {
        json_array_append(tasks, task);
        return;
    }
    unrolled = signature_unroll_body(task);
    json_array_foreach(unrolled, index, step) append_unrolled(tasks, step);
    json_decref(unrolled);
}

void signature_unroll_chords(json_t *chain)
{
    json_t *tasks = json_array(), *task;
    size_t index;
    json_array_foreach(signature_tasks(chain), index, task) append_unrolled(tasks, task);
    signature_set_tasks(chain, tasks);
}

static void clear_chord_option(json_t *signature)
{
    json_t *tasks, *task;
    size_t index;
    json_object_del(json_object_get(signature, "options"), "chord");
    switch (signature_kind(signature)) {
    case SIGNATURE_GROUP:
        tasks = signature_tasks(signature);
        json_array_foreach(tasks, index, task) clear_chord_option(task);
        return;
    case SIGNATURE_CHAIN:
        task = signature_last(signature_tasks(signature));
        break;
    default:
        task = signature_kind(signature) == SIGNATURE_CHORD ? signature_body(signature) : NULL;
    }
    if (task != NULL)
        clear_chord_option(task);
}

void signature_strip_header_links(json_t *signature)
{
    json_t *tasks, *task;
    size_t index;
    switch (signature_kind(signature)) {
    case SIGNATURE_CHORD:
        tasks = signature_tasks(signature);
        if (json_is_object(tasks)) {
            clear_chord_option(tasks);
            signature_strip_header_links(tasks);
        }
        if (signature_body(signature) != NULL)
            signature_strip_header_links(signature_body(signature));
        return;
    case SIGNATURE_GROUP:
    case SIGNATURE_CHAIN:
        tasks = signature_tasks(signature);
        json_array_foreach(tasks, index, task) signature_strip_header_links(task);
        return;
    default:
        return;
    }
}

/* ---- putting together ---- */

/* Sets the body to body | other. */
static void or_body(json_t *chord, json_t *other)
{
    if (signature_body(chord) != NULL)
        signature_set_body(chord, signature_or(signature_body(chord), other));
}

static json_t *chain_or_group(json_t *chain, json_t *group)
{
    json_t *unrolled = signature_unroll_group(group);
    if (unrolled != group)
        return signature_or(chain, unrolled);
    json_t *tasks = signature_unchain(chain), *last = signature_last(tasks);
    if (last == NULL) {
        json_decref(tasks);
        return json_incref(group);
    }
    if (signature_kind(last) == SIGNATURE_CHORD)
        or_body(last, group);
    else
        json_array_append(tasks, group);
    return signature_new_chain(tasks);
}

/* A group followed by a task is a chord; after another chord it goes on in that one's body. */
static json_t *chain_or_chord(json_t *chain, json_t *other)
{
    json_t *clone = signature_clone(chain, NULL, NULL, NULL), *tasks = signature_tasks(clone);
    size_t count = json_array_size(tasks);
    json_array_set_new(tasks, count - 1, signature_new_chord(json_array_get(tasks, count - 1), other));
    json_t *before = count > 1 ? json_array_get(tasks, count - 2) : NULL;
    if (before != NULL && signature_kind(before) == SIGNATURE_CHORD) {
        or_body(before, json_array_get(tasks, count - 1));
        json_array_remove(tasks, count - 1);
    }
    return clone;
}

static json_t *chain_or_task(json_t *chain, json_t *other)
{
    json_t *last = signature_last(signature_tasks(chain)), *tasks;
    bool chord = signature_kind(other) == SIGNATURE_CHORD;
    if (last != NULL && signature_kind(last) == SIGNATURE_GROUP)
        return chain_or_chord(chain, other);
    if (last != NULL && signature_kind(last) == SIGNATURE_CHORD && !chord) {
        json_t *clone = signature_clone(chain, NULL, NULL, NULL);
        or_body(signature_last(signature_tasks(clone)), other);
        return clone;
    }
    tasks = signature_unchain(chain);
    json_array_append(tasks, other);
    return signature_new_chain(tasks);
}

/* first | each of the tasks from `at` on. */
static json_t *reduce(json_t *first, json_t *tasks, size_t at)
{
    json_t *result = json_incref(first);
    for (; at < json_array_size(tasks); at++) {
        json_t *next = signature_or(result, json_array_get(tasks, at));
        json_decref(result);
        result = next;
    }
    return result;
}

static json_t *chain_or(json_t *chain, json_t *other)
{
    if (signature_is_empty_group(other))
        return json_incref(chain);
    if (signature_kind(other) == SIGNATURE_GROUP)
        return chain_or_group(chain, other);
    if (signature_kind(other) != SIGNATURE_CHAIN)
        return chain_or_task(chain, other);
    json_t *tasks = signature_unchain(other);
    json_t *result = reduce(chain, tasks, 0);
    json_decref(tasks);
    return result;
}

static json_t *task_or(json_t *first, json_t *other)
{
    json_t *tasks = json_pack("[O]", first);
    if (signature_kind(other) == SIGNATURE_CHAIN) {
        json_t *steps = signature_unchain(other);
        json_array_extend(tasks, steps);
        json_decref(steps);
    } else if (signature_kind(other) == SIGNATURE_GROUP) {
        json_array_append(tasks, signature_unroll_group(other));
    } else {
        json_array_append(tasks, other);
    }
    return signature_new_chain(tasks);
}

static json_t *chord_or(json_t *chord, json_t *other)
{
    enum signature_kind kind = signature_kind(other);
    bool one = kind == SIGNATURE_GROUP && json_array_size(signature_tasks(other)) == 1;
    if (!one && (kind == SIGNATURE_GROUP || kind == SIGNATURE_CHAIN))
        return task_or(chord, other);
    json_t *clone = signature_clone(chord, NULL, NULL, NULL);
    or_body(clone, one ? signature_unroll_group(other) : other);
    return clone;
}

json_t *signature_or(json_t *first, json_t *second)
{
    switch (signature_kind(first)) {
    case SIGNATURE_CHAIN:
        return chain_or(first, second);
    case SIGNATURE_GROUP:
        return signature_is_empty_group(second) ? json_incref(first) : signature_new_chord(first, second);
    case SIGNATURE_CHORD:
        return chord_or(first, second);
    default:
        return task_or(first, second);
    }
}

/* ---- chain(*tasks) in one pass ---- */

/* Adds a task to the steps; false: an empty chain followed by a group is that group. */
static bool fold_step(json_t *steps, json_t *other, bool clone, json_t **group);

static bool fold_group(json_t *steps, json_t *group, bool clone, json_t **result)
{
    json_t *unrolled = signature_unroll_group(group), *last = signature_last(steps);
    if (unrolled != group)
        return fold_step(steps, unrolled, clone, result);
    if (last == NULL) {
        *result = json_incref(group);
        return false;
    }
    if (signature_kind(last) == SIGNATURE_CHORD)
        or_body(last, group);
    else
        json_array_append_new(steps, clone ? signature_clone(group, NULL, NULL, NULL) : json_incref(group));
    return true;
}

static bool fold_chain(json_t *steps, json_t *chain, bool clone, json_t **result)
{
    json_t *inner = signature_unchain(chain);
    size_t count = json_array_size(inner);
    bool folded = true;
    for (size_t i = 0; folded && i < count; i++) {
        folded = fold_step(steps, json_array_get(inner, i), clone || i + 1 < count, result);
        if (!folded) {
            json_t *group = *result;
            *result = reduce(group, inner, i + 1);
            json_decref(group);
        }
    }
    json_decref(inner);
    return folded;
}

static bool fold_step(json_t *steps, json_t *other, bool clone, json_t **result)
{
    enum signature_kind kind = signature_kind(other);
    json_t *last = signature_last(steps);
    if (signature_is_empty_group(other))
        return true;
    if (kind == SIGNATURE_GROUP)
        return fold_group(steps, other, clone, result);
    if (kind == SIGNATURE_CHAIN)
        return fold_chain(steps, other, clone, result);
    if (last != NULL && signature_kind(last) == SIGNATURE_CHORD && kind != SIGNATURE_CHORD) {
        or_body(last, other);
        return true;
    }
    json_t *added = clone ? signature_clone(other, NULL, NULL, NULL) : json_incref(other);
    if (last != NULL && signature_kind(last) == SIGNATURE_GROUP) {
        json_array_set_new(steps, json_array_size(steps) - 1, signature_new_chord(last, added));
        json_decref(added);
    } else {
        json_array_append_new(steps, added);
    }
    return true;
}

json_t *signature_fold(json_t *tasks)
{
    json_t *steps = json_array(), *result = NULL, *clones = json_array();
    size_t count = json_array_size(tasks);
    for (size_t i = 0; i < count; i++) {
        if (fold_step(steps, json_array_get(tasks, i), i + 1 < count, &result))
            continue;
        json_t *group = result;
        result = reduce(group, tasks, i + 1);
        json_decref(group);
        json_decref(steps);
        json_decref(clones);
        return result;
    }
    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *step = json_array_get(steps, i);
        bool last = i + 1 == json_array_size(steps);
        json_array_append_new(clones, last ? json_incref(step) : signature_clone(step, NULL, NULL, NULL));
    }
    json_decref(steps);
    return signature_new_chain(clones);
}
