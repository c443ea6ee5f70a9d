/* JSON read whole: values that Jansson does not hold (integers beyond 64 bits, NaN, lone surrogates) pass
 * through as the text that came. Each becomes a string that begins with a NUL and a mark; json_text_append()
 * writes its text, repr_append() shows it. Pure. */
#ifndef CELERYC_MESSAGE_JSON_WHOLE_H
#define CELERYC_MESSAGE_JSON_WHOLE_H

#include "celeryc/message/json_reader.h"

#include <jansson.h>

/* Any JSON that Python reads, as json_loadb() gives it but for those. ERROR_INVALID: it is none; an object's
 * name that Jansson does not hold; nested too deep. */
json_t *json_whole_load(const char *text, size_t size, struct error *error);

/* The text of a value that passes through; false: it is any other. Borrowed from it. */
bool json_whole_raw(const json_t *value, struct text_slice *raw);

#endif
