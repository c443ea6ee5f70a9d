#include "celeryc/canvas/link.h"

/* The option as an array that may be changed; borrowed. */
static json_t *list_option(json_t *signature, const char *name)
{
    json_t *value = signature_option(signature, name);
    if (!json_is_array(value)) {
        json_t *list = value == NULL ? json_array() : json_pack("[O]", value);
        signature_set_option(signature, name, list);
    }
    return signature_option(signature, name);
}

void signature_append_option(json_t *signature, const char *name, json_t *value)
{
    json_t *list = list_option(signature, name), *item;
    size_t index;
    json_array_foreach(list, index, item)
    {
        if (json_equal(item, value))
            return;
    }
    json_array_append(list, value);
}

void signature_extend_option(json_t *signature, const char *name, json_t *values)
{
    json_t *more = json_maybe_list(values);
    json_array_extend(list_option(signature, name), more);
    json_decref(more);
}

void signature_link(json_t *signature, json_t *callback)
{
    switch (signature_kind(signature)) {
    case SIGNATURE_GROUP: {
        json_t *first = json_array_get(signature_tasks(signature), 0);
        json_t *immutable = signature_clone(callback, NULL, NULL, NULL);
        signature_set_immutable(immutable);
        if (first != NULL)
            signature_link(first, immutable);
        json_decref(immutable);
        return;
    }
    case SIGNATURE_CHORD:
        if (signature_body(signature) != NULL)
            signature_link(signature_body(signature), callback);
        return;
    default:
        signature_append_option(signature, "link", callback);
    }
}

static void link_error_clone(json_t *signature, json_t *errback)
{
    json_t *clone = signature_clone(errback, NULL, NULL, NULL);
    signature_link_error(signature, clone);
    json_decref(clone);
}

/* With task_allow_error_cb_on_chord_header off, as it is by default: the body, and chords in the header. */
static void link_chord_error(json_t *chord, json_t *errback)
{
    json_t *tasks = signature_tasks(chord), *task;
    size_t index;
    json_array_foreach(tasks, index, task)
    {
        if (signature_kind(task) == SIGNATURE_CHORD)
            signature_link_error(task, errback);
    }
    if (signature_body(chord) != NULL)
        signature_link_error(signature_body(chord), errback);
}

void signature_link_error(json_t *signature, json_t *errback)
{
    json_t *tasks = NULL, *task;
    size_t index;
    switch (signature_kind(signature)) {
    case SIGNATURE_GROUP:
        tasks = signature_tasks(signature);
        json_array_foreach(tasks, index, task) link_error_clone(task, errback);
        return;
    case SIGNATURE_CHORD:
        link_chord_error(signature, errback);
        return;
    default:
        signature_append_option(signature, "link_error", errback);
    }
}

/* ---- a chord's body ---- */

/* A copy that shares nothing which linking changes. */
static json_t *clone_with_members(json_t *signature)
{
    json_t *clone = signature_clone(signature, NULL, NULL, NULL), *members, *task;
    size_t index;
    if (signature_kind(clone) == SIGNATURE_GROUP) {
        members = json_array();
        json_array_foreach(signature_tasks(clone), index, task)
            json_array_append_new(members, clone_with_members(task));
        signature_set_tasks(clone, members);
    } else if (signature_kind(clone) == SIGNATURE_CHORD && signature_body(clone) != NULL) {
        signature_set_body(clone, clone_with_members(signature_body(clone)));
    }
    return clone;
}

static void link_error_to_body(json_t *signature, json_t *errback, bool runs_as_group)
{
    json_t *errbacks = signature_option(signature, "link_error"), *tasks, *task, *clone;
    size_t index;
    switch (signature_kind(signature)) {
    case SIGNATURE_GROUP:
        if (runs_as_group && errbacks != NULL && !json_is_null(errbacks)) {
            clone = signature_clone(errback, NULL, NULL, NULL);
            signature_append_option(signature, "link_error", clone);
            json_decref(clone);
            return;
        }
        tasks = signature_tasks(signature);
        json_array_foreach(tasks, index, task) link_error_to_body(task, errback, false);
        return;
    case SIGNATURE_CHORD:
        if (signature_body(signature) != NULL)
            link_error_to_body(signature_body(signature), errback, true);
        return;
    default:
        link_error_clone(signature, errback);
    }
}

/* Takes the option out; a new array, empty where there was none. */
static json_t *pop_list(json_t *options, const char *name)
{
    json_t *list = json_maybe_list(json_object_get(options, name));
    json_object_del(options, name);
    return list;
}

json_t *signature_link_body(json_t *body, json_t *options)
{
    json_t *callbacks = pop_list(options, "link"), *errbacks = pop_list(options, "link_error"), *each;
    size_t index;
    bool any = json_array_size(callbacks) > 0 || json_array_size(errbacks) > 0;
    json_t *linked = any ? clone_with_members(body) : json_incref(body);
    json_array_foreach(callbacks, index, each)
    {
        json_t *callback = clone_with_members(each);
        if (signature_is_empty_group(linked))
            signature_append_option(linked, "link", callback);
        else
            signature_link(linked, callback);
        json_decref(callback);
    }
    json_array_foreach(errbacks, index, each)
    {
        if (signature_kind(linked) == SIGNATURE_GROUP)
            link_error_to_body(linked, each, true);
        else
            signature_append_option(linked, "link_error", each);
    }
    json_decref(callbacks);
    json_decref(errbacks);
    return linked;
}
