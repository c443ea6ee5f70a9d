#include "api/api.h"

#include <math.h>
#include <string.h>

static bool is_cut(void *context)
{
    struct api *api = context;
    return atomic_load(&api->cut);
}

static struct s3_client *make_s3(struct api *api, double retry_time, struct error *error)
{
    struct s3_settings s3 = s3_options_client(&api->settings.s3);
    s3.connect_timeout = fmin(retry_time, 5);
    s3.stall_timeout = fmin(retry_time, 20);
    s3.retry_time = retry_time;
    s3.cancelled = is_cut;
    s3.cancel_context = api;
    struct s3_client *client = s3_client_new(&s3, error);
    if (client == NULL)
        error_context(error, "S3");
    return client;
}

bool api_init(struct api *api, const struct api_settings *settings, struct error *error)
{
    memset(api, 0, sizeof *api);
    api->settings = *settings;
    atomic_init(&api->draining, false);
    atomic_init(&api->cut, false);
    if (strcmp(settings->queue_type, "quorum") == 0)
        api->queue_arguments = json_pack("{s:s}", "x-queue-type", "quorum");
    struct celery_client_options celery = {
        .broker_url = settings->broker_url,
        .result_backend = settings->result_backend,
        .default_queue = settings->queue,
        .queue_arguments = api->queue_arguments,
        .send_events = settings->send_events,
    };
    struct celery_store_options store = {.url = settings->result_backend, .connections = 64};
    api->s3 = make_s3(api, settings->s3_retry_time, error);
    if (api->s3 == NULL)
        goto failed;
    api->s3_stream = make_s3(api, settings->stream_retry_time, error);
    if (api->s3_stream == NULL)
        goto failed;
    api->store = celery_store_new(&store, error);
    if (api->store == NULL)
        goto failed;
    api->celery = celery_client_new(&celery, error);
    if (api->celery == NULL)
        goto failed;
    return true;
failed:
    api_clear(api);
    return false;
}

void api_clear(struct api *api)
{
    if (api->celery != NULL)
        celery_client_free(api->celery);
    celery_store_free(api->store);
    s3_client_free(api->s3_stream);
    s3_client_free(api->s3);
    json_decref(api->queue_arguments);
    memset(api, 0, sizeof *api);
}
