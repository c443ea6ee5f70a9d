#include "celeryc/worker/ping.h"

#include "celeryc/include/celeryc/client.h"

#include <stdio.h>

static bool answers(const struct worker_options *options, struct error *error)
{
    const struct celery_client_options settings = {.broker_url = options->broker};
    struct celery_client *client = celery_client_new(&settings, error);
    if (client == NULL)
        return false;
    json_t *nodes = json_pack("[s]", options->hostname), *replies = NULL;
    bool asked = celery_inspect(client, "ping", NULL, nodes, options->ping_timeout, 1, &replies, error);
    bool answered = asked && json_array_size(replies) > 0;
    if (asked && !answered)
        error_set(error, ERROR_TIMEOUT, "%s does not answer", options->hostname);
    json_decref(nodes);
    json_decref(replies);
    celery_client_free(client);
    return answered;
}

int worker_ping(const struct worker_options *options, const struct celery_worker_program *program)
{
    struct error error = {0};
    if (answers(options, &error) && (program->ready == NULL || program->ready(&error))) {
        if (!options->quiet)
            printf("%s: pong\n", options->hostname);
        return 0;
    }
    fprintf(stderr, "%s: %s\n", program->app, error.message);
    return 1;
}
