/* What follows a task: callbacks and the chain's next step after a success, errbacks and the failure of the
 * chain's later steps after a failure. Source: celery/app/trace.py _dispatch_callbacks_and_chain,
 * celery/backends/base.py _fail_chain, _call_task_errbacks; celery/canvas.py Signature._merge,
 * group.apply_async, chain.run. */
#include "celeryc/worker/child_state.h"

#include "celeryc/message/encode.h"
#include "celeryc/message/json_text.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"

#include <stdlib.h>
#include <string.h>

/* Where a signature is sent from: the task that ends, and what goes before the signature's own arguments. */
struct origin {
    struct child *child;
    const struct celery_task *task;
    json_t *first; /* borrowed */
};

/* ---- reading signatures ---- */

static bool read_list(const struct text_slice *text, const char *what, json_t **list, struct error *error)
{
    json_error_t problem;
    *list = NULL;
    if (text->data == NULL)
        return true;
    json_t *value = json_loadb(text->data, text->size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &problem);
    if (value == NULL)
        return error_set(error, ERROR_INVALID, "its %s cannot be read: %s", what, problem.text);
    if (json_is_array(value)) {
        *list = value;
        return true;
    }
    *list = json_pack("[o]", value);
    return *list != NULL || error_set(error, ERROR_MEMORY, "no memory for its %s", what);
}

static const char *text_of(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static double time_of(json_t *options, const char *name)
{
    json_t *value = json_object_get(options, name);
    double wall = 0;
    if (json_is_number(value))
        return clock_wall() + json_number_value(value); /* "expires" and "countdown" are seconds from now */
    if (json_is_string(value) && clock_parse_iso8601(json_string_value(value), true, &wall))
        return wall;
    return 0;
}

static const char *kind_of(json_t *signature)
{
    const char *kind = text_of(signature, "subtask_type");
    return kind == NULL ? "" : kind;
}

/* Its id, given to it when it has none. */
static const char *identify(json_t *signature)
{
    json_t *options = json_object_get(signature, "options");
    char made[UUID_SIZE];
    if (!json_is_object(options)) {
        json_object_set_new(signature, "options", json_object());
        options = json_object_get(signature, "options");
    }
    if (text_of(options, "task_id") == NULL) {
        uuid_make(made);
        json_object_set_new(options, "task_id", json_string(made));
    }
    return text_of(options, "task_id");
}

/* ---- sending one ---- */

/* Options that hold signatures go as JSON text. What was made is freed by the caller. */
static bool embed(json_t *value, struct text_slice *slice, char **made, struct error *error)
{
    *made = NULL;
    if (value == NULL || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0))
        return true;
    *made = json_text_dump(value, &slice->size, error);
    slice->data = *made;
    return *made != NULL;
}

static void stamp(struct task_draft *draft, json_t *options, json_t *stamps)
{
    size_t index;
    json_t *name;
    draft->stamped_headers = json_object_get(options, "stamped_headers");
    json_array_foreach(draft->stamped_headers, index, name)
    {
        json_t *value = json_is_string(name) ? json_object_get(options, json_string_value(name)) : NULL;
        if (value != NULL)
            json_object_set(stamps, json_string_value(name), value);
    }
    draft->stamps = stamps;
}

static void address(struct task_draft *draft, json_t *options, const struct child *child)
{
    const char *queue = text_of(options, "queue"), *exchange = text_of(options, "exchange");
    const char *key = text_of(options, "routing_key");
    const char *fallback = child->options->default_queue == NULL ? "celery" : child->options->default_queue;
    if (exchange != NULL && exchange[0] != '\0') {
        draft->exchange = exchange;
        draft->routing_key = key;
    } else {
        draft->routing_key = queue != NULL ? queue : key != NULL ? key : fallback;
    }
    json_t *priority = json_object_get(options, "priority");
    if (json_is_integer(priority) && json_integer_value(priority) >= 0 && json_integer_value(priority) <= 255)
        draft->priority = (int)json_integer_value(priority);
}

static void fill_options(struct task_draft *draft, json_t *options)
{
    draft->shadow = text_of(options, "shadow");
    draft->group = text_of(options, "group_id");
    draft->reply_to = text_of(options, "reply_to");
    json_t *index = json_object_get(options, "group_index");
    if (json_is_integer(index))
        draft->group_index = (long)json_integer_value(index);
    draft->eta = json_is_number(json_object_get(options, "countdown")) ? time_of(options, "countdown")
                                                                       : time_of(options, "eta");
    draft->expires = time_of(options, "expires");
    draft->time_limit = json_number_value(json_object_get(options, "time_limit"));
    draft->soft_time_limit = json_number_value(json_object_get(options, "soft_time_limit"));
    json_t *ignore = json_object_get(options, "ignore_result");
    if (json_is_boolean(ignore))
        draft->ignore_result = json_is_true(ignore) ? TRISTATE_YES : TRISTATE_NO;
    json_t *nesting = json_object_get(options, "replaced_task_nesting");
    draft->replaced_task_nesting = json_is_integer(nesting) ? (int)json_integer_value(nesting) : 0;
    draft->headers =
        json_is_object(json_object_get(options, "headers")) ? json_object_get(options, "headers") : NULL;
}

