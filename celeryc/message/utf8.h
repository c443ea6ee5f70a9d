/* UTF-8, read strictly (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef CELERYC_MESSAGE_UTF8_H
#define CELERYC_MESSAGE_UTF8_H

#include <stddef.h>

/* Reads one character of at most `size` bytes. Returns its length in bytes (1 to 4), 0 where there is no
 * valid one. */
size_t utf8_read(const char *text, size_t size, unsigned *character);

#endif
