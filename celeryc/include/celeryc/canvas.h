/* Canvases: tasks to be run, as values, and what is composed of them: chains, groups, chords, callbacks.
 *
 * A signature is a JSON object, the very one that Celery has in its messages: {"task", "args", "kwargs",
 * "options", "subtask_type", "immutable"}. So it may be kept, sent to others as an argument, and taken out of
 * arguments. Whoever makes one owns a reference; what is composed of others takes them:
 *
 *     json_t *sum = celery_chord(celery_group(celery_s("demo.add", "[i, i]", 2, 2),
 *                                             celery_s("demo.add", "[i, i]", 4, 4), NULL),
 *                                celery_s("demo.sum", NULL));
 *
 * NULL (no memory, an array that is none ...) in place of a signature makes NULL of what is composed of it,
 * and sending NULL fails with a clear error: only the sending need be checked (but celery_chain() and
 * celery_group() end at a NULL). None of this knows a thread or a connection. Source: celery/canvas.py, whose
 * rules decide how things compose. */
#ifndef CELERYC_CANVAS_H
#define CELERYC_CANVAS_H

#include "celeryc/client.h"
#include "celeryc/task.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* ---- one task ---- */

/* `args` (array) and `kwargs` (object) are taken; NULL: empty. */
json_t *celery_signature(const char *task, json_t *args, json_t *kwargs);
/* The same with its arguments packed as json_pack() does, "[i, s]"; NULL: none. */
json_t *celery_s(const char *task, const char *format, ...);
/* The same, immutable: what a chain or a callback would put before its arguments is left out. */
json_t *celery_si(const char *task, const char *format, ...);

/* Each changes the signature and gives it back. */
json_t *celery_set(json_t *signature, const char *option, json_t *value); /* "queue", "priority", "countdown",
                                                          "task_id", "headers" ...; `value` is taken */
json_t *celery_immutable(json_t *signature);
json_t *celery_link(json_t *signature, json_t *callback);      /* run after a success; `callback` is taken */
json_t *celery_link_error(json_t *signature, json_t *errback); /* run after a failure; `errback` is taken */
/* A copy that may be changed on its own; a new reference. */
json_t *celery_clone(json_t *signature);
/* Whether a value, an argument of a task for example, is a signature, and what it is composed of are some. False
 * for what is nested in itself more than 200 times. */
bool celery_is_signature(const json_t *value);

/* ---- what is composed ---- */

/* Signatures up to a NULL, all taken. A chain in a chain is spliced, a group followed by a task becomes a
 * chord, as Python's `|` does. */
json_t *celery_chain(json_t *first, ...) __attribute__((sentinel));
json_t *celery_group(json_t *first, ...) __attribute__((sentinel));
/* The same of an array, which is taken. */
json_t *celery_chain_of(json_t *signatures);
json_t *celery_group_of(json_t *signatures);
/* `header`: a group, or an array of signatures; `body`: a signature. Both are taken. */
json_t *celery_chord(json_t *header, json_t *body);
/* One task that runs `signature` for each item of `items` (celery_starmap: each an array of arguments);
 * celery_chunks: a group of such tasks, of `size` items each. Taken. */
json_t *celery_map(json_t *signature, json_t *items);
json_t *celery_starmap(json_t *signature, json_t *items);
json_t *celery_chunks(json_t *signature, json_t *items, size_t size);

/* ---- stamps ---- */

/* Headers on every task of a canvas, by which its messages can be known (and revoked). A function gets what
 * is stamped and the stamps so far, and returns further ones (a new reference), or NULL. A name under
 * "stamped_headers" (array) in what it returns chooses which of them are stamps; without it all are. */
typedef json_t *celery_stamp_function(void *context, json_t *signature, json_t *stamps);
struct celery_stamp_visitor { /* NULL: nothing further */
    celery_stamp_function *on_signature, *on_group_start, *on_chain_start, *on_chord_header_start,
        *on_chord_body, *on_callback, *on_errback;
    void *context;
};
/* `visitor` or `stamps` (object, borrowed) may be NULL. Gives the signature back. */
json_t *celery_stamp(json_t *signature, const struct celery_stamp_visitor *visitor, json_t *stamps,
                     bool append);

/* ---- sending ---- */

/* From a client: publishes what is to run first, with the rest in its messages, and waits for the broker's
 * confirms, `timeout` seconds at most. `signature` and `args` (array that goes before its arguments, or NULL)
 * are taken. `*result`, unless NULL, is what Celery calls the result's tuple, [[id, parent], children]:
 * celery_result_id() gives the id to wait for. Errors as celery_send(); a chord needs the result backend. */
bool celery_apply(struct celery_client *client, json_t *signature, json_t *args, double timeout,
                  json_t **result, struct error *error);
/* The id that a result's tuple is about; borrowed from it; NULL: it is no such tuple. */
const char *celery_result_id(const json_t *result);

/* From a task: the same, as the task's child. The result's tuple, a new reference, that may be returned as
 * the task's own value; NULL: the task has failed, to be returned. `signature` is taken. */
json_t *celery_apply_async(struct celery_task *task, json_t *signature);
/* Lets `signature` (taken) run in the task's place, under its id, with all that should follow the task.
 * Returns NULL, to be returned. Source: celery/app/task.py replace. */
json_t *celery_replace(struct celery_task *task, json_t *signature);
/* Adds `signature` (taken) to the header of the chord that the task is part of. As celery_apply_async(); a
 * task that is not part of a chord fails with ValueError. Source: celery/app/task.py add_to_chord. */
json_t *celery_add_to_chord(struct celery_task *task, json_t *signature);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
