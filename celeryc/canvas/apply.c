/* Applying: which messages a canvas begins with. Each kind does what its apply_async() and run() do in
 * celery/canvas.py. */
#include "celeryc/canvas/canvas.h"
#include "celeryc/canvas/compose.h"
#include "celeryc/canvas/link.h"
#include "celeryc/message/repr.h"
#include "common/uuid.h"

#include <stdlib.h>
#include <string.h>

/* The option, taken out; a new reference, NULL: absent. */
static json_t *pop_option(json_t *options, const char *name)
{
    json_t *value = json_incref(json_object_get(options, name));
    json_object_del(options, name);
    return value;
}

static void delete_options(json_t *options, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_del(options, names[i]);
}

static bool adds_to_parent(json_t *options)
{
    json_t *add = json_object_get(options, "add_to_parent");
    return add == NULL || json_truth(add);
}

static void add_trail(struct canvas *canvas, json_t *result)
{
    if (canvas->task_id != NULL)
        json_array_append(canvas->trail, result);
}

/* ---- one task ---- */

/* A copy without those that are null. */
static json_t *given_options(json_t *options)
{
    json_t *given = json_object(), *value;
    const char *name;
    json_object_foreach(options, name, value)
    {
        if (!json_is_null(value))
            json_object_set(given, name, value);
    }
    return given;
}

/* Python shows what came as a JSON array as a list, and as a tuple once it is copied or put together. */
static void show_as_list(const struct canvas *canvas, json_t *signature, json_t *args, json_t *options)
{
    bool as_it_came = signature_is_immutable(signature) || json_array_size(args) == 0;
    if (!canvas->from_message || canvas->depth > 1 || !as_it_came ||
        json_object_get(options, "argsrepr") != NULL)
        return;
    json_t *own = signature_args(signature);
    char *shown = json_array_size(own) > 0 ? repr_value(own, NULL) : NULL;
    if (shown != NULL)
        json_object_set_new(options, "argsrepr", json_string(shown));
    free(shown);
}

static json_t *apply_task(struct canvas *canvas, json_t *signature, json_t *args, json_t *kwargs,
                          json_t *options)
{
    struct signature_call call;
    char made[UUID_SIZE];
    json_t *given = given_options(options), *result = NULL;
    const char *task = json_string_value(json_object_get(signature, "task"));
    signature_merge(signature, args, kwargs, given, &call);
    show_as_list(canvas, signature, args, call.options);
    if (json_string_value(json_object_get(call.options, "task_id")) == NULL) {
        uuid_make(made);
        json_object_set_new(call.options, "task_id", json_string(made));
    }
    if (task == NULL) {
        canvas_fail(canvas, ERROR_INVALID, "a signature without a task's name");
    } else if (canvas_plan_message(canvas, task, &call)) {
        result = result_new(json_string_value(json_object_get(call.options, "task_id")));
        if (adds_to_parent(call.options))
            add_trail(canvas, result);
    }
    signature_call_clear(&call);
    json_decref(given);
    return result;
}

/* ---- chain ---- */

/* What the first task is sent with: the other steps, before those that follow the chain. */
static json_t *first_options(json_t *options, json_t *tasks)
{
    static const char *const consumed[] = {"args",      "kwargs",    "group_id",   "chord",      "task_id",
                                           "link",      "publisher", "producer",   "link_error", "root_id",
                                           "parent_id", "app",       "group_index"};
    json_t *first = json_copy(options), *chain = json_object_get(options, "chain");
    delete_options(first, consumed, sizeof consumed / sizeof consumed[0]);
    json_object_set_new(first, "chain", chain == NULL ? json_copy(tasks) : json_concat(chain, tasks));
    return first;
}

static json_t *apply_chain(struct canvas *canvas, json_t *chain, json_t *args, json_t *kwargs, json_t *given)
{
    json_t *options = json_updated(signature_options(chain), given), *result = NULL;
    json_t *first_args = json_concat(signature_is_immutable(chain) ? NULL : args, signature_args(chain));
    struct prepared prepared;
    struct chain_options prepare = {.args = first_args,
                                    .kwargs = kwargs,
                                    .root_id = json_string_value(json_object_get(options, "root_id")),
                                    .last_id = json_string_value(json_object_get(options, "task_id")),
                                    .group_id = json_string_value(json_object_get(options, "group_id")),
                                    .link_error = json_object_get(options, "link_error"),
                                    .chord = json_object_get(options, "chord"),
                                    .group_index = json_object_get(options, "group_index"),
                                    .clone = true};
    if (json_is_null(prepare.group_index))
        prepare.group_index = NULL;
    if (canvas_prepare_steps(canvas, chain, &prepare, &prepared) && json_array_size(prepared.results) > 0) {
        json_t *link = json_object_get(options, "link");
        if (json_truth(link))
            signature_extend_option(json_array_get(prepared.tasks, 0), "link", link);
        size_t last = json_array_size(prepared.tasks) - 1;
        json_t *first = json_incref(json_array_get(prepared.tasks, last));
        json_array_remove(prepared.tasks, last);
        json_t *first_given = first_options(options, prepared.tasks);
        result = canvas_apply(canvas, first, NULL, NULL, first_given);
        if (last > 0) {
            json_decref(result);
            result = json_incref(json_array_get(prepared.results, 0));
        }
        json_decref(first_given);
        json_decref(first);
    }
    json_decref(prepared.tasks);
    json_decref(prepared.results);
    json_decref(first_args);
    json_decref(options);
    return result;
}

