#include "api/initiate.h"

#include "api/jobs.h"
#include "api/problem.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "schemas/initiate.h"
#include "schemas/strict_json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CLAIM_POLL 20000 /* microseconds between looks at a claim that another request works on */

/* ---- the body ---- */

/* "application/json", in any case, with or without parameters. */
static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    if (type == NULL || strncasecmp(type, json, sizeof json - 1) != 0)
        return false;
    const char *rest = type + sizeof json - 1;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

/* Ulfius keeps one byte more than the limit and drops the rest, so a longer body is one of more than the
 * limit. */
static bool is_too_large(const struct call *call)
{
    const char *length = call_header(call, "Content-Length");
    if (length != NULL && strtoull(length, NULL, 10) > INITIATE_BODY_LIMIT)
        return true;
    return call->request->binary_body_length > INITIATE_BODY_LIMIT;
}

/* Reads and checks the body; false when the call is answered with what is wrong. */
static bool read_body(struct call *call, struct date_range *range)
{
    const char *encoding = call_header(call, "Content-Encoding");
    if (!is_json_type(call_header(call, "Content-Type")) ||
        (encoding != NULL && strcasecmp(encoding, "identity") != 0)) {
        call_set_header(call, "Accept", "application/json");
        problem_answer(call, PROBLEM_CONTENT_TYPE,
                       "Send the body as application/json, without Content-Encoding.");
        return false;
    }
    if (is_too_large(call)) {
        problem_answer(call, PROBLEM_TOO_LARGE, "The body may have %d bytes.", INITIATE_BODY_LIMIT);
        return false;
    }
    struct error error = {0};
    const char *text = call->request->binary_body != NULL ? call->request->binary_body : "";
    json_t *body = strict_json_read(text, call->request->binary_body_length, &error), *problems;
    if (body == NULL) {
        problem_answer(call, PROBLEM_NOT_JSON, "%s", error.message);
        return false;
    }
    bool valid = initiate_check(body, call->api->settings.maximum_days, range, &problems);
    json_decref(body);
    if (!valid)
        problem_answer_with(call, PROBLEM_INVALID, "errors", problems, "%s",
                            "The list of errors names every problem of the body.");
    return valid;
}

/* ---- the job ---- */

static void answer_unavailable(struct call *call, const char *what, const struct error *error)
{
    log_warning("request=%s %s: %s: %s", call->request_id, what, error_code_name(error->code),
                error->message);
    problem_answer(call, PROBLEM_UNAVAILABLE, "%s; no merge was started. Try again later.", what);
}

static bool publish(struct call *call, const char *id, const struct date_range *range, struct error *error)
{
    const struct api_settings *settings = &call->api->settings;
    json_t *args = json_pack("[s, s]", range->start.text, range->end.text);
    json_t *headers =
        call->trace_parent[0] != '\0' ? json_pack("{s:s}", "traceparent", call->trace_parent) : NULL;
    struct celery_send send = {
        .task = settings->task,
        .args = args,
        .id = id,
        .queue = settings->queue,
        .headers = headers,
    };
    bool sent = args != NULL && celery_send(call->api->celery, &send, settings->publish_timeout, NULL, error);
    json_decref(args);
    json_decref(headers);
    return sent;
}

/* Records the job and publishes its task; on a failure nothing of it stays, and the call is answered. */
static bool submit(struct call *call, const char *id, const struct date_range *range)
{
    struct error error = {0};
    if (!jobs_record(call->api, id, range, &error)) {
        answer_unavailable(call, "The job could not be recorded", &error);
        (void)jobs_forget(call->api, id, NULL); /* the write may have happened after all */
        return false;
    }
    if (publish(call, id, range, &error))
        return true;
    answer_unavailable(call, "The merge could not be queued", &error);
    if (!jobs_forget(call->api, id, &error))
        log_warning("the record of job %s stays, though its id was not given out: %s", id, error.message);
    return false;
}

static void answer_accepted(struct call *call, const char *id)
{
    call_set_header_format(call, "Location", "/download/%s", id);
    call_set_header(call, "Cache-Control", "no-store");
    call_answer_json(call, 202, "application/json", json_pack("{s:s}", "download_id", id));
}

/* ---- once for each Idempotency-Key ---- */

/* Waits until the request that holds the claim has published its task or given up, `publish_timeout` and a
 * second at most.
 * `*found` is false when it gave up. */
static bool await_claim(struct api *api, const char *key, struct job_claim *claim, bool *found,
                        struct error *error)
{
    double deadline = clock_monotonic() + api->settings.publish_timeout + 1;
    for (;;) {
        if (!jobs_read_claim(api, key, claim, found, error))
            return false;
        if (!*found || claim->published || clock_monotonic() > deadline)
            return true;
        usleep(CLAIM_POLL);
    }
}

static bool same_range(const struct date_range *left, const struct date_range *right)
{
    return left->start.day == right->start.day && left->end.day == right->end.day;
}

/* Gets hold of the key's claim: ours, another's that is published, or another's that was left behind half-way
 * (its process died), which is then taken over under the same id. False when the call is answered. */
static bool claim_key(struct call *call, const char *key, const struct date_range *range,
                      struct job_claim *claim)
{
    struct error error = {0};
    bool ours = false, found = false;
    do {
        claim->range = *range;
        claim->published = false;
        uuid_make(claim->id);
        if (!jobs_claim(call->api, key, claim, &ours, &error))
            goto unavailable;
        if (!ours && !same_range(&claim->range, range)) {
            problem_answer(call, PROBLEM_IDEMPOTENCY_REUSED, "This key stands for the range %s to %s.",
                           claim->range.start.text, claim->range.end.text);
            return false;
        }
        if (!ours && !await_claim(call->api, key, claim, &found, &error))
            goto unavailable;
    } while (!ours && !found);
    return true;
unavailable:
    answer_unavailable(call, "The Idempotency-Key could not be looked up", &error);
    return false;
}

static void submit_once(struct call *call, const char *key, const struct date_range *range)
{
    struct error error = {0};
    struct job_claim claim;
    if (!jobs_key_is_valid(key)) {
        problem_answer(call, PROBLEM_IDEMPOTENCY_KEY, "The key has 1 to %d visible ASCII characters.",
                       JOBS_KEY_SIZE - 1);
        return;
    }
    if (!claim_key(call, key, range, &claim))
        return;
    if (!claim.published) {
        if (!submit(call, claim.id, range)) {
            if (!jobs_release_claim(call->api, key, &error))
                log_warning("an Idempotency-Key stays claimed after a failure: %s", error.message);
            return;
        }
        if (!jobs_settle_claim(call->api, key, &claim, &error))
            log_warning("job %s is queued, but its Idempotency-Key is not settled: %s", claim.id,
                        error.message);
    }
    answer_accepted(call, claim.id);
}

void initiate_serve(struct call *call)
{
    struct date_range range;
    if (!read_body(call, &range))
        return;
    const char *key = call_header(call, "Idempotency-Key");
    if (key != NULL) {
        submit_once(call, key, &range);
        return;
    }
    char id[UUID_SIZE];
    uuid_make(id);
    if (submit(call, id, &range))
        answer_accepted(call, id);
}
