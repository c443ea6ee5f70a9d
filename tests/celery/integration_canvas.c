/* Tasks that send others, are replaced by others, or return signatures. */
#include "integration_tasks.h"

#define TASK(name) "t.integration.tasks." name
#define ADD TASK("add")
#define IDENTITY TASK("identity")

/* ---- sending ---- */

/* Sends it; the task goes on to return None. */
static json_t *send_on(struct celery_task *task, json_t *signature)
{
    json_t *result = celery_apply_async(task, signature);
    json_decref(result);
    return result == NULL ? NULL : json_null();
}

json_t *chain_add(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y;
    if (!celery_args(task, args, kwargs, "x:o y:o", &x, &y))
        return NULL;
    return send_on(task, celery_chain(celery_s(ADD, "[O, O]", x, x), celery_s(ADD, "[O]", y), NULL));
}

json_t *chord_add(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y;
    if (!celery_args(task, args, kwargs, "x:o y:o", &x, &y))
        return NULL;
    return send_on(task,
                   celery_chord(json_pack("[o]", celery_s(ADD, "[O, O]", x, x)), celery_s(ADD, "[O]", y)));
}

/* The result's tuple is the task's value. */
json_t *build_chain_inside_task(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    json_t *group = celery_group(celery_s(ADD, "[i]", 3), celery_s(ADD, "[i]", 4), NULL);
    return celery_apply_async(task, celery_chain(celery_s(ADD, "[i, i]", 1, 1), celery_s(ADD, "[i]", 2),
                                                 group, celery_s(ADD, "[i]", 5), NULL));
}

/* ---- replacing ---- */

json_t *add_replaced(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y;
    if (!celery_args(task, args, kwargs, "x:o y:o", &x, &y))
        return NULL;
    return celery_replace(task, celery_s(ADD, "[O, O]", x, y));
}

json_t *record_replaced_task_nesting(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t replacements;
    json_t *nesting;
    if (!celery_args(task, args, kwargs, "replacements:I nesting:o=null", &replacements, &nesting))
        return NULL;
    json_t *request = celery_task_request(task);
    json_t *levels = json_is_array(nesting) ? json_copy(nesting) : json_array();
    json_array_append(levels, json_object_get(request, "replaced_task_nesting"));
    if (replacements == 0) {
        json_decref(request);
        return levels;
    }
    json_t *replacement = celery_s(TASK("record_replaced_task_nesting"), "[I, o]", replacements - 1, levels);
    celery_set(replacement, "reply_to", json_incref(json_object_get(request, "reply_to")));
    json_decref(request);
    return celery_replace(task, replacement);
}

json_t *add_replaced_with_chain(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *x, *y;
    if (!celery_args(task, args, kwargs, "x:o y:o", &x, &y))
        return NULL;
    return celery_replace(task, celery_chain(celery_s(ADD, "[O, O]", x, y), celery_s(IDENTITY, NULL), NULL));
}

/* redis_echo of what comes, or of `message` whatever comes. */
static json_t *echo_of(json_t *message)
{
    if (json_is_null(message))
        return celery_s(TASK("redis_echo"), NULL);
    return celery_si(TASK("redis_echo"), "[O]", message);
}

json_t *replace_with_chain(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest, *link_msg;
    if (!celery_args(task, args, kwargs, "*args:A link_msg:o=null", &rest, &link_msg))
        return NULL;
    json_t *chain =
        celery_chain(celery_signature(IDENTITY, json_copy(rest), NULL), celery_s(IDENTITY, NULL), NULL);
    return celery_replace(task, celery_link(chain, echo_of(link_msg)));
}

json_t *replace_with_chain_which_raises(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest, *link_msg;
    if (!celery_args(task, args, kwargs, "*args:A link_msg:o=null", &rest, &link_msg))
        return NULL;
    json_t *chain = celery_chain(celery_signature(IDENTITY, json_copy(rest), NULL),
                                 celery_s(TASK("raise_error"), NULL), NULL);
    return celery_replace(task, celery_link_error(chain, echo_of(link_msg)));
}

json_t *replace_with_empty_chain(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    if (!celery_args(task, args, kwargs, "*_:A", &rest))
        return NULL;
    return celery_replace(task, celery_chain_of(json_array()));
}

json_t *replace_with_chain_which_contains_a_group(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    json_t *group = celery_group(celery_s(ADD, "[i]", 1), celery_s(ADD, "[i]", 1), NULL);
    return celery_replace(task, celery_chain(celery_s(ADD, "[i, i]", 1, 2), group, NULL));
}

/* [add.s(num, val) for num in nums]; NULL: it has failed. */
static json_t *add_to_each(struct celery_task *task, json_t *nums, json_t *val)
{
    size_t index;
    json_t *num;
    if (!json_is_array(nums))
        return celery_fail(task, "TypeError", "nums is not iterable");
    json_t *signatures = json_array();
    json_array_foreach(nums, index, num) json_array_append_new(signatures, celery_s(ADD, "[O, O]", num, val));
    return signatures;
}

json_t *add_to_all(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *nums, *val;
    if (!celery_args(task, args, kwargs, "nums:o val:o", &nums, &val))
        return NULL;
    json_t *subtasks = add_to_each(task, nums, val);
    return subtasks == NULL ? NULL : celery_replace(task, celery_group_of(subtasks));
}

