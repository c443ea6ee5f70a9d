/* Stamps that are revoked: which headers, with which values. Pure.
 *
 * They are kept as one JSON object {header: {value as JSON text: null}}, owned by the caller, so that a
 * task's stamps are looked up and not searched. Of each header the last STAMPS_VALUES_MOST values are known,
 * of all the last STAMPS_HEADERS_MOST headers. Source: celery/worker/state.py revoked_stamps,
 * celery/worker/request.py revoked(). */
#ifndef CELERYC_WORKER_STAMPS_H
#define CELERYC_WORKER_STAMPS_H

#include <jansson.h>
#include <stdbool.h>

#define STAMPS_HEADERS_MOST 1000
#define STAMPS_VALUES_MOST 10000

/* Adds one value, or each of an array. When memory is out, it is not known. */
void stamps_add(json_t *revoked, const char *header, const json_t *value);
/* Those of a task's values under this header that are revoked; a new array. `stamps`: an object, or NULL. */
json_t *stamps_common(const json_t *revoked, const char *header, const json_t *stamps);
/* The header among `stamped_headers` (an array, or NULL) by which a task is revoked; NULL: by none. Borrowed.
 */
const char *stamps_revoke(const json_t *revoked, const json_t *stamped_headers, const json_t *stamps);

#endif
