/* Numbers as Python prints them. Pure; independent of the locale. */
#ifndef CELERYC_MESSAGE_NUMBER_H
#define CELERYC_MESSAGE_NUMBER_H

#include <stddef.h>

#define NUMBER_TEXT_SIZE 32

/* Writes `value` as Python's repr(float) does: the shortest digits that read back as the same double, "0.1",
 * "1e-05", "1e+16", "3.0", "inf", "-inf", "nan". Returns the length. Source: Python's float.__repr__, format
 * code 'r'. */
size_t number_float_text(double value, char buffer[NUMBER_TEXT_SIZE]);

#endif
