/* AMQP field tables <-> JSON: message headers, queue arguments, server properties. Pure.
 *
 * What Celery puts into headers are JSON values, and they come back as such. What AMQP knows beyond JSON is
 * turned into the nearest: timestamps are integers (seconds), decimals and integers over 63 bits reals, NaN
 * and infinities null, bytes and text that is not UTF-8 have U+FFFD in place of each bad byte. A key that
 * occurs twice has its last value. Source: amqp/serialization.py of py-amqp (the kinds that it writes),
 * RabbitMQ's AMQP 0-9-1 errata (the kinds read). */
#ifndef CELERYC_AMQP_TABLE_H
#define CELERYC_AMQP_TABLE_H

#include "common/error.h"

#include <amqp.h>
#include <jansson.h>
#include <stddef.h>

#define TABLE_DEPTH_MOST 32     /* nesting of tables and arrays */
#define TABLE_VALUES_MOST 20000 /* entries of all levels together */

/* A new object; NULL with ERROR_LIMIT when the table is deeper or has more values than allowed, ERROR_MEMORY.
 */
json_t *table_to_json(const amqp_table_t *table, struct error *error);

/* Builds the table in `pool`; text is borrowed from `object`, which must outlive its use. Integers of 32 bits
 * are 'I', others 'l', text 'S', reals 'd', null 'V'. ERROR_INVALID for keys over 255 bytes, ERROR_LIMIT as
 * above. `object` may be NULL: an empty table. */
bool table_from_json(const json_t *object, amqp_pool_t *pool, amqp_table_t *table, struct error *error);

/* Bytes that `object` takes as a table on the wire, its length field included; 0 when it cannot be a table
 * (too deep, too many values, a key over 255 bytes), with `error` filled. */
size_t table_wire_size(const json_t *object, struct error *error);

/* The text as NUL-terminated UTF-8 on the heap, U+FFFD in place of bytes that are no UTF-8 and of NULs; NULL
 * when memory is out. */
char *table_text(amqp_bytes_t bytes);

#endif
