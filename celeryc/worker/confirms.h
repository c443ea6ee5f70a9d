/* Publishing from the event loop: the outcome of each message comes back to the loop's thread.
 *
 * The publisher calls its callback on a thread of its own; here the outcomes are queued and the loop is
 * woken, so that requests are touched by one thread only. Bounded by what the publisher holds. */
#ifndef CELERYC_WORKER_CONFIRMS_H
#define CELERYC_WORKER_CONFIRMS_H

#include "celeryc/amqp/publisher.h"

#include <ev.h>

struct confirms;

typedef void confirms_done(void *context, enum publish_outcome outcome, const char *reason);

struct confirms *confirms_new(struct publisher *publisher, struct ev_loop *loop, struct error *error);
/* After publisher_free(): outcomes that are still queued are delivered first. */
void confirms_free(struct confirms *confirms);

/* Hands `take` over (cleared on success); `done` is called on the loop's thread, never before this returns.
 */
bool confirms_send(struct confirms *confirms, struct wire_message *take, double deadline, confirms_done *done,
                   void *context, struct error *error);
size_t confirms_pending(const struct confirms *confirms); /* sent, outcome not delivered yet */

#endif
