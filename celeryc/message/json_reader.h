/* JSON taken apart without being decoded: a document's outer arrays and objects are walked, what is inside
 * them comes as slices of the text, checked to be JSON. So values pass through that no C type holds (integers
 * of any length, NaN).
 *
 * The grammar is that of Python's json.loads() over strict UTF-8: NaN, Infinity, -Infinity and lone
 * surrogates (as escapes) are allowed, control characters in strings are not; integers have at most 4300
 * digits. Pure; takes no stack in proportion to the input. The text must outlive the reader and the slices.
 */
#ifndef CELERYC_MESSAGE_JSON_READER_H
#define CELERYC_MESSAGE_JSON_READER_H

#include "common/error.h"

#include <stddef.h>

struct text_slice { /* bytes inside another text; data NULL: nothing */
    const char *data;
    size_t size;
};

enum { JSON_READER_DEPTH_MOST = 900 }; /* nesting inside a value; Python's own parser ends a little later */

struct json_reader {
    const char *text, *at, *end;
    bool first; /* no value of the container opened last has been read */
};

void json_reader_init(struct json_reader *reader, const char *text, size_t size);

/* The first character of the next value: one of  [ { " t f n N I - 0-9, or '\0' where there is none. Takes
 * nothing. */
char json_reader_peek(struct json_reader *reader);

/* Takes one whole value, without the space around it. ERROR_INVALID with the offset. */
bool json_reader_value(struct json_reader *reader, struct text_slice *value, struct error *error);

/* Takes the opening bracket of the array or object that json_reader_peek() told. */
void json_reader_open(struct json_reader *reader);

/* Takes one element of the array opened last (`key` NULL), or one member of the object (`key` gets the string
 * with its quotes). True with value->data NULL at the closing bracket, which is taken. */
bool json_reader_next(struct json_reader *reader, struct text_slice *key, struct text_slice *value,
                      struct error *error);

/* Whether nothing but space follows. */
bool json_reader_end(struct json_reader *reader, struct error *error);

/* Whether a string with its quotes is `text`, escapes resolved. */
bool text_slice_is(const struct text_slice *string, const char *text);

#endif
