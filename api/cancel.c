#include "api/cancel.h"

#include "api/jobs.h"
#include "api/problem.h"
#include "common/log.h"
#include "s3/object.h"

static void answer_away(struct call *call, const char *detail, const struct error *error)
{
    log_warning("request=%s %s %s: %s", call->request_id, detail, error_code_name(error->code),
                error->message);
    problem_answer(call, PROBLEM_UNAVAILABLE, "%s", detail);
}

/* Whether the job is known: by its record, its tombstone, or a state that Celery has stored. False in
 * `*known` with true returned when it is not; false when that could not be read. */
static bool look_up(struct call *call, const char *id, bool *known, struct error *error)
{
    struct job job;
    json_t *meta = NULL;
    if (!jobs_find(call->api, id, &job, error))
        return false;
    *known = job.known || job.cancelled;
    if (*known)
        return true;
    if (!celery_result_get(call->api->celery, id, &meta, call->api->settings.redis_timeout, error))
        return false;
    *known = meta != NULL;
    json_decref(meta);
    return true;
}

/* Workers forget a queued job at once when they hear of it, and end one that runs by SIGTERM, which the task
 * takes as the order to abort its upload and go (worker/termination.h). Those that do not hear find the
 * tombstone, when they begin and when they would complete. */
static void tell_workers(struct call *call, const char *id)
{
    struct error error = {0};
    struct api *api = call->api;
    if (!celery_revoke(api->celery, id, true, NULL, api->settings.publish_timeout, &error))
        log_warning("request=%s the workers could not be told to end %s: %s", call->request_id, id,
                    error.message);
}

void cancel_serve(struct call *call)
{
    struct error error = {0};
    char id[UUID_SIZE];
    bool known = false;
    if (!call_read_id(call, id)) {
        problem_answer(call, PROBLEM_UNKNOWN_DOWNLOAD,
                       "A download id is a UUID; POST /initiate gives one out.");
        return;
    }
    if (!look_up(call, id, &known, &error)) {
        answer_away(call, "The state of the merge cannot be read now. Try again later.", &error);
        return;
    }
    if (!known) {
        problem_answer(call, PROBLEM_UNKNOWN_DOWNLOAD,
                       "This id was never given out, or so long ago that it is forgotten.");
        return;
    }
    if (!jobs_cancel(call->api, id, &error)) {
        answer_away(call, "The merge cannot be cancelled now. Try again later.", &error);
        return;
    }
    tell_workers(call, id);
    if (!s3_delete(call->api->s3, call->api->settings.merged_bucket, id, &error) &&
        error.code != ERROR_NOT_FOUND) {
        answer_away(call, "The merge is cancelled, but its file cannot be removed now. Try again later.",
                    &error);
        return;
    }
    call_answer_empty(call, 204);
}
