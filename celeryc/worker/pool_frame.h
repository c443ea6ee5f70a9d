/* The bytes between the worker's parent and a child: frames of a length, a kind and fields.
 *
 *     u32 length of what follows | u8 kind | fields
 *
 * Fields are fixed by the kind (pool_order.h, pool_report.h): numbers in the machine's own order (both ends
 * are one program on one machine), text and bytes with a length before them, JSON in a binary form that keeps
 * what Jansson holds. Pure: no I/O. A reader checks every length against what is there; the first fault makes
 * it fail for good, so that callers check once at the end. */
#ifndef CELERYC_WORKER_POOL_FRAME_H
#define CELERYC_WORKER_POOL_FRAME_H

#include "common/bytes.h"

#include <jansson.h>
#include <stdint.h>

#define FRAME_HEAD 5
#define FRAME_MOST ((size_t)1 << 30)
#define FRAME_JSON_DEPTH 64 /* of headers and delivery info, which AMQP's own nesting keeps far below */

enum frame_kind {
    FRAME_ORDER = 1, /* parent to child: run this */
    FRAME_READY,     /* child to parent: it is up */
    FRAME_STARTED,
    FRAME_UPDATED,
    FRAME_FINISHED,
    FRAME_RETIRING, /* the child asks to be replaced: it has grown too large */
};

/* ---- writing ---- */
struct frame_writer {
    struct bytes *to;
    size_t start;
    bool failed;        /* memory is out, or a limit is reached */
    bool out_of_memory; /* the former: another time it may go */
};
void frame_begin(struct frame_writer *writer, struct bytes *to, enum frame_kind kind);
void frame_put_u8(struct frame_writer *writer, uint8_t value);
void frame_put_u32(struct frame_writer *writer, uint32_t value);
void frame_put_i64(struct frame_writer *writer, int64_t value);
void frame_put_double(struct frame_writer *writer, double value);
void frame_put_text(struct frame_writer *writer, const char *text); /* NULL is kept */
void frame_put_bytes(struct frame_writer *writer, const void *data, size_t size);
void frame_put_json(struct frame_writer *writer, json_t *value); /* NULL is kept */
/* On failure `to` is as it was before frame_begin(): ERROR_MEMORY, or ERROR_LIMIT. */
bool frame_end(struct frame_writer *writer, struct error *error);

/* ---- reading ---- */
struct frame_reader {
    const unsigned char *at, *end;
    bool failed;
};
enum frame_next { FRAME_NEXT_WHOLE, FRAME_NEXT_MORE, FRAME_NEXT_BAD };
/* The frame that begins at data[0]: its kind, its fields in `reader`, its whole size. FRAME_NEXT_MORE: not
 * all of it is there yet (*size is what it takes, 0 when even that is not known). */
enum frame_next frame_next(const char *data, size_t available, enum frame_kind *kind,
                           struct frame_reader *reader, size_t *size);
uint8_t frame_get_u8(struct frame_reader *reader);
uint32_t frame_get_u32(struct frame_reader *reader);
int64_t frame_get_i64(struct frame_reader *reader);
double frame_get_double(struct frame_reader *reader);
const char *frame_get_text(struct frame_reader *reader);                /* borrowed from the frame; or NULL */
const char *frame_get_bytes(struct frame_reader *reader, size_t *size); /* borrowed from the frame */
json_t *frame_get_json(struct frame_reader *reader);                    /* a new reference; or NULL */
bool frame_is_read(const struct frame_reader *reader); /* nothing failed and nothing is left over */

#endif
