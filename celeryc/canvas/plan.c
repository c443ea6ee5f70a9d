/* The steps of a plan, and the message that a signature's options make. */
#include "celeryc/canvas/canvas.h"
#include "celeryc/message/encode.h"
#include "celeryc/message/iso_time.h"
#include "celeryc/message/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MOST = 10 * 1000 * 1000 };

void canvas_init(struct canvas *canvas)
{
    *canvas = (struct canvas){.reply_to = "", .trail = json_array()};
}

void canvas_clear(struct canvas *canvas)
{
    for (size_t i = 0; i < canvas->count; i++) {
        wire_message_clear(&canvas->steps[i].wire);
        free(canvas->steps[i].group);
        json_decref(canvas->steps[i].tuple);
    }
    free(canvas->steps);
    json_decref(canvas->trail);
    *canvas = (struct canvas){.count = 0};
}

bool canvas_fail(struct canvas *canvas, enum error_code code, const char *format, ...)
{
    if (canvas->failed)
        return false;
    char text[sizeof canvas->error.message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    canvas->failed = true;
    return error_set(&canvas->error, code, "%s", text);
}

bool canvas_allows_chords(struct canvas *canvas)
{
    return canvas->chords_refused == NULL ||
           canvas_fail(canvas, ERROR_UNSUPPORTED, "%s", canvas->chords_refused);
}

/* ---- steps ---- */

static struct canvas_step *add_step(struct canvas *canvas, enum canvas_step_kind kind)
{
    if (canvas->count == STEPS_MOST) {
        canvas_fail(canvas, ERROR_LIMIT, "a canvas of more than %d messages", STEPS_MOST);
        return NULL;
    }
    if (canvas->count == canvas->capacity) {
        size_t capacity = canvas->capacity * 2 + 4;
        struct canvas_step *steps = reallocarray(canvas->steps, capacity, sizeof *steps);
        if (steps == NULL) {
            canvas_fail(canvas, ERROR_MEMORY, "no memory for a canvas");
            return NULL;
        }
        canvas->steps = steps;
        canvas->capacity = capacity;
    }
    struct canvas_step *step = &canvas->steps[canvas->count++];
    *step = (struct canvas_step){.kind = kind};
    wire_message_init(&step->wire);
    return step;
}

static struct canvas_step *add_group_step(struct canvas *canvas, enum canvas_step_kind kind,
                                          const char *group)
{
    struct canvas_step *step = add_step(canvas, kind);
    if (step == NULL)
        return NULL;
    step->group = strdup(group);
    if (step->group == NULL)
        canvas_fail(canvas, ERROR_MEMORY, "no memory for a canvas");
    return step->group == NULL ? NULL : step;
}

bool canvas_plan_chord_size(struct canvas *canvas, const char *group, size_t size)
{
    struct canvas_step *step = add_group_step(canvas, CANVAS_CHORD_SIZE, group);
    if (step != NULL)
        step->size = (json_int_t)size;
    return step != NULL;
}

bool canvas_plan_chord_group(struct canvas *canvas, const char *group, json_t *tuple)
{
    struct canvas_step *step = add_group_step(canvas, CANVAS_CHORD_GROUP, group);
    if (step == NULL)
        json_decref(tuple);
    else
        step->tuple = tuple;
    return step != NULL;
}

/* ---- a message ---- */

/* Texts that a draft lends. */
struct embedded {
    char *callbacks, *errbacks, *chain, *chord;
};

static void embedded_clear(struct embedded *embedded)
{
    free(embedded->callbacks);
    free(embedded->errbacks);
    free(embedded->chain);
    free(embedded->chord);
}

static bool embed(json_t *value, bool list, struct text_slice *slice, char **made, struct error *error)
{
    if (value == NULL || json_is_null(value))
        return true;
    json_t *embedded = list ? json_maybe_list(value) : json_incref(value);
    *made = json_text_dump(embedded, &slice->size, error);
    slice->data = *made;
    json_decref(embedded);
    return *made != NULL;
}

static const char *text(json_t *options, const char *name)
{
    return json_string_value(json_object_get(options, name));
}

static long count(json_t *options, const char *name, long otherwise)
{
    json_t *value = json_object_get(options, name);
    bool good =
        json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) < INT32_MAX;
    return good ? (long)json_integer_value(value) : otherwise;
}

static const struct celery_task_type *find_type(const struct celery_task_type *types, const char *task)
{
    for (; types != NULL && types->name != NULL; types++) {
        if (strcmp(types->name, task) == 0)
            return types;
    }
    return NULL;
}

static enum tristate ignores_result(json_t *options, const struct celery_task_type *type)
{
    json_t *ignore = json_object_get(options, "ignore_result");
    if (ignore != NULL)
        return json_is_null(ignore) ? TRISTATE_UNSET : json_truth(ignore) ? TRISTATE_YES : TRISTATE_NO;
    return type == NULL ? TRISTATE_UNSET : type->ignore_result ? TRISTATE_YES : TRISTATE_NO;
}

