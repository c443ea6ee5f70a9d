#include "s3/client.h"

#include "s3/client_state.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT 5.0
#define STALL_TIMEOUT 20.0
#define RETRY_TIME 60.0
#define CONNECTIONS 384u
#define CONNECTIONS_LIMIT 4096u

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool copy_text(char **to, const char *text, struct error *error)
{
    if (text == NULL || text[0] == '\0')
        return true;
    *to = strdup(text);
    return *to != NULL || error_set(error, ERROR_MEMORY, "no memory for the settings of S3");
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void clear(struct s3_client *client)
{
    free(client->access_key);
    wipe(client->secret_key);
    wipe(client->session_token);
    free(client->ca_file);
    free(client);
}

static double or_default(double value, double initial)
{
    return value > 0 ? value : initial;
}

static bool copy_settings(struct s3_client *client, const struct s3_settings *settings, struct error *error)
{
    if (!copy_text(&client->access_key, settings->access_key, error) ||
        !copy_text(&client->secret_key, settings->secret_key, error) ||
        !copy_text(&client->session_token, settings->session_token, error) ||
        !copy_text(&client->ca_file, settings->ca_file, error))
        return false;
    if ((client->access_key == NULL) != (client->secret_key == NULL))
        return error_set(error, ERROR_INVALID,
                         "S3 needs both an access key and a secret key, or none of them");
    client->credentials =
        (struct s3_credentials){client->access_key, client->secret_key, client->session_token};
    client->connect_timeout = or_default(settings->connect_timeout, CONNECT_TIMEOUT);
    client->stall_timeout = or_default(settings->stall_timeout, STALL_TIMEOUT);
    client->retry_time = or_default(settings->retry_time, RETRY_TIME);
    client->connections = settings->connections == 0 ? CONNECTIONS : settings->connections;
    if (client->connections > CONNECTIONS_LIMIT)
        return error_set(error, ERROR_INVALID, "at most %u connections to S3", CONNECTIONS_LIMIT);
    client->sign_payload = settings->sign_payload;
    client->cancelled = settings->cancelled;
    client->cancel_context = settings->cancel_context;
    return true;
}

struct s3_client *s3_client_new(const struct s3_settings *settings, struct error *error)
{
    (void)pthread_once(&curl_once, start_curl);
    struct s3_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for a client of S3");
        return NULL;
    }
    if (!copy_settings(client, settings, error) ||
        !s3_endpoint_init(&client->endpoint, settings->endpoint, settings->region, settings->style, error)) {
        clear(client);
        return NULL;
    }
    if (!s3_loop_start(&client->loop, client, client->connections, error)) {
        s3_endpoint_clear(&client->endpoint);
        clear(client);
        return NULL;
    }
    return client;
}

void s3_client_free(struct s3_client *client)
{
    if (client == NULL)
        return;
    s3_loop_stop(&client->loop);
    s3_endpoint_clear(&client->endpoint);
    clear(client);
}

void s3_client_count(struct s3_client *client, struct s3_client_counts *counts)
{
    (void)pthread_mutex_lock(&client->loop.mutex);
    *counts = (struct s3_client_counts){client->loop.requests, client->loop.retries};
    (void)pthread_mutex_unlock(&client->loop.mutex);
}
