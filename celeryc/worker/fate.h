/* A fate: what is to happen when a request has ended and the parent has to see to it: a state stored, who
 * follows told, a message published, the delivery settled, in that order and each only when the one before is
 * done; the event is told before the message is published.
 *
 * A state that nobody follows goes to the asynchronous backend. Where the message names a chord, later steps
 * of a chain or errbacks, a child stores the state and tells them (verdict.h). The same way goes a state with
 * extended results whose message's body is large. A child that dies of it is tried once more; then, and where
 * there is no child to be had any more, the state is stored alone.
 *
 * A message that the broker refuses is offered again after pauses that grow, about 15 seconds in all; then
 * the task has failed.
 *
 * While one is under way the request is SETTLING. Nothing waits: the fate goes on from callbacks of the
 * asynchronous backend, of the pool and of the publisher, on the loop's thread. */
#ifndef CELERYC_WORKER_FATE_H
#define CELERYC_WORKER_FATE_H

#include "celeryc/worker/verdict.h"
#include "celeryc/worker/worker.h"

enum fate_event { FATE_SILENT, FATE_FAILED, FATE_RETRIED };

struct fate {
    const char *state;     /* "FAILURE", "REVOKED", "RETRY": stored first; NULL: nothing is */
    json_t *result;        /* of the state, {"exc_type", ...}; taken */
    const char *traceback; /* or NULL */
    enum verdict_follow
        follow; /* who is told: as of a REVOKED, or of a FAILURE, even if no state is stored */
    struct wire_message *publish; /* then published with a confirm (taken: cleared), or NULL */
    enum settlement how;          /* then the delivery is settled */
    enum fate_event event;        /* and this is told, with the exception's repr */
    const char *exception;
};

/* Text is copied. The request must not be touched afterwards: it may be gone. */
void fate_begin(struct worker *worker, struct request *request, const struct fate *fate);

/* ---- what the pool says of a request with a verdict ---- */
void fate_told(struct request *request, const struct run_result *result);
void fate_untold(struct request *request, bool died); /* the child died of it; or there was none */

/* The worker is over: what waits for a child or for a second try is given up, as far as it is not
 * acknowledged. */
void fate_abandon_all(struct worker *worker);

#endif
