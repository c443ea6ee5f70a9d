/* UUIDs of version 4 (RFC 9562, section 5.4) as text, from the kernel's random numbers. Thread- and fork-safe. */
#ifndef COMMON_UUID_H
#define COMMON_UUID_H

#include <stdbool.h>

#define UUID_SIZE 37 /* 36 characters and a NUL */

void uuid_make(char buffer[UUID_SIZE]);

/* Whether `text` is a UUID in the 8-4-4-4-12 form, lower or upper case, of any version. */
bool uuid_is_valid(const char *text);

#endif
