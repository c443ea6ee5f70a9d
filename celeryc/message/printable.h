/* Which characters Python prints in a repr() as they are. Pure. */
#ifndef CELERYC_MESSAGE_PRINTABLE_H
#define CELERYC_MESSAGE_PRINTABLE_H

#include <stdbool.h>

/* str.isprintable() of one character: false for controls, unassigned, private, surrogates, and space but
 * U+0020. Source: Unicode 14.0 general categories C* and Z*, as Python 3.11 has them. */
bool printable_is(unsigned character);

#endif
