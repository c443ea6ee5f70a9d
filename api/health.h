/* GET and HEAD /healthz and /readyz: for the machinery that starts, watches and routes to the API. */
#ifndef API_HEALTH_H
#define API_HEALTH_H

#include "api/call.h"

/* /healthz: 200 as long as the process answers at all. */
void health_serve_live(struct call *call);

/* /readyz: 200 when broker, Redis and S3 can be reached, else 503 that names which cannot. */
void health_serve_ready(struct call *call);

#endif
