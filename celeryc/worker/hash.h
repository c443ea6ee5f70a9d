/* Hashing of task ids, which clients choose: keyed with a random number of the process, so that nobody can
 * make ids that all fall into one bucket. */
#ifndef CELERYC_WORKER_HASH_H
#define CELERYC_WORKER_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_text(const char *text);
size_t hash_size_for(size_t entries); /* a power of two, at least twice `entries` and 16 */

#endif