/* ---- group ---- */

struct members { /* of a group, flattened, with ids */
    json_t *tasks, *results;
};

static void prepare_members(struct canvas *canvas, json_t *tasks, const struct freeze *freeze,
                            struct members *members)
{
    size_t index;
    json_t *each;
    json_array_foreach(tasks, index, each)
    {
        json_t *task = signature_clone(each, NULL, NULL, NULL);
        enum signature_kind kind = signature_kind(task);
        if (kind == SIGNATURE_GROUP) {
            prepare_members(canvas, signature_tasks(task), freeze, members);
        } else if (kind != SIGNATURE_CHAIN || json_array_size(signature_tasks(task)) > 0) {
            json_t *number = json_integer((json_int_t)index);
            struct freeze member = *freeze;
            member.group_index = number;
            json_array_append_new(members->results, canvas_freeze(canvas, task, &member));
            json_array_append(members->tasks, task);
            json_decref(number);
        }
        json_decref(task);
    }
}

/* group._apply_tasks(): the size of the chord is known before its last part is sent. */
static void apply_members(struct canvas *canvas, const struct members *members, const char *group_id,
                          json_t *args, json_t *kwargs, json_t *options)
{
    static const char *const own[] = {"chord", "group_index", "producer", "app", "p", "tasks"};
    json_t *chord = json_incref(json_object_get(options, "chord")), *task;
    size_t index, size = 0, count = json_array_size(members->tasks);
    delete_options(options, own, sizeof own / sizeof own[0]);
    json_object_set_new(options, "add_to_parent", json_false());
    json_array_foreach(members->tasks, index, task)
    {
        json_t *each = json_copy(options);
        json_t *body = chord != NULL && !json_is_null(chord) ? chord : signature_option(task, "chord");
        size += canvas_count_parts(task);
        if (body != NULL && !json_is_null(body) && index + 1 == count)
            canvas_plan_chord_size(canvas, group_id, size);
        json_object_set_new(each, "chord", body == NULL ? json_null() : json_incref(body));
        json_decref(canvas_apply(canvas, task, args, kwargs, each));
        json_decref(each);
        if (canvas->failed)
            break;
    }
    json_decref(chord);
}

/* _freeze_gid(): the group's own options and those given, which do not change its group's id or stamps. */
static json_t *group_options(json_t *group, json_t *given)
{
    json_t *options = json_copy(signature_options(group)), *value;
    const char *name;
    json_object_foreach(given, name, value)
    {
        bool fixed = strcmp(name, "group_id") == 0 || strcmp(name, "stamped_headers") == 0;
        if (!fixed || signature_option(group, name) == NULL)
            json_object_set(options, name, value);
    }
    return options;
}

static bool has_links(struct canvas *canvas, json_t *given)
{
    json_t *link = json_object_get(given, "link"), *error = json_object_get(given, "link_error");
    bool links = (link != NULL && !json_is_null(link)) || (error != NULL && !json_is_null(error));
    if (links)
        canvas_fail(canvas, ERROR_INVALID, "Cannot add link to group: use a chord");
    return links;
}

static json_t *apply_group(struct canvas *canvas, json_t *group, json_t *args, json_t *kwargs, json_t *given)
{
    char made[UUID_SIZE];
    if (has_links(canvas, given))
        return NULL;
    if (json_array_size(signature_tasks(group)) == 0)
        return canvas_freeze(canvas, group, &(struct freeze){.id = NULL});
    bool parent = adds_to_parent(given);
    json_t *options = group_options(group, given), *id = pop_option(options, "task_id");
    if (!json_is_string(id)) {
        uuid_make(made);
        json_decref(id);
        id = json_string(made);
    }
    const char *group_id = json_string_value(id);
    struct members members = {.tasks = json_array(), .results = json_array()};
    struct freeze freeze = {.group_id = group_id,
                            .root_id = json_string_value(json_object_get(options, "root_id"))};
    json_object_set(options, "group_id", id);
    prepare_members(canvas, signature_tasks(group), &freeze, &members);
    if (!canvas->failed)
        apply_members(canvas, &members, group_id, args, kwargs, options);
    json_t *result = result_new_group(group_id, json_incref(members.results));
    json_t *only = json_array_get(members.results, 0);
    if (json_array_size(members.results) == 1 && json_object_get(only, "results") != NULL) {
        json_decref(result);
        result = json_incref(only);
    }
    if (parent)
        add_trail(canvas, result);
    json_decref(members.tasks);
    json_decref(members.results);
    json_decref(id);
    json_decref(options);
    return result;
}

