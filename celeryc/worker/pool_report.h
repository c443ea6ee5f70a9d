/* What a child tells its parent of its runs, as frames. Pure. */
#ifndef CELERYC_WORKER_POOL_REPORT_H
#define CELERYC_WORKER_POOL_REPORT_H

#include "celeryc/worker/pool.h"
#include "celeryc/worker/pool_frame.h"

struct pool_report {
    enum frame_kind kind;      /* READY, STARTED, UPDATED, FINISHED, RETIRING */
    uint32_t serial;           /* STARTED, UPDATED, FINISHED */
    pid_t pid;                 /* READY */
    double started;            /* STARTED, FINISHED: clock_wall() when it was claimed */
    const char *state;         /* UPDATED; borrowed from the frame */
    double memory;             /* RETIRING: bytes of resident memory */
    struct run_result result;  /* FINISHED; text borrowed from the frame */
    struct wire_message retry; /* what result.retry points at; owned */
};

/* Appends one. `report->result.retry` is read from where it points. */
bool pool_report_put(struct bytes *to, const struct pool_report *report, struct error *error);

/* Makes result.stored false in a FINISHED report that begins at `offset`, written when storing was still to
 * come. */
void pool_report_set_unstored(struct bytes *in, size_t offset);

/* Reads one of `kind`; end it with pool_report_clear(), before the frame's bytes are moved. False: no such
 * report. */
bool pool_report_get(enum frame_kind kind, struct frame_reader *reader, struct pool_report *report);
void pool_report_clear(struct pool_report *report);

#endif
