#include "s3/outcome.h"

#include "common/clock.h"
#include "s3/client_state.h"
#include "s3/request.h"
#include "s3/xml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKEW_ALLOWED (10.0 * 60) /* S3 itself allows 15 minutes */

static bool holds(const char *text, const char *secret)
{
    return secret != NULL && secret[0] != '\0' && strstr(text, secret) != NULL;
}

void s3_outcome_quote(struct s3_client *client, const struct s3_request *request, char code[64], char *text,
                      size_t text_size)
{
    const struct bytes *body = &request->response.body;
    char message[512] = "";
    code[0] = '\0';
    if (body->size > 0) {
        (void)s3_xml_find(body->data, body->size, "Error/Code", code, 64);
        (void)s3_xml_find(body->data, body->size, "Error/Message", message, sizeof message);
    }
    if (holds(message, client->access_key) || holds(message, client->secret_key) ||
        holds(message, client->session_token))
        message[0] = '\0';
    for (char *c = message; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    }
    (void)snprintf(text, text_size, "%d%s%s%s%s", request->response.status, code[0] != '\0' ? " " : "", code,
                   message[0] != '\0' ? ": " : "", message);
}

/* A HEAD that is refused has no body to say that the clocks differ; the answer's date does. */
static bool fix_clock(struct s3_client *client, struct s3_request *request, const char *code)
{
    if (request->clock_fixed || request->response.date == 0)
        return false;
    double offset = (double)request->response.date - clock_wall();
    double now = s3_loop_clock(&client->loop);
    if (code[0] == '\0' && fabs((double)request->response.date - now) < SKEW_ALLOWED)
        return false;
    request->clock_fixed = true;
    (void)pthread_mutex_lock(&client->loop.mutex);
    client->loop.clock_offset = offset;
    (void)pthread_mutex_unlock(&client->loop.mutex);
    return true;
}

static bool fix_region(struct s3_client *client, struct s3_request *request)
{
    const struct bytes *body = &request->response.body;
    char region[S3_REGION_SIZE] = "";
    if (request->region_fixed || request->bucket == NULL)
        return false;
    if (request->response.region[0] != '\0')
        (void)snprintf(region, sizeof region, "%s", request->response.region);
    else if (body->size > 0)
        (void)s3_xml_find(body->data, body->size, "Error/Region", region, sizeof region);
    request->region_fixed = true;
    return s3_endpoint_learn(&client->endpoint, request->bucket, region);
}

static bool may_repeat(struct s3_client *client, struct s3_request *request, double *wait)
{
    double now = clock_monotonic();
    double budget = request->retry_time > 0 ? request->retry_time : client->retry_time;
    if (request->attempts++ == 0)
        request->failing_since = now;
    *wait = s3_failure_wait(request->attempts, (double)rand_r(&client->loop.seed) / RAND_MAX);
    *wait = fmax(*wait, request->response.retry_after);
    return now + *wait - request->failing_since <= budget;
}

/* "GET s3://bucket/key: " before the reason, and how often it was tried behind it. */
static void name_request(const struct s3_request *request, struct error *error)
{
    if (request->attempts > 1) {
        size_t length = strlen(error->message);
        (void)snprintf(error->message + length, sizeof error->message - length, " (%u attempts in %.0f s)",
                       request->attempts, clock_monotonic() - request->failing_since);
    }
    (void)error_context(error, "%s s3://%s%s%s", request->method,
                        request->bucket == NULL ? "" : request->bucket, request->key == NULL ? "" : "/",
                        request->key == NULL ? "" : request->key);
}

/* What the attempt means, before anything is done about it. `code`: S3's own. */
static struct s3_failure diagnose(struct s3_client *client, struct s3_request *request, CURLcode result,
                                  char code[64], struct error *error)
{
    struct s3_transfer *transfer = &request->transfer;
    struct s3_failure failure = {ERROR_NONE, S3_GIVE_UP};
    int status = request->response.status;
    code[0] = '\0';
    if (transfer->refusal.code != ERROR_NONE) {
        *error = transfer->refusal;
        return (struct s3_failure){error->code, S3_GIVE_UP};
    }
    /* An early refusal of an upload may end in a broken connection: the answer is what counts. */
    if (result != CURLE_OK && (status < 300 || !transfer->accepted)) {
        failure = s3_failure_of_transfer(result);
        const char *reason = transfer->reason[0] != '\0' ? transfer->reason : curl_easy_strerror(result);
        (void)error_set(error, failure.code, "%s", reason);
        return failure;
    }
    if (status >= 300 || status < 200) {
        char text[640];
        s3_outcome_quote(client, request, code, text, sizeof text);
        failure = s3_failure_of_answer(status, code);
        (void)error_set(error, failure.code, "%s", text);
    }
    if (request->judge != NULL)
        request->judge(request, &failure, error);
    return failure;
}

void s3_outcome_read(struct s3_client *client, struct s3_request *request, CURLcode result,
                     struct s3_outcome *outcome)
{
    char code[64];
    *outcome = (struct s3_outcome){.action = S3_OUTCOME_FAILED};
    struct s3_failure failure = diagnose(client, request, result, code, &outcome->error);
    if (failure.code == ERROR_NONE) {
        outcome->action = S3_OUTCOME_DONE;
        return;
    }
    bool again = false;
    switch (failure.remedy) {
    case S3_TRY_AGAIN:
        again = may_repeat(client, request, &outcome->wait);
        break;
    case S3_FIX_CLOCK:
        again = fix_clock(client, request, code);
        break;
    case S3_FIX_REGION:
        again = fix_region(client, request);
        break;
    case S3_GIVE_UP:
        break;
    }
    if (again) {
        outcome->action = S3_OUTCOME_AGAIN;
        return;
    }
    name_request(request, &outcome->error);
}
