/* The Lua scripts that run inside Redis, as text and as the hash by which EVALSHA knows them. Each is a .lua
 * file in this folder, turned into C at build time by embed.py. */
#ifndef CELERYC_RESULTS_SCRIPTS_H
#define CELERYC_RESULTS_SCRIPTS_H

#include <stddef.h>

struct redis_script {
    const char *text;
    size_t size;
    const char *sha; /* 40 hex digits */
};

extern const struct redis_script script_store;         /* store.lua */
extern const struct redis_script script_chord_part;    /* chord_part.lua */
extern const struct redis_script script_chord_keep;    /* chord_keep.lua */
extern const struct redis_script script_chord_done;    /* chord_done.lua */
extern const struct redis_script script_lease_hold;    /* lease_hold.lua */
extern const struct redis_script script_lease_release; /* lease_release.lua */

#endif
