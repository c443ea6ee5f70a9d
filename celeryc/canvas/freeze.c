/* Ids for all parts of a canvas before any of it is sent. */
#include "celeryc/canvas/canvas.h"
#include "celeryc/canvas/link.h"
#include "common/uuid.h"

#include <string.h>

/* ---- results ---- */

json_t *result_new(const char *id)
{
    return json_pack("{s:s, s:n}", "id", id, "parent");
}

json_t *result_new_group(const char *id, json_t *results)
{
    return json_pack("{s:s, s:n, s:o}", "id", id, "parent", "results", results);
}

const char *result_id(const json_t *result)
{
    return json_string_value(json_object_get(result, "id"));
}

json_t *result_tuple(const json_t *result)
{
    json_t *parent = json_object_get(result, "parent"), *results = json_object_get(result, "results");
    json_t *children = json_null(), *child;
    size_t index;
    if (json_is_array(results)) {
        children = json_array();
        json_array_foreach(results, index, child) json_array_append_new(children, result_tuple(child));
    }
    return json_pack("[[s, o], o]", result_id(result),
                     json_is_object(parent) ? result_tuple(parent) : json_null(), children);
}

/* ---- freezing ---- */

/* Its id: the one it has, the one that is given, or a new one. Borrowed from the options. */
static const char *identify(json_t *signature, const char *given)
{
    char made[UUID_SIZE];
    const char *id = signature_option_text(signature, "task_id");
    if (id != NULL)
        return id;
    if (given == NULL) {
        uuid_make(made);
        given = made;
    }
    signature_set_option(signature, "task_id", json_string(given));
    return signature_option_text(signature, "task_id");
}

static void set_text(json_t *signature, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        signature_set_option(signature, name, json_string(text));
}

static json_t *freeze_task(struct canvas *canvas, json_t *signature, const struct freeze *freeze)
{
    const char *id = identify(signature, freeze->id);
    set_text(signature, "root_id", freeze->root_id);
    set_text(signature, "parent_id", freeze->parent_id);
    if (signature_option(signature, "reply_to") == NULL)
        signature_set_option(signature, "reply_to", json_string(canvas->reply_to));
    if (signature_option(signature, "group_id") == NULL)
        set_text(signature, "group_id", freeze->group_id);
    if (json_truth(freeze->chord))
        signature_set_option(signature, "chord", json_incref(freeze->chord));
    if (freeze->group_index != NULL)
        signature_set_option(signature, "group_index", json_incref(freeze->group_index));
    return result_new(id);
}

/* Flattens groups in the group; each task is cloned, frozen and added to `tasks`. */
static json_t *freeze_members(struct canvas *canvas, json_t *group, const struct freeze *freeze,
                              json_t *tasks)
{
    json_t *results = json_array(), *stack = json_copy(signature_tasks(group));
    json_int_t index = 0;
    while (json_array_size(stack) > 0 && !canvas->failed) {
        json_t *task = signature_clone(json_array_get(stack, 0), NULL, NULL, NULL), *inner;
        size_t each;
        json_array_remove(stack, 0);
        if (signature_kind(task) == SIGNATURE_GROUP) {
            json_array_foreach(signature_tasks(task), each, inner)
                json_array_insert(stack, 0, inner); /* so they come in reverse, as there */
        } else if (signature_kind(task) != SIGNATURE_CHAIN || json_array_size(signature_tasks(task)) > 0) {
            json_t *number = json_integer(index++);
            struct freeze member = {.group_id = freeze->group_id,
                                    .chord = freeze->chord,
                                    .root_id = freeze->root_id,
                                    .parent_id = freeze->parent_id,
                                    .group_index = number};
            json_array_append(tasks, task);
            json_array_append_new(results, canvas_freeze(canvas, task, &member));
            json_decref(number);
        }
        json_decref(task);
    }
    json_decref(stack);
    return results;
}

/* What the option says, else what is given, which becomes the option; NULL: neither. Borrowed. */
static const char *default_option(json_t *signature, const char *name, const char *given)
{
    if (signature_option(signature, name) == NULL)
        signature_set_option(signature, name, given == NULL ? NULL : json_string(given));
    return signature_option_text(signature, name);
}

