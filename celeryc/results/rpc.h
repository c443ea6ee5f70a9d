/* Results as messages (rpc://): a state of a task goes to the queue that its sender named in `reply_to`,
 * through the default exchange, with the task's id as correlation_id. Nothing is kept anywhere: a task
 * without `reply_to` has no results, and what comes when its reader has gone is lost. Pure. Source:
 * celery/backends/rpc.py store_result. */
#ifndef CELERYC_RESULTS_RPC_H
#define CELERYC_RESULTS_RPC_H

#include "celeryc/message/properties.h"
#include "celeryc/results/backend.h"

/* Whether CELERY_RESULT_BACKEND asks for this: "rpc://". NULL is allowed. */
bool rpc_is_url(const char *url);

/* Whether anybody asked for the states of this task. */
bool rpc_is_wanted(const struct task_meta *meta);

/* Fills `message`, which the caller has initialised and clears in any case, with a wanted state;
 * `persistent`: it survives a restart of the broker in a queue that does (result_persistent). ERROR_INVALID:
 * what JSON cannot hold. */
bool rpc_message(const struct task_meta *meta, bool persistent, struct wire_message *message,
                 struct error *error);

#endif
