/* Signatures as Celery's messages have them: JSON objects {"task", "args", "kwargs", "options",
 * "subtask_type", "immutable"}, and what Python's class Signature does with such a dict. Pure.
 *
 * Signatures are shared and changed in place exactly where Celery does so: the body of a chord is one object,
 * in the chord and in the options of each task of its header. Whatever a message holds may be given to these
 * functions: what is missing or of a wrong type counts as empty. Source: celery/canvas.py. */
#ifndef CELERYC_CANVAS_SIGNATURE_H
#define CELERYC_CANVAS_SIGNATURE_H

#include <jansson.h>
#include <stdbool.h>

enum signature_kind { SIGNATURE_TASK, SIGNATURE_CHAIN, SIGNATURE_GROUP, SIGNATURE_CHORD };
enum signature_kind signature_kind(const json_t *signature);

/* ---- making ---- */

/* `args`, `kwargs` and `options` are taken; NULL: empty. */
json_t *signature_new(const char *task, json_t *args, json_t *kwargs, json_t *options, const char *kind,
                      bool immutable);
json_t *signature_new_chain(json_t *tasks);                /* takes an array */
json_t *signature_new_group(json_t *tasks);                /* takes an array */
json_t *signature_new_chord(json_t *header, json_t *body); /* borrows; a group's or chain's tasks are the
                                                              header; the body is shared */
/* A new signature with what comes first before its arguments and further options; borrowed, NULL: none. */
json_t *signature_clone(json_t *signature, json_t *args, json_t *kwargs, json_t *options);

/* ---- reading; all borrowed ---- */
json_t *signature_options(json_t *signature);                  /* the object, made where there is none */
json_t *signature_option(json_t *signature, const char *name); /* NULL: absent */
const char *signature_option_text(json_t *signature, const char *name); /* NULL: no text */
json_t *signature_args(json_t *signature);                              /* array */
json_t *signature_kwargs(json_t *signature);                            /* object */
json_t *signature_tasks(
    json_t *signature); /* of a chain or group: the array; a chord's header: array or group; else NULL */
json_t *signature_body(json_t *signature); /* of a chord; NULL: none */
json_t *signature_last(json_t *tasks);     /* of an array; NULL: empty */
bool signature_is_immutable(json_t *signature);
bool signature_is_empty_group(json_t *signature);
/* A group of one is that one. */
json_t *signature_unroll_group(json_t *group);
/* Whether it is a chain that begins with something other than a group. */
bool signature_is_chain_led_by_task(json_t *signature);

/* ---- changing ---- */
void signature_set_option(json_t *signature, const char *name, json_t *value); /* takes; NULL: null */
void signature_set_tasks(json_t *signature, json_t *tasks);                    /* takes */
void signature_set_body(json_t *signature, json_t *body);                      /* takes */
void signature_set_immutable(json_t *signature);
/* Puts `args` before its own, unless that changes nothing. */
void signature_prepend(json_t *signature, json_t *args);

/* ---- Python's rules ---- */
struct signature_call { /* what a signature is called with; owned */
    json_t *args, *kwargs, *options;
};
/* Signature._merge(): group_id and stamps that it has stay; an immutable one keeps its arguments. */
void signature_merge(json_t *signature, json_t *args, json_t *kwargs, json_t *options,
                     struct signature_call *call);
void signature_call_clear(struct signature_call *call);

bool json_truth(const json_t *value); /* bool(value) */
/* maybe_list(): the array itself, or one of the value, or none for null; a new reference. */
json_t *json_maybe_list(json_t *value);
/* array + array, either may be NULL; a new array. */
json_t *json_concat(json_t *first, json_t *second);
/* Sets what is given in `from` in a copy of `to`; a new object. */
json_t *json_updated(json_t *to, json_t *from);

#endif
