/* Settings: one table that help, parser and docs read. Environment first, flags over it.
 *
 * A program declares an array of `struct setting`, ended by one without a name, each pointing at the variable it fills.
 * setting_read() fills them: default, then environment, then command line. Strings point into argv or the environment
 * (borrowed, valid for the process's life). Not thread-safe: called once, at the start of main. */
#ifndef COMMON_SETTING_H
#define COMMON_SETTING_H

#include "common/error.h"
#include "common/setting_table.h"

#include <stdio.h>

/* Fills all settings of the table from the environment and from argv[1..argc-1] ("--name value", "--name=value", "-n
 * value", "-nvalue"; "--" ends options). Positional arguments are moved to the front of argv (argv[1...]) and counted
 * in *positional, or refused when `positional` is NULL. ERROR_INVALID names the option or variable and what is allowed. */
bool setting_read(const struct setting *table, int argc, char **argv, int *positional, struct error *error);

/* Whether the setting of this name has its default (no text: ""). False: there is none of this name. */
bool setting_is_default(const struct setting *table, const char *name);

/* Prints the table for --help: option, variable, default, meaning; lines of at most 100 columns. */
void setting_print(const struct setting *table, FILE *to);

/* Sets one by name, as the command line would. */
bool setting_set(const struct setting *table, const char *name, const char *value, struct error *error);

#endif