static void fill_times(const struct canvas *canvas, json_t *options, const struct celery_task_type *type,
                       struct task_draft *draft)
{
    json_t *countdown = json_object_get(options, "countdown"), *expires = json_object_get(options, "expires");
    json_t *hard = json_object_get(options, "time_limit"),
           *soft = json_object_get(options, "soft_time_limit");
    if (json_is_number(countdown) && json_number_value(countdown) != 0)
        draft->eta = canvas->now + json_number_value(countdown);
    else
        draft->eta_text = text(options, "eta");
    if (json_is_number(expires))
        draft->expires = canvas->now + json_number_value(expires);
    else
        draft->expires_text = json_string_value(expires);
    draft->time_limit = hard != NULL ? json_number_value(hard) : type == NULL ? 0 : type->time_limit;
    draft->soft_time_limit = soft != NULL   ? json_number_value(soft)
                             : type == NULL ? 0
                                            : type->soft_time_limit;
}

static void fill_address(const struct canvas *canvas, json_t *options, struct task_draft *draft)
{
    const char *queue = text(options, "queue"), *exchange = text(options, "exchange");
    const char *key = text(options, "routing_key");
    const char *fallback = canvas->default_queue == NULL ? "celery" : canvas->default_queue;
    if (exchange != NULL && exchange[0] != '\0') {
        draft->exchange = exchange;
        draft->routing_key = key;
    } else {
        draft->routing_key = queue != NULL ? queue : key != NULL ? key : fallback;
    }
    draft->priority = (int)count(options, "priority", -1);
}

/* {name: value} of what is stamped; a new object. */
static json_t *stamps_of(json_t *options)
{
    json_t *stamps = json_object(), *name;
    size_t index;
    json_array_foreach(json_object_get(options, "stamped_headers"), index, name)
    {
        json_t *value = json_is_string(name) ? json_object_get(options, json_string_value(name)) : NULL;
        if (value != NULL)
            json_object_set(stamps, json_string_value(name), value);
    }
    return stamps;
}

static void fill_lineage(const struct canvas *canvas, json_t *options, struct task_draft *draft)
{
    const char *root_id = text(options, "root_id"), *parent_id = text(options, "parent_id");
    if (canvas->task_id != NULL && (root_id == NULL || root_id[0] == '\0'))
        root_id = canvas->root_id == NULL ? canvas->task_id : canvas->root_id;
    if (canvas->task_id != NULL && (parent_id == NULL || parent_id[0] == '\0'))
        parent_id = canvas->task_id;
    draft->root_id = root_id;
    draft->parent_id = parent_id;
}

static void fill_draft(const struct canvas *canvas, json_t *options, const struct celery_task_type *type,
                       struct task_draft *draft)
{
    const char *reply_to = text(options, "reply_to"), *origin = text(options, "origin");
    json_t *headers = json_object_get(options, "headers"),
           *stamped = json_object_get(options, "stamped_headers");
    draft->id = text(options, "task_id");
    draft->shadow = text(options, "shadow");
    draft->group = text(options, "group_id");
    draft->group_index = count(options, "group_index", -1);
    draft->retries = (int)count(options, "retries", 0);
    draft->replaced_task_nesting = (int)count(options, "replaced_task_nesting", 0);
    draft->reply_to = reply_to != NULL && reply_to[0] != '\0' ? reply_to : canvas->reply_to;
    draft->origin = origin != NULL ? origin : canvas->origin;
    draft->argsrepr = text(options, "argsrepr");
    draft->kwargsrepr = text(options, "kwargsrepr");
    draft->ignore_result = ignores_result(options, type);
    draft->headers = json_is_object(headers) ? headers : NULL;
    draft->stamped_headers = json_is_array(stamped) ? stamped : NULL;
    draft->now = canvas->now;
    fill_times(canvas, options, type, draft);
    fill_address(canvas, options, draft);
    fill_lineage(canvas, options, draft);
}

static bool encode(const struct canvas *canvas, const char *task, const struct signature_call *call,
                   struct wire_message *wire, struct error *error)
{
    struct task_draft draft;
    struct embedded embedded = {NULL};
    json_t *options = call->options;
    task_draft_init(&draft);
    fill_draft(canvas, options, find_type(canvas->types, task), &draft);
    draft.task = task;
    draft.args = call->args;
    draft.kwargs = call->kwargs;
    draft.stamps = stamps_of(options);
    bool good =
        embed(json_object_get(options, "link"), true, &draft.callbacks, &embedded.callbacks, error) &&
        embed(json_object_get(options, "link_error"), true, &draft.errbacks, &embedded.errbacks, error) &&
        embed(json_object_get(options, "chain"), false, &draft.chain, &embedded.chain, error) &&
        embed(json_object_get(options, "chord"), false, &draft.chord, &embedded.chord, error) &&
        task_encode(&draft, wire, error);
    if (good && json_is_null(json_object_get(options, "priority")))
        wire->priority = -1; /* said to be none, kombu leaves the property out */
    embedded_clear(&embedded);
    json_decref(draft.stamps);
    return good;
}

bool canvas_plan_message(struct canvas *canvas, const char *task, const struct signature_call *call)
{
    struct error error;
    struct canvas_step *step = add_step(canvas, CANVAS_SEND);
    if (step == NULL)
        return false;
    if (encode(canvas, task, call, &step->wire, &error))
        return true;
    return canvas_fail(canvas, error.code, "%s cannot be sent: %s", task, error.message);
}