/* A new array: what comes first, unless the signature is immutable, then its own arguments. */
static json_t *merged_args(const struct origin *origin, json_t *signature)
{
    json_t *own = json_object_get(signature, "args");
    json_t *args = json_array();
    if (!json_is_true(json_object_get(signature, "immutable")))
        json_array_append(args, origin->first);
    if (json_is_array(own))
        json_array_extend(args, own);
    return args;
}

static bool publish(const struct origin *origin, const struct task_draft *draft, struct error *error)
{
    struct wire_message wire;
    if (task_encode(draft, &wire, error))
        return child_publish(origin->child, &wire, error);
    wire_message_clear(&wire);
    return false;
}

/* Sends a signature of one task. `chain`: the steps after it, in the order in which messages hold them (the
 * next one last), or NULL. */
static bool send_task(const struct origin *origin, json_t *signature, json_t *chain, struct error *error)
{
    struct task_draft draft;
    char *callbacks = NULL, *errbacks = NULL, *chord = NULL, *steps = NULL;
    json_t *stamps = json_object(), *args = merged_args(origin, signature);
    task_draft_init(&draft);
    draft.id = identify(signature);
    json_t *options = json_object_get(signature, "options"), *kwargs = json_object_get(signature, "kwargs");
    draft.task = text_of(signature, "task");
    draft.args = args;
    draft.kwargs = json_is_object(kwargs) ? kwargs : NULL;
    draft.parent_id = origin->task->message->id;
    draft.root_id = origin->task->message->root_id != NULL ? origin->task->message->root_id : draft.parent_id;
    draft.origin = origin->child->options->hostname;
    draft.now = clock_wall();
    fill_options(&draft, options);
    address(&draft, options, origin->child);
    stamp(&draft, options, stamps);
    bool sent =
        embed(json_object_get(options, "link"), &draft.callbacks, &callbacks, error) &&
        embed(json_object_get(options, "link_error"), &draft.errbacks, &errbacks, error) &&
        embed(json_object_get(options, "chord"), &draft.chord, &chord, error) &&
        embed(chain != NULL ? chain : json_object_get(options, "chain"), &draft.chain, &steps, error) &&
        publish(origin, &draft, error);
    if (!sent)
        error_context(error, "%s cannot follow", draft.task == NULL ? "a task without a name" : draft.task);
    json_decref(args);
    json_decref(stamps);
    free(callbacks);
    free(errbacks);
    free(chord);
    free(steps);
    return sent;
}

static json_t *result_tuple(const char *id)
{
    return json_pack("[[s, n], n]", id);
}

/* ---- sending what is made of several ---- */

static bool send_signature(const struct origin *origin, json_t *signature, json_t *chain, json_t *children,
                           struct error *error);

static bool send_group(const struct origin *origin, json_t *signature, json_t *children, struct error *error)
{
    json_t *tasks = json_object_get(json_object_get(signature, "kwargs"), "tasks");
    json_t *members = json_array(), *member;
    const char *group = identify(signature);
    bool sent = true;
    for (size_t i = 0; sent && i < json_array_size(tasks); i++) {
        member = json_array_get(tasks, i);
        identify(member);
        json_t *options = json_object_get(member, "options");
        json_object_set_new(options, "group_id", json_string(group));
        json_object_set_new(options, "group_index", json_integer((json_int_t)i));
        sent = send_signature(origin, member, NULL, members, error);
    }
    json_array_append_new(children, json_pack("[[s, n], o]", group, members));
    return sent;
}

/* The first step is sent with the others in its `chain`, reversed, and behind them what follows the chain
 * itself. */
static bool send_chain(const struct origin *origin, json_t *signature, json_t *after, json_t *children,
                       struct error *error)
{
    json_t *tasks = json_object_get(json_object_get(signature, "kwargs"), "tasks");
    size_t count = json_array_size(tasks);
    if (count == 0)
        return true;
    json_t *steps = after != NULL ? json_copy(after) : json_array();
    for (size_t i = count - 1; i > 0; i--) {
        json_t *step = json_array_get(tasks, i);
        identify(step);
        json_array_append(steps, step);
    }
    bool sent = send_signature(origin, json_array_get(tasks, 0), steps, children, error);
    json_decref(steps);
    return sent;
}

