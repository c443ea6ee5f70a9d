/* Mingling: a worker that starts, or is connected anew, asks the others which ids are revoked and what the
 * logical clock is, and tells them what it knows (celery/worker/consumer/mingle.py).
 *
 * It broadcasts `hello`, which its own mailbox answers too. Celery does nothing else for a second at least;
 * here `over` comes as soon as nobody has replied for MINGLE_QUIET seconds after a reply, and after
 * MINGLE_WAIT seconds at the latest; who replies later, within MINGLE_LISTEN seconds, is heard still. One
 * thread (the event loop's) owns it; nothing waits. */
#ifndef CELERYC_CONTROL_MINGLE_H
#define CELERYC_CONTROL_MINGLE_H

#include "celeryc/control/mailbox.h"

#include <ev.h>

#define MINGLE_WAIT 1.0
#define MINGLE_QUIET 0.1
#define MINGLE_LISTEN 30.0

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
