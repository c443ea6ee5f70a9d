/* POST /initiate: from a range of dates to a job that is queued. */
#ifndef API_INITIATE_H
#define API_INITIATE_H

#include "api/call.h"

#define INITIATE_BODY_LIMIT 65536 /* bytes */

/* Checks the body, records the job in Redis, publishes the task, waits for the broker's confirm, answers 202
 * with the id. When anything on the way is away the answer is 503 and nothing is left behind. With an
 * Idempotency-Key the same id is given for the same key, whichever API process is asked, and one task is
 * published. */
void initiate_serve(struct call *call);

#endif
