/* What a table of settings is made of: an array of `struct setting`, ended by one without a name. common/setting.h
 * reads it. */
#ifndef COMMON_SETTING_TABLE_H
#define COMMON_SETTING_TABLE_H

#include <stdbool.h>

enum setting_kind {
    SETTING_TEXT,    /* const char ** */
    SETTING_INTEGER, /* long *; within minimum..maximum */
    SETTING_SECONDS, /* double *; seconds, within minimum..maximum; "90", "1.5" */
    SETTING_SIZE,    /* size_t *; bytes, "64M", "1G", "10k" (powers of 1024), within minimum..maximum */
    SETTING_FLAG,    /* bool *; on the command line --name without a value; in the environment 1/0, true/false, yes/no */
};

struct setting {
    const char *name;        /* the long option without the two hyphens */
    char letter;             /* the short option, or 0 */
    const char *environment; /* the variable, or NULL */
    enum setting_kind kind;
    void *value;             /* where it goes; the type follows from kind */
    const char *initial;     /* the default as text, or NULL: then *value is left as it is */
    double minimum, maximum; /* bounds of numbers; both 0: none */
    const char *metavar;     /* how help calls the value: "URL", "N" */
    const char *help;        /* one or more sentences; what it does, its unit */
    bool secret;             /* its value is never printed */
};

#endif
