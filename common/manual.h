/* A program's manual page, in the language of man(7), out of the same table as its --help.
 *
 * Pure but for the writing; any text may stand in the fields, what roff would take for its own is escaped. */
#ifndef COMMON_MANUAL_H
#define COMMON_MANUAL_H

#include "common/setting_table.h"

#include <stdio.h>

struct manual_entry {
    const char *term, *text;
};

struct manual {
    const char *program; /* the page's name: "logmerge-worker", or a path that ends with it */
    const char *version;
    const char *summary;           /* half a line: what it is */
    const char *about;             /* lines, a blank one between paragraphs */
    const struct setting *options; /* each is shown with its variable, default and bounds */
    /* Sections of their own; each ended by an entry without a term. */
    const struct manual_entry *environment; /* further variables, beside those of the options */
    const struct manual_entry *signals;
    const struct manual_entry *exit_codes;
};

/* Writes the page, of section 1. */
void manual_print(const struct manual *manual, FILE *to);

#endif