static bool send_signature(const struct origin *origin, json_t *signature, json_t *chain, json_t *children,
                           struct error *error)
{
    const char *kind = kind_of(signature);
    if (!json_is_object(signature))
        return error_set(error, ERROR_INVALID, "what follows is no signature");
    bool has_steps = json_array_size(chain) > 0;
    if (strcmp(kind, "chain") == 0)
        return send_chain(origin, signature, chain, children, error);
    if (strcmp(kind, "group") == 0 && !has_steps)
        return send_group(origin, signature, children, error);
    if (strcmp(kind, "group") == 0 || strcmp(kind, "chord") == 0)
        return error_set(error, ERROR_INVALID, "this worker does not send chords");
    if (!send_task(origin, signature, chain, error))
        return false;
    json_array_append_new(children, result_tuple(identify(signature)));
    return true;
}

static bool send_all(const struct origin *origin, json_t *signatures, json_t *children, struct error *error)
{
    size_t index;
    json_t *signature;
    json_array_foreach(signatures, index, signature)
    {
        if (!send_signature(origin, signature, NULL, children, error))
            return false;
    }
    return true;
}

static bool send_next_step(const struct origin *origin, json_t *chain, json_t *children, struct error *error)
{
    size_t count = json_array_size(chain);
    if (count == 0)
        return true;
    json_t *next = json_incref(json_array_get(chain, count - 1));
    json_array_remove(chain, count - 1);
    bool sent = send_signature(origin, next, chain, children, error);
    json_decref(next);
    return sent;
}

bool follow_success(struct child *child, struct celery_task *task, json_t *result, struct error *error)
{
    const struct task_body *body = &task->body;
    if (body->callbacks.data == NULL && body->chain.data == NULL)
        return true;
    struct origin origin = {.child = child, .task = task, .first = result};
    json_t *callbacks = NULL, *chain = NULL;
    task->children = json_array();
    bool followed = read_list(&body->callbacks, "callbacks", &callbacks, error) &&
                    read_list(&body->chain, "chain", &chain, error) &&
                    send_all(&origin, callbacks, task->children, error) &&
                    send_next_step(&origin, chain, task->children, error);
    json_decref(callbacks);
    json_decref(chain);
    return followed;
}

/* ---- failures ---- */

static void fail_later(struct child *child, const char *id, json_t *exception, const char *traceback)
{
    struct error error;
    struct task_meta meta = {.task_id = id,
                             .status = "FAILURE",
                             .result = exception,
                             .traceback = traceback,
                             .date_done = clock_wall()};
    if (id != NULL && !child_queue_result(child, &meta, &error))
        log_write(LOG_ERROR, id, "the failure of a later step is not stored: %s", error.message);
}

/* Whoever waits for the end of the chain, or of the chord, must hear of it. */
static void fail_chain(struct child *child, json_t *chain, json_t *chord, json_t *exception,
                       const char *traceback)
{
    size_t index;
    json_t *step;
    json_array_foreach(chain, index, step)
    {
        fail_later(child, text_of(json_object_get(step, "options"), "task_id"), exception, traceback);
        json_t *body = json_object_get(json_object_get(step, "kwargs"), "body");
        if (body != NULL)
            fail_later(child, text_of(json_object_get(body, "options"), "task_id"), exception, traceback);
    }
    json_array_foreach(chord, index, step)
        fail_later(child, text_of(json_object_get(step, "options"), "task_id"), exception, traceback);
}

void follow_failure(struct child *child, struct celery_task *task, json_t *exception, const char *traceback)
{
    const struct task_body *body = &task->body;
    struct error error;
    json_t *errbacks = NULL, *chain = NULL, *chord = NULL, *ignored = json_array();
    json_t *id = json_string(task->message->id);
    struct origin origin = {.child = child, .task = task, .first = id};
    bool followed = read_list(&body->chain, "chain", &chain, &error) &&
                    read_list(&body->chord, "chord", &chord, &error) &&
                    read_list(&body->errbacks, "errbacks", &errbacks, &error);
    if (followed) {
        fail_chain(child, chain, chord, exception, traceback);
        followed = send_all(&origin, errbacks, ignored, &error);
    }
    if (!followed)
        log_write(LOG_ERROR, task->message->id, "what follows its failure is not done: %s", error.message);
    json_decref(errbacks);
    json_decref(chain);
    json_decref(chord);
    json_decref(ignored);
    json_decref(id);
}
