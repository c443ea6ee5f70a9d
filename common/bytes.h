/* A growing buffer of bytes: the one type through which buffers grow.
 *
 * Invariant: `data` is NULL exactly when `capacity` is 0; `size <= capacity`; `size <= limit`. Contents may hold
 * NULs. `limit` bounds what a peer can make us hold: appending past it fails with ERROR_LIMIT and changes nothing.
 * Not thread-safe; owned by whoever declared it, ended by bytes_clear(). */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include "common/error.h"

#include <stddef.h>

struct bytes {
    char *data;
    size_t size;
    size_t capacity;
    size_t limit; /* most bytes it may ever hold; 0 means BYTES_NO_LIMIT */
};

#define BYTES_NO_LIMIT ((size_t)-1 / 4)

/* ---- life cycle ---- */
void bytes_init(struct bytes *bytes, size_t limit);
void bytes_clear(struct bytes *bytes);            /* frees; the buffer is empty and usable again */
char *bytes_take(struct bytes *bytes, size_t *size); /* the data, NUL-terminated, to be freed by the caller; NULL only
                                                        when memory is out; the buffer is empty afterwards */

/* ---- content ---- */
bool bytes_append(struct bytes *bytes, const void *data, size_t size, struct error *error);
bool bytes_append_text(struct bytes *bytes, const char *text, struct error *error);
bool bytes_append_format(struct bytes *bytes, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void bytes_consume(struct bytes *bytes, size_t count); /* drops the first `count` bytes (at most all) */
void bytes_truncate(struct bytes *bytes, size_t size); /* keeps the first `size` bytes (at most all) */

/* ---- size ---- */
/* Makes room for `extra` more bytes behind `size`; data + size may then be written and size raised. */
bool bytes_reserve(struct bytes *bytes, size_t extra, struct error *error);
/* data as a C string: writes a NUL behind the last byte (not counted). NULL when memory is out. */
const char *bytes_text(struct bytes *bytes);

#endif
