#include "celeryc/canvas/signature.h"

#include <string.h>

/* ---- Python's rules ---- */

bool json_truth(const json_t *value)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_TRUE:
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        return json_number_value(value) != 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    }
    return false;
}

json_t *json_maybe_list(json_t *value)
{
    if (value == NULL || json_is_null(value))
        return json_array();
    return json_is_array(value) ? json_incref(value) : json_pack("[O]", value);
}

json_t *json_concat(json_t *first, json_t *second)
{
    json_t *both = json_array();
    if (json_is_array(first))
        json_array_extend(both, first);
    if (json_is_array(second))
        json_array_extend(both, second);
    return both;
}

json_t *json_updated(json_t *to, json_t *from)
{
    json_t *object = json_is_object(to) ? json_copy(to) : json_object();
    if (json_is_object(from))
        json_object_update(object, from);
    return object;
}

/* ---- reading ---- */

enum signature_kind signature_kind(const json_t *signature)
{
    static const struct {
        const char *name;
        enum signature_kind kind;
    } kinds[] = {{"chain", SIGNATURE_CHAIN}, {"group", SIGNATURE_GROUP}, {"chord", SIGNATURE_CHORD}};
    const char *name = json_string_value(json_object_get(signature, "subtask_type"));
    for (size_t i = 0; name != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    }
    return SIGNATURE_TASK;
}

/* The member of that name, made empty where it is missing or of another type. */
static json_t *member(json_t *signature, const char *name, json_type type)
{
    json_t *value = json_object_get(signature, name);
    if (value != NULL && json_typeof(value) == type)
        return value;
    value = type == JSON_ARRAY ? json_array() : json_object();
    return json_object_set_new(signature, name, value) == 0 ? value : NULL;
}

json_t *signature_options(json_t *signature)
{
    return member(signature, "options", JSON_OBJECT);
}

json_t *signature_option(json_t *signature, const char *name)
{
    return json_object_get(json_object_get(signature, "options"), name);
}

const char *signature_option_text(json_t *signature, const char *name)
{
    return json_string_value(signature_option(signature, name));
}

json_t *signature_args(json_t *signature)
{
    return member(signature, "args", JSON_ARRAY);
}

json_t *signature_kwargs(json_t *signature)
{
    return member(signature, "kwargs", JSON_OBJECT);
}

json_t *signature_tasks(json_t *signature)
{
    enum signature_kind kind = signature_kind(signature);
    if (kind == SIGNATURE_TASK)
        return NULL;
    json_t *kwargs = signature_kwargs(signature);
    const char *name = kind == SIGNATURE_CHORD ? "header" : "tasks";
    json_t *tasks = json_object_get(kwargs, name);
    return json_is_object(tasks) ? tasks : member(kwargs, name, JSON_ARRAY);
}

json_t *signature_body(json_t *signature)
{
    json_t *body = json_object_get(json_object_get(signature, "kwargs"), "body");
    return json_is_object(body) ? body : NULL;
}

json_t *signature_last(json_t *tasks)
{
    size_t count = json_array_size(tasks);
    return count == 0 ? NULL : json_array_get(tasks, count - 1);
}

bool signature_is_immutable(json_t *signature)
{
    return json_truth(json_object_get(signature, "immutable"));
}

bool signature_is_empty_group(json_t *signature)
{
    return signature_kind(signature) == SIGNATURE_GROUP && json_array_size(signature_tasks(signature)) == 0;
}

json_t *signature_unroll_group(json_t *group)
{
    json_t *tasks = signature_tasks(group);
    return json_array_size(tasks) == 1 ? json_array_get(tasks, 0) : group;
}

bool signature_is_chain_led_by_task(json_t *signature)
{
    if (signature == NULL || signature_kind(signature) != SIGNATURE_CHAIN)
        return false;
    json_t *first = json_array_get(signature_tasks(signature), 0);
    return first != NULL && signature_kind(first) != SIGNATURE_GROUP;
}

/* ---- changing ---- */

void signature_set_option(json_t *signature, const char *name, json_t *value)
{
    json_object_set_new(signature_options(signature), name, value == NULL ? json_null() : value);
}

void signature_set_tasks(json_t *signature, json_t *tasks)
{
    const char *name = signature_kind(signature) == SIGNATURE_CHORD ? "header" : "tasks";
    json_object_set_new(signature_kwargs(signature), name, tasks);
}

void signature_set_body(json_t *signature, json_t *body)
{
    json_object_set_new(signature_kwargs(signature), "body", body);
}

void signature_set_immutable(json_t *signature)
{
    json_object_set_new(signature, "immutable", json_true());
}

void signature_prepend(json_t *signature, json_t *args)
{
    if (json_array_size(args) > 0)
        json_object_set_new(signature, "args", json_concat(args, json_object_get(signature, "args")));
}

/* ---- making ---- */

json_t *signature_new(const char *task, json_t *args, json_t *kwargs, json_t *options, const char *kind,
                      bool immutable)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:s?, s:b}", "task", task, "args",
                     args == NULL ? json_array() : args, "kwargs", kwargs == NULL ? json_object() : kwargs,
                     "options", options == NULL ? json_object() : options, "subtask_type", kind, "immutable",
                     immutable);
}

