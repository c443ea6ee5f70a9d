/* An order: what a child is told to run, as a frame. Pure. */
#ifndef CELERYC_WORKER_POOL_ORDER_H
#define CELERYC_WORKER_POOL_ORDER_H

#include "celeryc/message/properties.h"
#include "celeryc/worker/pool_frame.h"
#include "celeryc/worker/verdict.h"

struct pool_order {
    uint32_t serial; /* its entry in the page */
    uint32_t type;   /* index into the table of task types */
    bool redelivered;
    int lost_runs;          /* how often a worker was lost while it ran this */
    double soft_time_limit; /* seconds; 0 none */
    double time_limit;      /* seconds; 0 none. The parent sees to it, the task may ask */
    struct wire_message wire;
    struct verdict verdict; /* with a state: nothing is run, this is stored and told */
};

/* Appends the order. The wire message is only read. */
bool pool_order_put(struct bytes *to, const struct pool_order *order, struct error *error);

/* Reads it. All text and the body are borrowed from the frame, only wire.headers and verdict.exception are
 * owned: end with pool_order_clear(), never with wire_message_clear(). False: not what pool_order_put()
 * makes. */
bool pool_order_get(struct frame_reader *reader, struct pool_order *order);
void pool_order_clear(struct pool_order *order);

/* A wire message inside another frame: written, and read as a struct that owns everything. */
void frame_put_wire(struct frame_writer *writer, const struct wire_message *wire);
bool frame_get_wire(struct frame_reader *reader, struct wire_message *wire);
/* The same at once: a copy that shares nothing. False: no memory, or more than a frame takes. */
bool frame_copy_wire(const struct wire_message *from, struct wire_message *to);

#endif
