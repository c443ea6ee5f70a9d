/* Callbacks and errbacks on signatures of every kind. Pure. Source: celery/canvas.py link, link_error,
 * _add_body_callbacks. */
#ifndef CELERYC_CANVAS_LINK_H
#define CELERYC_CANVAS_LINK_H

#include "celeryc/canvas/signature.h"

/* Callbacks and errbacks are shared, not copied, but where Celery copies them. */
void signature_link(json_t *signature, json_t *callback);
void signature_link_error(json_t *signature, json_t *errback);
/* Appends one value, or all of an array, to an option that is a list. */
void signature_append_option(json_t *signature, const char *name, json_t *value); /* unless it is there */
void signature_extend_option(json_t *signature, const char *name, json_t *values);

/* Takes `link` and `link_error` out of `options` and gives them to a chord's body: a new reference to the
 * body to use, a copy where there was anything to link. */
json_t *signature_link_body(json_t *body, json_t *options);

#endif