json_t *signature_new_chain(json_t *tasks)
{
    return signature_new("celery.chain", NULL, json_pack("{s:o}", "tasks", tasks), NULL, "chain", false);
}

json_t *signature_new_group(json_t *tasks)
{
    return signature_new("celery.group", NULL, json_pack("{s:o}", "tasks", tasks), NULL, "group", false);
}

/* Clones of all that are signatures. */
static json_t *clone_all(json_t *tasks)
{
    json_t *clones = json_array(), *task;
    size_t index;
    json_array_foreach(tasks, index, task)
    {
        if (json_is_object(task))
            json_array_append_new(clones, signature_clone(task, NULL, NULL, NULL));
    }
    return clones;
}

/* _maybe_group(): the tasks of a header, a new array. */
static json_t *header_tasks(json_t *header)
{
    if (!json_is_object(header))
        return clone_all(header);
    switch (signature_kind(header)) {
    case SIGNATURE_GROUP:
        return json_copy(signature_tasks(header));
    case SIGNATURE_CHAIN:
        return clone_all(signature_tasks(header));
    default:
        return json_pack("[o]", signature_clone(header, NULL, NULL, NULL));
    }
}

json_t *signature_new_chord(json_t *header, json_t *body)
{
    json_t *kwargs = json_pack("{s:{}, s:o, s:O?}", "kwargs", "header", header_tasks(header), "body", body);
    return signature_new("celery.chord", NULL, kwargs, NULL, "chord", false);
}

/* The members of a clone are those that Python's from_dict() of each kind keeps. */
static json_t *clone_chord(json_t *signature, struct signature_call *call)
{
    json_t *body = json_object_get(call->kwargs, "body"), *header = json_object_get(call->kwargs, "header");
    json_t *kwargs = json_copy(call->kwargs);
    json_object_set_new(kwargs, "header", header_tasks(header));
    if (json_is_object(body))
        json_object_set_new(kwargs, "body", signature_clone(body, NULL, NULL, NULL));
    return signature_new(json_string_value(json_object_get(signature, "task")), json_copy(call->args), kwargs,
                         json_deep_copy(call->options), "chord", signature_is_immutable(signature));
}

static json_t *make_clone(json_t *signature, struct signature_call *call)
{
    json_t *tasks = json_object_get(call->kwargs, "tasks");
    json_t *options;
    switch (signature_kind(signature)) {
    case SIGNATURE_CHORD:
        return clone_chord(signature, call);
    case SIGNATURE_CHAIN:
    case SIGNATURE_GROUP:
        options = json_deep_copy(call->options);
        bool chain = signature_kind(signature) == SIGNATURE_CHAIN;
        tasks = chain ? clone_all(tasks) : json_is_array(tasks) ? json_copy(tasks) : json_array();
        return signature_new(chain ? "celery.chain" : "celery.group", NULL,
                             json_pack("{s:o}", "tasks", tasks), options, chain ? "chain" : "group", false);
    default:
        return signature_new(json_string_value(json_object_get(signature, "task")), json_copy(call->args),
                             json_copy(call->kwargs), json_deep_copy(call->options), NULL,
                             signature_is_immutable(signature));
    }
}

json_t *signature_clone(json_t *signature, json_t *args, json_t *kwargs, json_t *options)
{
    struct signature_call call;
    signature_merge(signature, args, kwargs, options, &call);
    json_t *clone = make_clone(signature, &call);
    signature_call_clear(&call);
    return clone;
}

/* ---- merging ---- */

static bool is_stamp(json_t *stamped_headers, const char *name)
{
    size_t index;
    json_t *stamp;
    json_array_foreach(stamped_headers, index, stamp)
    {
        if (json_is_string(stamp) && strcmp(json_string_value(stamp), name) == 0)
            return true;
    }
    return false;
}

static json_t *merged_options(json_t *own, json_t *options)
{
    json_t *merged = json_copy(own), *stamps = json_object_get(own, "stamped_headers"), *value;
    const char *name;
    json_object_foreach(options, name, value)
    {
        bool fixed =
            strcmp(name, "group_id") == 0 || strcmp(name, "stamped_headers") == 0 || is_stamp(stamps, name);
        if (!fixed || json_object_get(own, name) == NULL)
            json_object_set(merged, name, value);
    }
    return merged;
}

void signature_merge(json_t *signature, json_t *args, json_t *kwargs, json_t *options,
                     struct signature_call *call)
{
    bool immutable = signature_is_immutable(signature);
    call->args = json_concat(immutable ? NULL : args, signature_args(signature));
    call->kwargs = json_updated(signature_kwargs(signature), immutable ? NULL : kwargs);
    call->options = merged_options(signature_options(signature), options);
}

void signature_call_clear(struct signature_call *call)
{
    json_decref(call->args);
    json_decref(call->kwargs);
    json_decref(call->options);
}
