/* The body of POST /initiate: {"start_date": "YYYY-MM-DD", "end_date": "YYYY-MM-DD"} and nothing else.
 * The same rules as initiate.json, in C. Pure; thread-safe. */
#ifndef SCHEMAS_INITIATE_H
#define SCHEMAS_INITIATE_H

#include "schemas/date_range.h"

#include <jansson.h>

/* Checks a parsed body. When it is right, fills `range` and returns true. Else returns false and makes
 * `*problems` a list of {"pointer": <JSON Pointer, RFC 6901>, "detail": <sentence>} that names every problem,
 * for the caller to free with json_decref(); NULL only when memory is out. Its length is bounded by the
 * number of members in the body. `maximum_days` bounds the range, both ends counted; 0 means any. */
bool initiate_check(const json_t *body, long maximum_days, struct date_range *range, json_t **problems);

#endif