/* ---- chord ---- */

size_t canvas_count_parts(json_t *signature)
{
    size_t index, count = 0;
    json_t *tasks = NULL, *task;
    switch (signature_kind(signature)) {
    case SIGNATURE_GROUP:
        tasks = signature_tasks(signature);
        json_array_foreach(tasks, index, task) count += canvas_count_parts(task);
        return count;
    case SIGNATURE_CHAIN:
        tasks = signature_tasks(signature);
        for (index = json_array_size(tasks); index > 0 && count == 0; index--)
            count = canvas_count_parts(json_array_get(tasks, index - 1));
        return count;
    case SIGNATURE_CHORD:
        return signature_body(signature) == NULL ? 0 : canvas_count_parts(signature_body(signature));
    default:
        return 1;
    }
}

/* What apply_async() hands to run(). All owned. */
struct chord_run {
    json_t *header; /* a group that may be changed */
    json_t *body;   /* a clone */
    json_t *args, *kwargs;
    json_t *task_id; /* of the body, or NULL */
    json_t *delay;   /* countdown and eta of the header */
    json_t *options;
};

static void move_delay(json_t *from, json_t *delay)
{
    static const char *const names[] = {"countdown", "eta"};
    for (size_t i = 0; i < 2; i++) {
        json_t *value = pop_option(from, names[i]);
        if (value != NULL && !json_is_null(value) && json_object_get(delay, names[i]) == NULL)
            json_object_set(delay, names[i], value);
        json_decref(value);
    }
}

/* A group with an id. */
static json_t *copy_header(json_t *chord)
{
    json_t *tasks = signature_tasks(chord), *id = signature_option(chord, "task_id");
    bool is_group = json_is_object(tasks);
    json_t *group =
        is_group ? signature_clone(tasks, NULL, NULL, NULL) : signature_new_group(json_copy(tasks));
    char made[UUID_SIZE];
    if (signature_option_text(group, "task_id") == NULL) {
        uuid_make(made);
        bool known = !is_group && json_is_string(id);
        signature_set_option(group, "task_id", known ? json_incref(id) : json_string(made));
    }
    return group;
}

static json_t *body_options(json_t *options)
{
    json_t *kept = json_copy(options);
    json_object_del(kept, "parent_id");
    return kept;
}

/* The body that is called for, with what the options give to it; NULL: there is none. */
static json_t *copy_body(json_t *chord, json_t *kwargs, json_t *options)
{
    json_t *body = json_object_get(kwargs, "body");
    if (!json_is_object(body))
        body = signature_body(chord);
    if (body == NULL)
        return NULL;
    json_t *given = body_options(options), *clone = signature_clone(body, NULL, NULL, given);
    json_decref(given);
    return clone;
}

static void prepare_run(json_t *chord, json_t *args, json_t *kwargs, json_t *given, struct chord_run *run)
{
    static const char *const own[] = {"producer", "publisher", "connection", "router", "result_cls"};
    json_t *options = given == NULL ? json_object() : json_copy(given);
    json_t *link = pop_option(options, "link"), *error = pop_option(options, "link_error");
    json_t *id = pop_option(options, "task_id");
    delete_options(options, own, sizeof own / sizeof own[0]);
    run->delay = json_object();
    move_delay(options, run->delay);
    run->body = copy_body(chord, kwargs, options);
    run->header = copy_header(chord);
    run->args = json_concat(signature_is_immutable(chord) ? NULL : args, signature_args(chord));
    run->kwargs = json_updated(json_object_get(signature_kwargs(chord), "kwargs"), kwargs);
    json_object_del(run->kwargs, "body");
    run->options = json_updated(signature_options(chord), options);
    if (link != NULL)
        json_object_set(run->options, "link", link);
    if (error != NULL)
        json_object_set(run->options, "link_error", error);
    json_t *option_id = pop_option(run->options, "task_id");
    run->task_id = json_is_string(id) ? json_incref(id) : json_incref(option_id);
    move_delay(run->options, run->delay);
    json_decref(options);
    json_decref(link);
    json_decref(error);
    json_decref(id);
    json_decref(option_id);
}

