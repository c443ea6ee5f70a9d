/* Signatures and what is composed of them, for programs (celeryc/canvas.h). */
#include "celeryc/canvas/canvas.h"
#include "celeryc/canvas/compose.h"
#include "celeryc/canvas/link.h"
#include "celeryc/include/celeryc/canvas.h"

#include <stdarg.h>

#define LEVELS_MOST 200 /* of canvases in canvases, where one is looked at as a whole */

/* ---- one task ---- */

json_t *celery_signature(const char *task, json_t *args, json_t *kwargs)
{
    if ((args == NULL || json_is_array(args)) && (kwargs == NULL || json_is_object(kwargs)))
        return signature_new(task, args, kwargs, NULL, NULL, false);
    json_decref(args);
    json_decref(kwargs);
    return NULL;
}

static json_t *packed(const char *task, const char *format, va_list arguments, bool immutable)
{
    json_t *args = NULL;
    if (format != NULL) {
        args = json_vpack_ex(NULL, 0, format, arguments);
        if (!json_is_array(args)) {
            json_decref(args);
            return NULL;
        }
    }
    return signature_new(task, args, NULL, NULL, NULL, immutable);
}

json_t *celery_s(const char *task, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *signature = packed(task, format, arguments, false);
    va_end(arguments);
    return signature;
}

json_t *celery_si(const char *task, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *signature = packed(task, format, arguments, true);
    va_end(arguments);
    return signature;
}

json_t *celery_set(json_t *signature, const char *option, json_t *value)
{
    if (signature == NULL || value == NULL) {
        json_decref(signature);
        json_decref(value);
        return NULL;
    }
    signature_set_option(signature, option, value);
    return signature;
}

/* As set_immutable() of each kind: the tasks of a group, the header of a chord. */
json_t *celery_immutable(json_t *signature)
{
    enum signature_kind kind = signature_kind(signature);
    if (kind != SIGNATURE_GROUP && kind != SIGNATURE_CHORD) {
        if (signature != NULL)
            signature_set_immutable(signature);
        return signature;
    }
    json_t *tasks = signature_tasks(signature), *task;
    size_t index;
    if (json_is_object(tasks))
        tasks = signature_tasks(tasks);
    json_array_foreach(tasks, index, task) celery_immutable(task);
    return signature;
}

json_t *celery_link(json_t *signature, json_t *callback)
{
    if (signature == NULL || callback == NULL) {
        json_decref(signature);
        json_decref(callback);
        return NULL;
    }
    signature_link(signature, callback);
    json_decref(callback);
    return signature;
}

json_t *celery_link_error(json_t *signature, json_t *errback)
{
    if (signature == NULL || errback == NULL) {
        json_decref(signature);
        json_decref(errback);
        return NULL;
    }
    signature_link_error(signature, errback);
    json_decref(errback);
    return signature;
}

json_t *celery_clone(json_t *signature)
{
    return json_is_object(signature) ? signature_clone(signature, NULL, NULL, NULL) : NULL;
}

static bool is_signature(const json_t *value, size_t levels)
{
    const json_t *parts = json_object_get(value, "kwargs"), *task;
    enum signature_kind kind = signature_kind(value);
    size_t index;
    if (levels == 0 || !json_is_string(json_object_get(value, "task")))
        return false;
    if (kind == SIGNATURE_TASK)
        return true;
    if (kind == SIGNATURE_CHORD && !is_signature(json_object_get(parts, "body"), levels - 1))
        return false;
    const json_t *tasks = json_object_get(parts, kind == SIGNATURE_CHORD ? "header" : "tasks");
    if (kind == SIGNATURE_CHORD && json_is_object(tasks)) /* a group, or another chord */
        return is_signature(tasks, levels - 1);
    json_array_foreach(tasks, index, task)
    {
        if (!is_signature(task, levels - 1))
            return false;
    }
    return json_is_array(tasks);
}

bool celery_is_signature(const json_t *value)
{
    return is_signature(value, LEVELS_MOST);
}

/* ---- what is composed ---- */

/* The arguments up to a NULL, as an array. */
static json_t *collect(json_t *first, va_list arguments)
{
    json_t *all = json_array();
    for (json_t *next = first; next != NULL; next = va_arg(arguments, json_t *))
        json_array_append_new(all, next);
    return all;
}

static bool all_signatures(json_t *signatures)
{
    size_t index;
    json_t *signature;
    json_array_foreach(signatures, index, signature)
    {
        if (!json_is_object(signature))
            return false;
    }
    return json_is_array(signatures);
}

json_t *celery_chain_of(json_t *signatures)
{
    json_t *chain = all_signatures(signatures) ? signature_fold(signatures) : NULL;
    json_decref(signatures);
    return chain;
}

json_t *celery_group_of(json_t *signatures)
{
    if (all_signatures(signatures))
        return signature_new_group(signatures);
    json_decref(signatures);
    return NULL;
}

json_t *celery_chain(json_t *first, ...)
{
    va_list arguments;
    va_start(arguments, first);
    json_t *all = collect(first, arguments);
    va_end(arguments);
    return json_array_size(all) == 1 ? signature_new_chain(all) : celery_chain_of(all);
}

json_t *celery_group(json_t *first, ...)
{
    va_list arguments;
    va_start(arguments, first);
    json_t *all = collect(first, arguments);
    va_end(arguments);
    return celery_group_of(all);
}

json_t *celery_chord(json_t *header, json_t *body)
{
    bool good = json_is_object(body) && (json_is_object(header) || all_signatures(header));
    json_t *chord = good ? signature_new_chord(header, body) : NULL;
    json_decref(header);
    json_decref(body);
    return chord;
}

static json_t *mapped(const char *task, json_t *signature, json_t *items)
{
    json_t *kwargs = json_pack("{s:o, s:o}", "task", signature, "it", items);
    return kwargs == NULL ? NULL : signature_new(task, NULL, kwargs, NULL, NULL, true);
}

json_t *celery_map(json_t *signature, json_t *items)
{
    return mapped("celery.map", signature, items);
}

json_t *celery_starmap(json_t *signature, json_t *items)
{
    return mapped("celery.starmap", signature, items);
}

json_t *celery_chunks(json_t *signature, json_t *items, size_t size)
{
    json_t *chunks = json_array(), *part = NULL, *item;
    size_t index;
    json_array_foreach(items, index, item)
    {
        if (size < 2 || index % size == 0) {
            part = json_array();
            json_array_append_new(chunks, mapped("celery.starmap", json_incref(signature), part));
        }
        json_array_append(part, item);
    }
    bool good = json_is_object(signature) && json_is_array(items) && size > 0;
    json_decref(signature);
    json_decref(items);
    if (good)
        return celery_group_of(chunks);
    json_decref(chunks);
    return NULL;
}

const char *celery_result_id(const json_t *result)
{
    return json_string_value(json_array_get(json_array_get(result, 0), 0));
}