static bool add_to_chord(struct celery_task *task, json_t *signature)
{
    json_t *result = celery_add_to_chord(task, signature);
    json_decref(result);
    return result != NULL;
}

json_t *add_to_all_to_chord(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *nums, *val, *signature;
    size_t index;
    if (!celery_args(task, args, kwargs, "nums:o val:o", &nums, &val))
        return NULL;
    json_t *signatures = add_to_each(task, nums, val);
    bool added = signatures != NULL;
    json_array_foreach(signatures, index, signature)
    {
        added = added && add_to_chord(task, json_incref(signature));
    }
    json_decref(signatures);
    return added ? json_integer(0) : NULL;
}

json_t *add_chord_to_chord(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *nums, *val;
    if (!celery_args(task, args, kwargs, "nums:o val:o", &nums, &val))
        return NULL;
    json_t *subtasks = add_to_each(task, nums, val);
    if (subtasks == NULL)
        return NULL;
    json_t *chord = celery_chain(celery_group_of(subtasks), celery_s(TASK("tsum"), NULL), NULL);
    return add_to_chord(task, chord) ? json_integer(0) : NULL;
}

json_t *second_order_replace1(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *state;
    if (!celery_args(task, args, kwargs, "state:o=false", &state))
        return NULL;
    if (python_truth(state))
        return redis_push_text(task, "redis-echo", "Out A") ? json_null() : NULL;
    if (!redis_push_text(task, "redis-echo", "In A"))
        return NULL;
    json_t *out = celery_signature(TASK("second_order_replace1"), NULL, json_pack("{s:b}", "state", true));
    return celery_replace(
        task, celery_chain(celery_s(TASK("second_order_replace2"), NULL), celery_immutable(out), NULL));
}

json_t *second_order_replace2(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *state;
    if (!celery_args(task, args, kwargs, "state:o=false", &state))
        return NULL;
    if (python_truth(state))
        return redis_push_text(task, "redis-echo", "Out B") ? json_null() : NULL;
    if (!redis_push_text(task, "redis-echo", "In B"))
        return NULL;
    json_t *out = celery_signature(TASK("second_order_replace2"), NULL, json_pack("{s:b}", "state", true));
    return celery_replace(
        task, celery_chain(celery_s(TASK("redis_echo"), "[s]", "In/Out C"), celery_immutable(out), NULL));
}

json_t *fail_replaced(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *rest;
    if (!celery_args(task, args, kwargs, "*args:A", &rest))
        return NULL;
    return celery_replace(task, celery_immutable(celery_signature(TASK("fail"), json_copy(rest), NULL)));
}

/* ---- stamps ---- */

static json_t *stamp_of_replaced(void *context, json_t *signature, json_t *stamps)
{
    (void)context;
    (void)signature;
    (void)stamps;
    return json_pack("{s:s}", "StampOnReplace", "This is the replaced task");
}

void stamp_on_replace(struct celery_task *task, json_t *signature)
{
    static const struct celery_stamp_visitor visitor = {.on_signature = stamp_of_replaced};
    (void)task;
    celery_stamp(signature, &visitor, NULL, false);
}

json_t *replace_with_stamped_task(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *replace_with;
    if (!celery_args(task, args, kwargs, "replace_with:o=null", &replace_with))
        return NULL;
    if (json_is_null(replace_with))
        return celery_replace(task, celery_s(TASK("replaced_with_me"), NULL));
    return celery_replace(task, celery_clone(replace_with));
}

/* ---- signatures as values ---- */

/* add.s() */
static json_t *a(void)
{
    return celery_s(ADD, NULL);
}

/* [add.s()] */
static json_t *list_of_a(void)
{
    return json_pack("[o]", a());
}

/* Returns it where the task was called without arguments, else fails. */
static json_t *return_signature(struct celery_task *task, json_t *args, json_t *kwargs, json_t *signature)
{
    if (celery_args(task, args, kwargs, ""))
        return signature;
    json_decref(signature);
    return NULL;
}

json_t *return_nested_signature_chain_chain(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_chain(celery_chain(a(), NULL), NULL));
}

json_t *return_nested_signature_chain_group(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_chain(celery_group(a(), NULL), NULL));
}

json_t *return_nested_signature_chain_chord(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_chain(celery_chord(list_of_a(), a()), NULL));
}

json_t *return_nested_signature_group_chain(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_group(celery_chain(a(), NULL), NULL));
}

json_t *return_nested_signature_group_group(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_group(celery_group(a(), NULL), NULL));
}

json_t *return_nested_signature_group_chord(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_group(celery_chord(list_of_a(), a()), NULL));
}

json_t *return_nested_signature_chord_chain(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_chord(celery_chain(a(), NULL), a()));
}

json_t *return_nested_signature_chord_group(struct celery_task *task, json_t *args, json_t *kwargs)
{
    return return_signature(task, args, kwargs, celery_chord(celery_group(a(), NULL), a()));
}

json_t *return_nested_signature_chord_chord(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *inner = celery_chord(list_of_a(), a());
    return return_signature(task, args, kwargs, celery_chord(inner, a()));
}

json_t *rebuild_signature(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *sig_dict;
    if (!celery_args(task, args, kwargs, "sig_dict:o", &sig_dict))
        return NULL;
    if (!celery_is_signature(sig_dict))
        return celery_fail(task, "TypeError", "sig_dict is not a signature object");
    return json_null();
}