json_t *canvas_freeze_group(struct canvas *canvas, json_t *group, const struct freeze *freeze)
{
    const char *id = identify(group, NULL);
    set_text(group, "group_id", freeze->group_id);
    if (json_truth(freeze->chord))
        signature_set_option(group, "chord", json_incref(freeze->chord));
    if (freeze->group_index != NULL)
        signature_set_option(group, "group_index", json_incref(freeze->group_index));
    struct freeze members = *freeze;
    members.root_id = default_option(group, "root_id", freeze->root_id);
    members.parent_id = default_option(group, "parent_id", freeze->parent_id);
    json_t *tasks = json_array(), *results = freeze_members(canvas, group, &members, tasks);
    json_t *shared = signature_tasks(group);
    json_array_clear(shared);
    json_array_extend(shared, tasks);
    json_decref(tasks);
    return result_new_group(id, results);
}

/* Makes `parent` the parent of the first result in the line of parents that has none. */
static bool link_result(struct canvas *canvas, json_t *result, json_t *parent)
{
    json_t *seen = json_object(), *node = result;
    bool linked = false, again = false;
    while (!linked && !again && json_is_object(node)) {
        const char *id = result_id(node);
        again = id == NULL || json_object_get(seen, id) != NULL;
        if (again)
            break;
        json_object_set_new(seen, id, json_true());
        json_t *next = json_object_get(node, "parent");
        linked = !json_is_object(next);
        if (linked)
            json_object_set(node, "parent", parent);
        node = next;
    }
    json_decref(seen);
    return !again || canvas_fail(canvas, ERROR_INVALID, "Recursive result parents");
}

static json_t *freeze_chord(struct canvas *canvas, json_t *chord, const struct freeze *freeze)
{
    json_t *header = signature_tasks(chord), *body = signature_body(chord);
    if (!json_is_object(header)) {
        signature_set_tasks(chord, signature_new_group(json_incref(header)));
        header = signature_tasks(chord);
    }
    if (signature_kind(header) != SIGNATURE_GROUP) {
        canvas_fail(canvas, ERROR_INVALID, "the header of a chord is no group");
        return NULL;
    }
    struct freeze parts = {.parent_id = freeze->parent_id, .root_id = freeze->root_id, .chord = body};
    json_t *header_result = canvas_freeze_group(canvas, header, &parts);
    signature_set_option(chord, "task_id", json_incref(signature_option(header, "task_id")));
    if (body == NULL || canvas->failed) {
        json_decref(header_result);
        if (body == NULL)
            canvas_fail(canvas, ERROR_INVALID, "a chord without a body");
        return NULL;
    }
    struct freeze end = {.id = freeze->id,
                         .root_id = freeze->root_id,
                         .chord = freeze->chord,
                         .group_id = freeze->group_id,
                         .group_index = freeze->group_index};
    json_t *result = canvas_freeze(canvas, body, &end);
    if (result != NULL)
        link_result(canvas, result, header_result);
    json_decref(header_result);
    return result;
}

static json_t *freeze_chain(struct canvas *canvas, json_t *chain, const struct freeze *freeze)
{
    struct prepared prepared;
    struct chain_options options = {.root_id = freeze->root_id,
                                    .last_id = freeze->id,
                                    .group_id = freeze->group_id,
                                    .chord = freeze->chord,
                                    .group_index = freeze->group_index,
                                    .args = signature_args(chain),
                                    .kwargs = signature_kwargs(chain)};
    json_t *result = NULL;
    if (canvas_prepare_steps(canvas, chain, &options, &prepared)) {
        result = json_incref(json_array_get(prepared.results, 0));
        if (result == NULL)
            canvas_fail(canvas, ERROR_INVALID, "an empty chain");
    }
    json_decref(prepared.tasks);
    json_decref(prepared.results);
    return result;
}

json_t *canvas_freeze(struct canvas *canvas, json_t *signature, const struct freeze *freeze)
{
    if (canvas->failed)
        return NULL;
    if (!json_is_object(signature)) {
        canvas_fail(canvas, ERROR_INVALID, "a part of what is to be sent is no signature");
        return NULL;
    }
    switch (signature_kind(signature)) {
    case SIGNATURE_CHAIN:
        return freeze_chain(canvas, signature, freeze);
    case SIGNATURE_GROUP:
        return canvas_freeze_group(canvas, signature, freeze);
    case SIGNATURE_CHORD:
        return freeze_chord(canvas, signature, freeze);
    default:
        return freeze_task(canvas, signature, freeze);
    }
}
