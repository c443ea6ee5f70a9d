/* A fate: what is to happen when a request has ended and the parent has to see to it: a state stored, a
 * message published, the delivery settled, in that order and each only when the one before is done; the event
 * is told before the message is published.
 *
 * While one is under way the request is SETTLING. Nothing waits: the fate goes on from callbacks of the
 * asynchronous backend and of the publisher, on the loop's thread. */
#ifndef CELERYC_WORKER_FATE_H
#define CELERYC_WORKER_FATE_H

#include "celeryc/worker/worker.h"

enum fate_event { FATE_SILENT, FATE_FAILED, FATE_RETRIED };

struct fate {
    const char *state;            /* "FAILURE", "REVOKED", "RETRY": stored first; NULL: nothing is */
    json_t *result;               /* of the state, {"exc_type", ...}; taken */
    const char *traceback;        /* or NULL */
    struct wire_message *publish; /* then published with a confirm (taken: cleared), or NULL */
    enum settlement how;          /* then the delivery is settled */
    enum fate_event event;        /* and this is told, with the exception's repr */
    const char *exception;
};

/* Text is copied. The request must not be touched afterwards: it may be gone. */
void fate_begin(struct worker *worker, struct request *request, const struct fate *fate);

#endif
