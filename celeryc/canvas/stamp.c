/* Stamps on all tasks of a canvas. Source: celery/canvas.py _stamp_headers, stamp, stamp_links,
 * _merge_dictionaries, StampingVisitor. */
#include "celeryc/canvas/signature.h"
#include "celeryc/include/celeryc/canvas.h"

#include <string.h>

struct stamping {
    const struct celery_stamp_visitor *visitor; /* or NULL */
    bool append;
};

static void stamp(const struct stamping *stamping, json_t *signature, json_t *headers);

/* ---- merging headers ---- */

static bool is_scalar(const json_t *value)
{
    return json_is_number(value) || json_is_string(value) || json_is_boolean(value);
}

/* The value of a header that both have; a new reference. */
static json_t *merge_value(json_t *old, json_t *new, bool append)
{
    json_t *list = append && is_scalar(old) ? json_pack("[O]", old)
                   : json_is_array(old)     ? json_copy(old)
                                            : NULL;
    if (json_is_array(new) && list != NULL) {
        json_array_extend(list, new);
        return list;
    }
    if (append) {
        if (list == NULL)
            list = json_array();
        json_array_append(list, new);
        return list;
    }
    json_decref(list);
    return json_incref(old);
}

static void merge(json_t *into, json_t *from, bool append)
{
    const char *name;
    json_t *value;
    json_object_foreach(from, name, value)
    {
        json_t *old = json_object_get(into, name);
        if (old == NULL)
            json_object_set(into, name, value);
        else if (json_is_object(old) && json_is_object(value))
            merge(old, value, append);
        else
            json_object_set_new(into, name, merge_value(old, value, append));
    }
}

static bool holds(json_t *list, const char *name)
{
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return false;
}

/* Adds the names in `more` that `list` does not hold. */
static void unite(json_t *list, json_t *more)
{
    size_t index;
    json_t *item;
    json_array_foreach(more, index, item)
    {
        if (json_is_string(item) && !holds(list, json_string_value(item)))
            json_array_append(list, item);
    }
}

static void unique(json_t *headers)
{
    json_t *list = json_array();
    unite(list, json_object_get(headers, "stamped_headers"));
    json_object_set_new(headers, "stamped_headers", list);
}

/* Without a list of its own, each member is a stamp. */
static void list_stamps(json_t *headers)
{
    if (json_object_get(headers, "stamped_headers") != NULL)
        return;
    json_t *list = json_array();
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value) json_array_append_new(list, json_string(name));
    json_object_set_new(headers, "stamped_headers", list);
}

/* What a signature's stamps are, of those it comes with, what the visitor says (taken), and its own. */
static json_t *stamp_headers(const struct stamping *stamping, json_t *signature, json_t *visited,
                             bool with_own, json_t *given)
{
    json_t *headers = json_copy(given);
    list_stamps(headers);
    if (visited != NULL) {
        list_stamps(visited);
        merge(headers, visited, stamping->append);
        unique(headers);
        json_decref(visited);
    }
    if (with_own) {
        json_t *own = json_object(), *value, *options = signature_options(signature);
        const char *name;
        unique(headers);
        unite(json_object_get(headers, "stamped_headers"), json_object_get(options, "stamped_headers"));
        json_object_foreach(options, name, value)
        {
            if (holds(json_object_get(headers, "stamped_headers"), name))
                json_object_set(own, name, value);
        }
        merge(headers, own, stamping->append);
        unique(headers);
        json_decref(own);
    }
    return headers;
}

/* NULL: there is no visitor. */
static json_t *visit(const struct stamping *stamping, celery_stamp_function *function, json_t *signature,
                     json_t *headers)
{
    if (stamping->visitor == NULL)
        return NULL;
    json_t *visited = NULL;
    if (function != NULL)
        visited = function(stamping->visitor->context, signature, headers);
    if (json_is_object(visited))
        return visited;
    json_decref(visited);
    return json_object();
}

/* ---- the kinds ---- */

static void stamp_each_link(const struct stamping *stamping, json_t *signature, const char *option,
                            celery_stamp_function *function, json_t *given)
{
    json_t *links = json_maybe_list(signature_option(signature, option)), *link;
    json_t *headers = json_deep_copy(given);
    size_t index;
    json_array_foreach(links, index, link)
    {
        if (!json_is_object(link))
            continue;
        json_t *visited = visit(stamping, function, link, headers);
        json_t *next = stamp_headers(stamping, signature, visited, false, headers);
        json_decref(headers);
        headers = next;
        stamp(stamping, link, headers);
    }
    json_decref(headers);
    json_decref(links);
}

