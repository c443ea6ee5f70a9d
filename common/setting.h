/* Settings: one table that help, parser and docs read. Environment first, flags over it.
 *
 * A program declares an array of `struct setting`, ended by one without a name, each pointing at the variable it fills.
 * setting_read() fills them: default, then environment, then command line. Strings point into argv or the environment
 * (borrowed, valid for the process's life). Not thread-safe: called once, at the start of main. */
#ifndef COMMON_SETTING_H
#define COMMON_SETTING_H

#include "common/error.h"

#include <stdio.h>

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

/* Fills all settings of the table from the environment and from argv[1..argc-1] ("--name value", "--name=value", "-n
 * value", "-nvalue"; "--" ends options). Positional arguments are moved to the front of argv (argv[1...]) and counted
 * in *positional, or refused when `positional` is NULL. ERROR_INVALID names the option or variable and what is allowed. */
bool setting_read(const struct setting *table, int argc, char **argv, int *positional, struct error *error);

/* Prints the table for --help: option, variable, default, meaning; lines of at most 100 columns. */
void setting_print(const struct setting *table, FILE *to);

/* Sets one by name, as the command line would. */
bool setting_set(const struct setting *table, const char *name, const char *value, struct error *error);

#endif
