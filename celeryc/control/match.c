#include "celeryc/control/match.h"

#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define PATTERN_MOST 256 /* bytes; names of nodes are shorter */
#define REPEATS_MOST 8   /* of * + ? { in an expression, so that matching ends soon whatever it is */

static bool match_expression(const char *node, const char *pattern, bool *matches, struct error *error)
{
    char anchored[PATTERN_MOST + 8], problem[128];
    regex_t expression;
    size_t repeats = 0;
    for (const char *at = pattern; *at != '\0'; at++)
        repeats += strchr("*+?{", *at) != NULL;
    if (repeats > REPEATS_MOST || strchr(pattern, '{') != NULL)
        return error_set(error, ERROR_INVALID, "pattern \"%s\" repeats too much", pattern);
    snprintf(anchored, sizeof anchored, "^(%s)", pattern);
    int result = regcomp(&expression, anchored, REG_EXTENDED | REG_NOSUB);
    if (result != 0) {
        regerror(result, &expression, problem, sizeof problem);
        return error_set(error, ERROR_INVALID, "pattern \"%s\": %s", pattern, problem);
    }
    *matches = regexec(&expression, node, 0, NULL, 0) == 0;
    regfree(&expression);
    return true;
}

bool control_match(const char *node, const char *pattern, const char *matcher, bool *matches,
                   struct error *error)
{
    *matches = false;
    if (strlen(pattern) > PATTERN_MOST)
        return error_set(error, ERROR_INVALID, "a pattern of more than %d bytes", PATTERN_MOST);
    if (strcmp(matcher, "pcre") == 0)
        return match_expression(node, pattern, matches, error);
    if (strcmp(matcher, "glob") != 0)
        return error_set(error, ERROR_INVALID, "No matcher installed for %.64s", matcher);
    *matches = fnmatch(pattern, node, FNM_NOESCAPE) == 0;
    return true;
}