static void stamp_links(const struct stamping *stamping, json_t *signature, json_t *headers)
{
    const struct celery_stamp_visitor *visitor = stamping->visitor;
    stamp_each_link(stamping, signature, "link", visitor == NULL ? NULL : visitor->on_callback, headers);
    stamp_each_link(stamping, signature, "link_error", visitor == NULL ? NULL : visitor->on_errback, headers);
}

static void stamp_all(const struct stamping *stamping, json_t *tasks, json_t *headers)
{
    size_t index;
    json_t *task;
    json_array_foreach(tasks, index, task) stamp(stamping, task, headers);
}

static void stamp_task(const struct stamping *stamping, json_t *signature, json_t *given)
{
    const struct celery_stamp_visitor *visitor = stamping->visitor;
    stamp_links(stamping, signature, given);
    json_t *visited = visit(stamping, visitor == NULL ? NULL : visitor->on_signature, signature, given);
    json_t *headers = stamp_headers(stamping, signature, visited, true, given);
    json_object_update(signature_options(signature), headers);
    json_decref(headers);
}

static void stamp_sequence(const struct stamping *stamping, json_t *signature,
                           celery_stamp_function *function, json_t *given)
{
    json_t *visited = visit(stamping, function, signature, given);
    json_t *headers = stamp_headers(stamping, signature, visited, true, given);
    struct stamping links = *stamping;
    if (signature_kind(signature) == SIGNATURE_CHAIN)
        links.append = false;
    stamp_links(&links, signature, headers);
    stamp_all(stamping, signature_tasks(signature), headers);
    json_decref(headers);
}

static void stamp_chord(const struct stamping *stamping, json_t *chord, json_t *given)
{
    const struct celery_stamp_visitor *visitor = stamping->visitor;
    json_t *tasks = signature_tasks(chord), *body = signature_body(chord), *visited = NULL;
    tasks = json_incref(json_is_object(tasks) ? signature_tasks(tasks) : tasks);
    if (visitor != NULL && visitor->on_chord_header_start != NULL) {
        visited = visit(stamping, visitor->on_chord_header_start, chord, given);
    } else if (visitor != NULL) {
        if (!json_is_object(signature_tasks(chord)))
            signature_set_tasks(chord, signature_new_group(json_incref(tasks)));
        visited = visit(stamping, visitor->on_group_start, signature_tasks(chord), given);
    }
    json_t *headers = stamp_headers(stamping, chord, visited, true, given);
    stamp_links(stamping, chord, headers);
    stamp_all(stamping, tasks, headers);
    if (visitor != NULL && body != NULL) {
        visited = visit(stamping, visitor->on_chord_body, chord, headers);
        json_t *body_headers = stamp_headers(stamping, chord, visited, true, headers);
        stamp(stamping, body, body_headers);
        json_decref(body_headers);
    }
    json_decref(headers);
    json_decref(tasks);
}

static void stamp(const struct stamping *stamping, json_t *signature, json_t *headers)
{
    const struct celery_stamp_visitor *visitor = stamping->visitor;
    switch (signature_kind(signature)) {
    case SIGNATURE_CHAIN:
        stamp_sequence(stamping, signature, visitor == NULL ? NULL : visitor->on_chain_start, headers);
        return;
    case SIGNATURE_GROUP:
        stamp_sequence(stamping, signature, visitor == NULL ? NULL : visitor->on_group_start, headers);
        return;
    case SIGNATURE_CHORD:
        stamp_chord(stamping, signature, headers);
        return;
    default:
        stamp_task(stamping, signature, headers);
    }
}

json_t *celery_stamp(json_t *signature, const struct celery_stamp_visitor *visitor, json_t *stamps,
                     bool append)
{
    struct stamping stamping = {.visitor = visitor, .append = append};
    json_t *headers = json_is_object(stamps) ? json_deep_copy(stamps) : json_object();
    if (json_is_object(signature))
        stamp(&stamping, signature, headers);
    json_decref(headers);
    return signature;
}
