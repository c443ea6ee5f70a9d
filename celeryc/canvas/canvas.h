/* Sending a canvas: what to publish and what to store before, in order, as steps of a plan. Pure: signatures
 * in, encoded messages out; who runs the plan (a child of the worker, a client) does what the steps say.
 *
 * Results are objects {"id", "parent", "results"} as Python's AsyncResult (no "results") and GroupResult,
 * linked by their parents while a canvas is made; result_tuple() gives what is stored and returned of them.
 * Source: celery/canvas.py apply_async, run, freeze, prepare_steps; celery/app/base.py send_task,
 * celery/app/amqp.py as_task_v2. */
#ifndef CELERYC_CANVAS_CANVAS_H
#define CELERYC_CANVAS_CANVAS_H

#include "celeryc/canvas/signature.h"
#include "celeryc/include/celeryc/task.h"
#include "celeryc/message/properties.h"

enum canvas_step_kind {
    CANVAS_SEND,        /* publish `wire` */
    CANVAS_CHORD_SIZE,  /* of the group there are `size` parts */
    CANVAS_CHORD_GROUP, /* the group's header has parts of its own: store its result `tuple` */
};

struct canvas_step {
    enum canvas_step_kind kind;
    struct wire_message wire;
    char *group;
    json_int_t size;
    json_t *tuple;
};

/* Made by canvas_init() over what is borrowed, ended by canvas_clear(). Not thread-safe. */
struct canvas {
    const struct celery_task_type *types; /* tasks that are registered here, whose options count; or NULL */
    const char *reply_to, *origin;        /* of all that is sent */
    const char *default_queue;            /* NULL: "celery" */
    const char *task_id, *root_id;        /* of the task that sends; NULL: a client sends */
    double now;                           /* clock_wall() */
    const char *chords_refused;           /* why no chord can be sent, chord_refusal(); NULL: it can */
    bool from_message; /* what is applied was in a message: arguments that stay as they came are shown as a
                          list */

    struct canvas_step *steps;
    size_t count, capacity;
    int depth;     /* of canvas_apply() in itself */
    json_t *trail; /* array of results: what the sending task has as its children */
    bool failed;
    struct error error; /* when failed: the first fault */
};

void canvas_init(struct canvas *canvas);
void canvas_clear(struct canvas *canvas);
/* Notes the first fault; false. */
bool canvas_fail(struct canvas *canvas, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- planning ---- */

/* Signature.apply_async(args, kwargs, **options): plans what it sends; the arguments are borrowed, NULL:
 * none. The result, a new reference; NULL: nothing to wait for (an empty chain), or canvas->failed. */
json_t *canvas_apply(struct canvas *canvas, json_t *signature, json_t *args, json_t *kwargs, json_t *options);

/* What freezing is told; NULL: not said. */
struct freeze {
    const char *id, *group_id, *root_id, *parent_id;
    json_t *chord;
    json_t *group_index;
};
/* Signature.freeze(): gives ids to a canvas in place; the result, a new reference, or NULL when failed. */
json_t *canvas_freeze(struct canvas *canvas, json_t *signature, const struct freeze *freeze);

/* What Task.replace() sends in a task's place; a new reference, or NULL when failed. `request` as
 * celery_task_request() gives it. */
json_t *canvas_replacement(struct canvas *canvas, json_t *signature, json_t *request);

/* ---- results ---- */
json_t *result_new(const char *id);                        /* a task's */
json_t *result_new_group(const char *id, json_t *results); /* takes the array */
const char *result_id(const json_t *result);
json_t *result_tuple(const json_t *result); /* as_tuple(): [[id, parent], children]; a new reference */

/* How many parts of a chord a signature is, _chord._descend(). */
size_t canvas_count_parts(json_t *signature);

/* ---- inside this room ---- */
struct prepared { /* steps and results of a chain, the last one first */
    json_t *tasks, *results;
};
struct chain_options {
    const char *root_id, *last_id, *group_id;
    json_t *link_error, *chord, *group_index, *args, *kwargs;
    bool clone; /* to be sent; else it is frozen in place */
};
bool canvas_prepare_steps(struct canvas *canvas, json_t *chain, const struct chain_options *options,
                          struct prepared *prepared);
/* group._freeze_group_tasks(): the group's result. */
json_t *canvas_freeze_group(struct canvas *canvas, json_t *group, const struct freeze *freeze);

bool canvas_plan_message(struct canvas *canvas, const char *task, const struct signature_call *call);
bool canvas_plan_chord_size(struct canvas *canvas, const char *group, size_t size);
bool canvas_plan_chord_group(struct canvas *canvas, const char *group, json_t *tuple); /* takes */
/* Backend.ensure_chords_allowed(): false, and the canvas has failed with ERROR_UNSUPPORTED. */
bool canvas_allows_chords(struct canvas *canvas);

#endif
