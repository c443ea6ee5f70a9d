/* JSON from strangers, read strictly (RFC 8259): one value and nothing behind it, valid UTF-8 without a byte
 * order mark, no member twice in one object, nesting bounded before the parser recurses. Pure; thread-safe.
 */
#ifndef SCHEMAS_STRICT_JSON_H
#define SCHEMAS_STRICT_JSON_H

#include "common/error.h"

#include <jansson.h>
#include <stddef.h>

#define STRICT_JSON_DEPTH 32 /* arrays and objects within one another, the outermost counted */

/* Reads the `size` bytes at `text`: any value, not only objects and arrays. Strings may hold NULs (\u0000).
 * NULL with ERROR_INVALID or, for nesting, ERROR_LIMIT, and a sentence that tells where. The caller owns the
 * value. */
json_t *strict_json_read(const char *text, size_t size, struct error *error);

#endif
