/* `logmerge-api --check`: asks the API that runs on this machine whether it is alive; for a container's
 * health check. */
#ifndef API_CHECK_H
#define API_CHECK_H

#include "api/settings.h"

/* GET /healthz at the settings' port (and address, unless that means all addresses). ERROR_UNAVAILABLE,
 * ERROR_SYSTEM or ERROR_PROTOCOL when it is not answered with 200 within 5 s. */
bool check_alive(const struct api_settings *settings, struct error *error);

#endif
