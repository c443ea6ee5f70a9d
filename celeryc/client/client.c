#include "celeryc/client/client_state.h"

#include "celeryc/client/control_exchange.h"
#include "celeryc/results/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_BROKER "amqp://guest:guest@localhost:5672//"
#define DEFAULT_QUEUE "celery"

/* Seconds between attempts to connect. A client's caller waits for an answer, so it tries sooner than a
 * worker does. */
static const struct broker_options broker_defaults = {.retry_first = 0.2, .retry_step = 0.5, .retry_most = 5};

static bool make_publisher(struct celery_client *client, const char *purpose, bool confirm, size_t capacity,
                           struct publisher **publisher, struct error *error)
{
    struct publisher_options options = {.broker = broker_defaults, .confirm = confirm, .capacity = capacity};
    options.broker.urls = client->options.broker_url;
    options.broker.purpose = purpose;
    *publisher = publisher_new(&options, error);
    return *publisher != NULL;
}

static void fill_options(struct celery_client *client, const struct celery_client_options *options)
{
    client->options = *options;
    if (options->broker_url == NULL)
        client->options.broker_url = DEFAULT_BROKER;
    if (options->default_queue == NULL)
        client->options.default_queue = DEFAULT_QUEUE;
    client->pid = getpid();
    if (options->origin != NULL) {
        snprintf(client->origin, sizeof client->origin, "%s", options->origin);
        return;
    }
    char host[256] = "localhost";
    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "localhost");
    host[sizeof host - 1] = '\0';
    snprintf(client->origin, sizeof client->origin, "gen%d@%s", (int)client->pid, host);
}

static bool is_store(const char *url)
{
    return url != NULL && url[0] != '\0' && strncmp(url, "disabled", strlen("disabled")) != 0 &&
           !rpc_is_url(url);
}

static bool connect_all(struct celery_client *client, struct error *error)
{
    if (is_store(client->options.result_backend)) {
        struct celery_store_options store = {.url = client->options.result_backend};
        client->store = celery_store_new(&store, error);
        if (client->store == NULL)
            return false;
    }
    if (!make_publisher(client, "celeryc client: publish", true, 0, &client->publisher, error))
        return false;
    control_declare(client);
    if (client->options.send_events) {
        if (!make_publisher(client, "celeryc client: events", false, 10000, &client->events, error))
            return false;
        sent_event_declare(client);
    }
    return client_declare_queue(client, client->options.default_queue, client->options.queue_arguments,
                                error);
}

struct celery_client *celery_client_new(const struct celery_client_options *options, struct error *error)
{
    struct celery_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a client");
        return NULL;
    }
    pthread_mutex_init(&client->mutex, NULL);
    fill_options(client, options);
    uuid_make(client->oid);
    if (!connect_all(client, error)) {
        celery_client_free(client);
        return NULL;
    }
    return client;
}

void celery_client_free(struct celery_client *client)
{
    if (client == NULL)
        return;
    if (client->publisher != NULL)
        publisher_free(client->publisher, 5.0);
    if (client->events != NULL)
        publisher_free(client->events, 1.0);
    celery_store_free(client->store);
    for (size_t i = 0; i < client->queue_count; i++)
        free(client->queues[i]);
    free(client->queues);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

static bool is_declared(const struct celery_client *client, const char *queue)
{
    for (size_t i = 0; i < client->queue_count; i++) {
        if (strcmp(client->queues[i], queue) == 0)
            return true;
    }
    return false;
}

static bool remember_queue(struct celery_client *client, const char *queue)
{
    char **queues = realloc(client->queues, (client->queue_count + 1) * sizeof *queues);
    if (queues == NULL)
        return false;
    client->queues = queues;
    queues[client->queue_count] = strdup(queue);
    if (queues[client->queue_count] == NULL)
        return false;
    client->queue_count++;
    return true;
}

bool client_declare_queue(struct celery_client *client, const char *queue, json_t *arguments,
                          struct error *error)
{
    bool good = true;
    pthread_mutex_lock(&client->mutex);
    if (!is_declared(client, queue) && client->queue_count < CLIENT_QUEUES_MOST) {
        struct queue_spec spec = {
            .name = queue, .durable = true, .exchange_durable = true, .arguments = arguments};
        good = remember_queue(client, queue);
        if (good)
            publisher_declare(client->publisher, &spec);
    }
    pthread_mutex_unlock(&client->mutex);
    return good || error_set(error, ERROR_MEMORY, "no memory for the queue %.128s", queue);
}

bool celery_client_broker_ready(struct celery_client *client, struct error *error)
{
    return publisher_is_connected(client->publisher, error);
}

bool celery_client_backend_ready(struct celery_client *client, double timeout, struct error *error)
{
    if (client->store == NULL)
        return error_set(error, ERROR_INVALID, "the client has no result backend");
    return celery_store_ping(client->store, timeout, error);
}
