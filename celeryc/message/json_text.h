/* JSON written as Python's json.dumps() writes it: ", " and ": " between, all but ASCII escaped, floats as
 * repr() prints them. So a body, a result or an event of ours is the very text that a Python member of the
 * cluster would have written. */
#ifndef CELERYC_MESSAGE_JSON_TEXT_H
#define CELERYC_MESSAGE_JSON_TEXT_H

#include "common/bytes.h"

#include <jansson.h>

enum { JSON_TEXT_DEPTH_MOST = 1024 }; /* nesting of what is written; ERROR_LIMIT above */

/* Appends `value` (NULL is null). Pure. ERROR_MEMORY, ERROR_LIMIT (depth, or the buffer's). */
bool json_text_append(struct bytes *bytes, const json_t *value, struct error *error);

/* Appends a string of `size` bytes of UTF-8 with its quotes; invalid bytes become U+FFFD. */
bool json_text_append_string(struct bytes *bytes, const char *text, size_t size, struct error *error);

/* The whole as a new string, NUL-terminated, freed by the caller; `size` may be NULL. */
char *json_text_dump(const json_t *value, size_t *size, struct error *error);

#endif
