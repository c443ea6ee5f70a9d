/* How signatures compose: what Python's `|` makes of two, and chain() of many. Pure. Source: celery/canvas.py
 * __or__ of each kind, _fold_chain, unchain_tasks, _unroll_chords, _strip_chord_header_links. */
#ifndef CELERYC_CANVAS_COMPOSE_H
#define CELERYC_CANVAS_COMPOSE_H

#include "celeryc/canvas/signature.h"

/* first | second; borrows both, a new reference (which may be one of them). */
json_t *signature_or(json_t *first, json_t *second);
/* chain(*tasks): borrows an array; the last is shared, the others are cloned. */
json_t *signature_fold(json_t *tasks);

/* Clones of a chain's tasks, with its callbacks on the last and its errbacks on each; a new array. */
json_t *signature_unchain(json_t *chain);
/* A chord followed by all but the first step of its chain body, which becomes its body; a new array. */
json_t *signature_unroll_body(json_t *chord);
/* Does so for all chords among a chain's tasks, in place. */
void signature_unroll_chords(json_t *chain);
/* Takes bodies out of the header tasks of what is about to be sent; they are put back when the header is. */
void signature_strip_header_links(json_t *signature);

#endif
