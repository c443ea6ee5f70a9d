#include "s3/request.h"

#include "common/clock.h"
#include "common/condition.h"
#include "s3/bucket.h"
#include "s3/client_state.h"

#include <string.h>

void s3_request_init(struct s3_request *request, const char *method, const char *bucket, const char *key)
{
    *request =
        (struct s3_request){.method = method, .bucket = bucket, .key = key, .answer_limit = S3_ANSWER_LIMIT};
    condition_init(&request->done_changed);
}

void s3_request_clear(struct s3_request *request)
{
    bytes_clear(&request->response.body);
    (void)pthread_cond_destroy(&request->done_changed);
}

void s3_request_query(struct s3_request *request, const char *name, const char *value)
{
    if (request->query_count < S3_REQUEST_QUERY_LIMIT)
        request->query[request->query_count++] = (struct s3_field){name, value};
}

void s3_request_unset(struct s3_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, name) == 0) {
            request->headers[i] = request->headers[--request->header_count];
            return;
        }
    }
}

void s3_request_header(struct s3_request *request, const char *name, const char *value)
{
    s3_request_unset(request, name);
    if (request->header_count < S3_REQUEST_HEADER_LIMIT)
        request->headers[request->header_count++] = (struct s3_field){name, value};
}

void s3_request_progress(struct s3_request *request)
{
    request->attempts = 0;
}

bool s3_names_check(const char *bucket, const char *key, struct error *error)
{
    if (!s3_bucket_is_valid(bucket))
        return error_set(error, ERROR_INVALID, "'%.64s' is no name of a bucket", bucket);
    if (key == NULL)
        return true;
    if (key[0] == '\0' || strlen(key) > S3_KEY_LIMIT)
        return error_set(error, ERROR_INVALID, "a key has 1 to %d bytes", S3_KEY_LIMIT);
    return true;
}

static void mark_done(struct s3_request *request)
{
    struct s3_client *client = request->context;
    (void)pthread_mutex_lock(&client->loop.mutex);
    request->done = true;
    (void)pthread_cond_signal(&request->done_changed);
    (void)pthread_mutex_unlock(&client->loop.mutex);
}

bool s3_client_cancelled(struct s3_client *client, struct error *error)
{
    if (client->cancelled == NULL || !client->cancelled(client->cancel_context))
        return false;
    (void)error_set(error, ERROR_CANCELLED, "cancelled");
    return true;
}

static void wait_until_done(struct s3_client *client, struct s3_request *request)
{
    struct s3_loop *loop = &client->loop;
    bool cancelled = false;
    for (;;) {
        (void)pthread_mutex_lock(&loop->mutex);
        if (!request->done)
            (void)condition_wait_until(&request->done_changed, &loop->mutex,
                                       clock_monotonic() + S3_CANCEL_SLICE);
        bool done = request->done;
        (void)pthread_mutex_unlock(&loop->mutex);
        if (done)
            return;
        if (!cancelled && !request->past_cancel && s3_client_cancelled(client, NULL)) {
            cancelled = true;
            s3_loop_cancel(loop, request);
        }
    }
}

bool s3_request_run(struct s3_client *client, struct s3_request *request, struct error *error)
{
    if (request->bucket != NULL && !s3_names_check(request->bucket, request->key, error))
        return false;
    if (!request->past_cancel && s3_client_cancelled(client, error))
        return false;
    request->done = false;
    request->context = client;
    request->finished = mark_done;
    s3_loop_submit(&client->loop, request);
    wait_until_done(client, request);
    if (request->error.code == ERROR_NONE)
        return true;
    if (error != NULL)
        *error = request->error;
    return false;
}
