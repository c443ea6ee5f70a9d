#include "api/download.h"

#include "api/job_state.h"
#include "api/jobs.h"
#include "api/problem.h"
#include "api/send_object.h"
#include "common/clock.h"
#include "common/log.h"
#include "s3/object.h"

#include <stdio.h>
#include <string.h>

#define POLL_AFTER "1" /* seconds after which it makes sense to ask again */

static void answer_waiting(struct call *call, const char *id, const struct job_state *state)
{
    call_set_header(call, "Retry-After", POLL_AFTER);
    call_set_header(call, "Cache-Control", "no-store");
    call_answer_json(call, 202, "application/json",
                     json_pack("{s:s, s:s, s:o}", "download_id", id, "state", state->name, "progress",
                               job_progress_json(&state->progress)));
}

/* Whether a job without a stored result has lost it, rather than waits: it is older than results are kept, or
 * its file is there. S3 being away is no reason to say so. */
static bool has_lost_result(struct call *call, const char *id, const struct job *job)
{
    if (clock_wall() - job->created > call->api->settings.result_expires)
        return true;
    struct s3_head head;
    return s3_head(call->api->s3, call->api->settings.merged_bucket, id, &head, NULL);
}

/* "merged_<start>_<end>.log". A job that was not started through the API has no record; its dates may stand
 * in the stored result (value or, with result_extended, args). */
static void name_file(const char *id, const struct job *job, const json_t *meta, char *name, size_t size)
{
    struct date_range range = job->range;
    bool known = job->known;
    const json_t *result = json_object_get(meta, "result"), *args = json_object_get(meta, "args");
    const char *start = json_string_value(json_object_get(result, "start_date"));
    const char *end = json_string_value(json_object_get(result, "end_date"));
    if (start == NULL || end == NULL) {
        start = json_string_value(json_array_get(args, 0));
        end = json_string_value(json_array_get(args, 1));
    }
    if (!known && start != NULL && end != NULL)
        known = date_range_parse(start, end, 0, &range, NULL);
    if (known)
        (void)snprintf(name, size, "merged_%s_%s.log", range.start.text, range.end.text);
    else
        (void)snprintf(name, size, "merged_%s.log", id);
}

static void answer_state(struct call *call, const char *id, const struct job *job, const json_t *meta)
{
    struct job_state state;
    char name[80];
    job_state_read(meta, &state);
    switch (state.phase) {
    case JOB_WAITING:
        if (meta == NULL && has_lost_result(call, id, job))
            problem_answer(call, PROBLEM_GONE,
                           "The merge is over and its result has expired. Start it again.");
        else
            answer_waiting(call, id, &state);
        return;
    case JOB_MERGED:
        name_file(id, job, meta, name, sizeof name);
        send_object(call, call->api->settings.merged_bucket, id, name);
        return;
    case JOB_FAILED:
        problem_answer(call, state.problem, "%s", state.reason);
        return;
    case JOB_CANCELLED:
        problem_answer(call, PROBLEM_CANCELLED, "The merge was cancelled. Start it again.");
        return;
    }
}

static void answer_away(struct call *call, const struct error *error)
{
    log_warning("request=%s the state of a job cannot be read: %s: %s", call->request_id,
                error_code_name(error->code), error->message);
    problem_answer(call, PROBLEM_UNAVAILABLE, "The state of the merge cannot be read now. Try again later.");
}

/* Reads the stored result into `*meta`, NULL when there is none; false when the call is answered. */
static bool read_result(struct call *call, const char *id, json_t **meta)
{
    struct error error = {0};
    *meta = NULL;
    if (celery_result_get(call->api->celery, id, meta, call->api->settings.redis_timeout, &error))
        return true;
    answer_away(call, &error);
    return false;
}

static void serve_known(struct call *call, const char *id, const struct job *job)
{
    json_t *meta;
    if (!read_result(call, id, &meta))
        return;
    if (meta == NULL && !job->known) {
        problem_answer(call, PROBLEM_UNKNOWN_DOWNLOAD,
                       "This id was never given out, or so long ago that it is forgotten.");
        return;
    }
    if (meta == NULL && has_lost_result(call, id, job)) {
        /* A short merge may have begun and ended between the two looks: a state is stored before the file is.
         */
        if (!read_result(call, id, &meta))
            return;
        if (meta == NULL) {
            problem_answer(call, PROBLEM_GONE,
                           "The merge is over and its result has expired. Start it again.");
            return;
        }
    }
    answer_state(call, id, job, meta);
    json_decref(meta);
}

void download_serve(struct call *call)
{
    struct error error = {0};
    struct job job;
    char id[UUID_SIZE];
    if (!call_read_id(call, id))
        problem_answer(call, PROBLEM_UNKNOWN_DOWNLOAD,
                       "A download id is a UUID; POST /initiate gives one out.");
    else if (!jobs_find(call->api, id, &job, &error))
        answer_away(call, &error);
    else if (job.cancelled)
        problem_answer(call, PROBLEM_CANCELLED, "The merge was cancelled. Start it again.");
    else
        serve_known(call, id, &job);
}
