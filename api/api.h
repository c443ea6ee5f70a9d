/* The state of the API process: its settings and its handles to broker, Redis and S3. One per process, made
 * by main.c, handed down to every request, shared by all of their threads; everything in it is thread-safe.
 */
#ifndef API_API_H
#define API_API_H

#include "api/settings.h"
#include "celeryc/include/celeryc/client.h"
#include "celeryc/include/celeryc/store.h"
#include "s3/client.h"

#include <stdatomic.h>

struct api {
    struct api_settings settings;
    json_t *queue_arguments;      /* what the queue is declared with; NULL: nothing */
    struct celery_client *celery; /* publishes; reads results */
    struct celery_store *store;   /* job records, in the same Redis */
    struct s3_client *s3;         /* gives up soon: what is asked before an answer begins */
    struct s3_client *s3_stream;  /* tries longer: the bodies of downloads */
    atomic_bool draining;         /* SIGTERM came: answers close their connections */
    atomic_bool cut;              /* the time for requests in flight is over: transfers end */
};

/* Makes the handles; connects to nothing yet. `settings` are copied. ERROR_INVALID names a setting. */
bool api_init(struct api *api, const struct api_settings *settings, struct error *error);
void api_clear(struct api *api); /* no request may be running */

#endif
