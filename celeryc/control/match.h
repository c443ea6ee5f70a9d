/* Whether a request's pattern means this node (kombu/matcher.py). Pure. */
#ifndef CELERYC_CONTROL_MATCH_H
#define CELERYC_CONTROL_MATCH_H

#include "common/error.h"

/* `matcher` "glob": Python's fnmatch; "pcre": Python's re.match, that is from the start and to any end, read
 * as a POSIX extended expression. ERROR_INVALID (and *matches false) for another matcher or a bad or too long
 * pattern. */
bool control_match(const char *node, const char *pattern, const char *matcher, bool *matches,
                   struct error *error);

#endif
