/* DELETE /download/<id>: the end of a job, wherever it is. */
#ifndef API_CANCEL_H
#define API_CANCEL_H

#include "api/call.h"

/* Cancels the merge and removes its file: 204, the second time, too; afterwards GET is answered 410. A merge
 * that waits is revoked; one that runs sees the tombstone, stops and aborts its upload. It is not killed by a
 * signal, which would leave that upload behind. */
void cancel_serve(struct call *call);

#endif
