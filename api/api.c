#include "api/api.h"

#include <string.h>

static bool is_cut(void *context)
{
    struct api *api = context;
    return atomic_load(&api->cut);
}

static enum s3_style style_of(const char *name)
{
    if (strcmp(name, "path") == 0)
        return S3_STYLE_PATH;
    return strcmp(name, "virtual") == 0 ? S3_STYLE_VIRTUAL : S3_STYLE_AUTO;
}

static struct s3_client *make_s3(struct api *api, double retry_time, struct error *error)
{
    const struct api_settings *settings = &api->settings;
    struct s3_settings s3 = {
        .endpoint = settings->s3_endpoint,
        .region = settings->s3_region,
        .access_key = settings->s3_access_key,
        .secret_key = settings->s3_secret_key,
        .session_token = settings->s3_session_token,
        .style = style_of(settings->s3_style),
        .ca_file = settings->s3_ca_file,
        .connect_timeout = retry_time < 5 ? retry_time : 5,
        .stall_timeout = retry_time < 20 ? retry_time : 20,
        .retry_time = retry_time,
        .cancelled = is_cut,
        .cancel_context = api,
    };
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