/* Gives the options to the body, and takes out what the header must not get. */
static void settle_options(struct chord_run *run)
{
    static const char *const unlock[] = {"interval", "max_retries", "eager", "app"};
    static const char *const not_header[] = {"chain", "chord", "task_id"};
    delete_options(run->options, unlock, sizeof unlock / sizeof unlock[0]);
    if (json_object_size(run->options) > 0) {
        json_t *body = signature_link_body(run->body, run->options), *given = body_options(run->options);
        json_decref(run->body);
        run->body = body;
        json_object_update(signature_options(body), given);
        json_decref(given);
    }
    delete_options(run->options, not_header, sizeof not_header / sizeof not_header[0]);
}

static bool any_is_group(json_t *results)
{
    size_t index;
    json_t *result;
    json_array_foreach(results, index, result)
    {
        if (json_object_get(result, "results") != NULL)
            return true;
    }
    return false;
}

/* Sends the header, or, when there is none, the body. The header's result. */
static json_t *send_header(struct canvas *canvas, struct chord_run *run, const struct freeze *freeze)
{
    json_t *header_result = canvas_freeze_group(canvas, run->header, freeze);
    json_t *results = json_object_get(header_result, "results");
    if (canvas->failed)
        return header_result;
    if (json_array_size(signature_tasks(run->header)) == 0) {
        json_t *args = json_pack("[[]]");
        json_decref(canvas_apply(canvas, run->body, args, NULL, NULL));
        json_decref(args);
        return header_result;
    }
    if (!canvas_allows_chords(canvas))
        return header_result;
    if (any_is_group(results))
        canvas_plan_chord_group(canvas, freeze->group_id, result_tuple(header_result));
    json_decref(header_result);
    json_t *options = json_updated(run->options, run->delay);
    json_object_set_new(options, "task_id", json_string(freeze->group_id));
    header_result = canvas_apply(canvas, run->header, run->args, run->kwargs, options);
    json_decref(options);
    return header_result;
}

static json_t *run_chord(struct canvas *canvas, struct chord_run *run)
{
    char made[UUID_SIZE];
    json_t *root_id = json_incref(signature_option(run->body, "root_id")), *header_result = NULL;
    settle_options(run);
    if (signature_kind(run->body) == SIGNATURE_CHAIN)
        signature_unroll_chords(run->body);
    if (!json_is_string(run->task_id)) {
        uuid_make(made);
        json_decref(run->task_id);
        run->task_id = json_string(made);
    }
    struct freeze freeze = {.group_id = signature_option_text(run->header, "task_id"),
                            .root_id = json_string_value(root_id),
                            .id = json_string_value(run->task_id)};
    json_t *result = canvas_freeze(canvas, run->body, &freeze);
    if (result != NULL) {
        signature_strip_header_links(run->body);
        freeze.id = NULL;
        freeze.chord = run->body;
        header_result = send_header(canvas, run, &freeze);
        json_object_set(result, "parent", header_result);
    }
    json_decref(header_result);
    json_decref(root_id);
    return result;
}

static json_t *apply_chord(struct canvas *canvas, json_t *chord, json_t *args, json_t *kwargs, json_t *given)
{
    struct chord_run run;
    json_t *result = NULL;
    prepare_run(chord, args, kwargs, given, &run);
    if (run.body == NULL)
        canvas_fail(canvas, ERROR_INVALID, "a chord without a body");
    else
        result = run_chord(canvas, &run);
    json_decref(run.header);
    json_decref(run.body);
    json_decref(run.args);
    json_decref(run.kwargs);
    json_decref(run.task_id);
    json_decref(run.delay);
    json_decref(run.options);
    return result;
}

static json_t *apply(struct canvas *canvas, json_t *signature, json_t *args, json_t *kwargs, json_t *options)
{
    switch (signature_kind(signature)) {
    case SIGNATURE_CHAIN:
        return apply_chain(canvas, signature, args, kwargs, options);
    case SIGNATURE_GROUP:
        return apply_group(canvas, signature, args, kwargs, options);
    case SIGNATURE_CHORD:
        return apply_chord(canvas, signature, args, kwargs, options);
    default:
        return apply_task(canvas, signature, args, kwargs, options);
    }
}

json_t *canvas_apply(struct canvas *canvas, json_t *signature, json_t *args, json_t *kwargs, json_t *options)
{
    if (canvas->failed)
        return NULL;
    if (!json_is_object(signature)) {
        canvas_fail(canvas, ERROR_INVALID, "what is to be sent is no signature");
        return NULL;
    }
    canvas->depth++;
    json_t *result = apply(canvas, signature, args, kwargs, options);
    canvas->depth--;
    return result;
}
