#include "schemas/strict_json.h"

#include <string.h>

/* How deep the text nests, at most one more than the limit. Brackets in strings do not count; in text that is
 * no JSON the count may be wrong, which the parser then refuses anyway. */
static int nesting(const char *text, size_t size)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char byte = text[i];
        if (in_string) {
            if (byte == '\\')
                i++;
            else if (byte == '"')
                in_string = false;
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            depth++;
            if (depth > deepest)
                deepest = depth;
            if (deepest > STRICT_JSON_DEPTH)
                return deepest;
        } else if (byte == '}' || byte == ']') {
            depth--;
        }
    }
    return deepest;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0')
            return false;
    }
    return true;
}

json_t *strict_json_read(const char *text, size_t size, struct error *error)
{
    if (is_blank(text, size)) {
        error_set(error, ERROR_INVALID, "the body is empty");
        return NULL;
    }
    if (memchr(text, '\0', size) != NULL) {
        error_set(error, ERROR_INVALID, "a NUL byte is no JSON"); /* Jansson overlooks one behind a number */
        return NULL;
    }
    if (nesting(text, size) > STRICT_JSON_DEPTH) {
        error_set(error, ERROR_LIMIT, "nested deeper than %d", STRICT_JSON_DEPTH);
        return NULL;
    }
    json_error_t reason;
    json_t *value =
        json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &reason);
    if (value == NULL)
        error_set(error, ERROR_INVALID, "line %d, column %d: %s", reason.line, reason.column, reason.text);
    return value;
}
