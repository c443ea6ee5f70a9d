/* Setbacks: a task succeeded, but its result could not be stored, since Redis refuses it for good (NOPERM,
 * WRONGTYPE). Requeued at once it would run again at once, without end.
 *
 * Here it runs again in this worker after a pause: 1 s, doubled each time up to 60 s, for as long as it
 * takes, so that nothing is lost when the fault is mended. Meanwhile its delivery is held, and counts against
 * the prefetch: a worker that can store nothing takes nothing more. It holds no lease meanwhile. How often a
 * run was set back is remembered by id, also when its delivery was lost and came again. The event loop's
 * thread only. */
#ifndef CELERYC_WORKER_SETBACK_H
#define CELERYC_WORKER_SETBACK_H

#include "celeryc/worker/worker.h"

/* The request waits for its pause, then is ready again. False, and nothing happens: its delivery is not ours
 * any more, the worker stops, or memory is out; then it is the broker's to deliver it again. */
bool setback_begin(struct worker *worker, struct request *request);
void setback_release(struct request *request); /* it waits no more; without a setback nothing happens */
/* Its result is stored at last. */
void setback_forget(struct worker *worker, const struct request *request);

#endif
