/* A request as inspect shows it (celery/worker/request.py info()). */
#ifndef CELERYC_CONTROL_REQUEST_INFO_H
#define CELERYC_CONTROL_REQUEST_INFO_H

#include "celeryc/control/worker_view.h"

/* {"id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged", "delivery_info",
 * "worker_pid"}; a new reference. `safe`: args and kwargs as the texts that the message has of them, else
 * decoded (a body that is larger than a megabyte is shown as if safe). */
json_t *request_info(const struct request *request, const char *hostname, bool safe);

/* "active", "reserved", "scheduled" or "ready". */
const char *request_state_name(const struct request *request);

#endif
