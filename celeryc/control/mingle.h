/* Mingling: a worker that starts, or is connected anew, asks the others which ids are revoked and what the
 * logical clock is, and tells them what it knows (celery/worker/consumer/mingle.py).
 *
 * It broadcasts `hello` and takes replies for MINGLE_WAIT seconds at most. Celery always waits that long;
 * here it is over as soon as the worker's own mailbox has had the request and nobody has replied for
 * MINGLE_QUIET seconds. One thread (the event loop's) owns it; nothing waits. */
#ifndef CELERYC_CONTROL_MINGLE_H
#define CELERYC_CONTROL_MINGLE_H

#include "celeryc/control/mailbox.h"

#include <ev.h>

#define MINGLE_WAIT 1.0
#define MINGLE_QUIET 0.1

struct mingle;

struct mingle_options {
    struct mailbox *mailbox; /* on whose connection replies come; must outlive it */
    const struct control_worker *worker;
    struct publisher *publisher; /* of requests; without confirms */
    struct ev_loop *loop;
    void (*over)(void *context); /* nobody is waited for any more; once for each mingle_begin() at least */
    void *context;
};

struct mingle *mingle_new(const struct mingle_options *options, struct error *error);
void mingle_free(struct mingle *mingle);  /* NULL is allowed */
void mingle_begin(struct mingle *mingle); /* nothing when it is under way */

#endif
