#include "api/health.h"

#include "api/problem.h"
#include "common/log.h"
#include "s3/bucket.h"

#include <string.h>

#define REDIS_TIMEOUT 2.0 /* seconds; a probe wants an answer soon */

static bool check_broker(struct api *api, struct error *error)
{
    return celery_client_broker_ready(api->celery, error);
}

static bool check_redis(struct api *api, struct error *error)
{
    return celery_store_ping(api->store, REDIS_TIMEOUT, error);
}

/* A bucket that is missing is for the operator to make; the service that says so is there. */
static bool check_s3(struct api *api, struct error *error)
{
    return s3_bucket_head(api->s3, api->settings.source_bucket, error) || error->code == ERROR_NOT_FOUND;
}

static const struct check {
    const char *name;
    bool (*run)(struct api *api, struct error *error);
} checks[] = {{"broker", check_broker}, {"redis", check_redis}, {"s3", check_s3}};

void health_serve_live(struct call *call)
{
    call_set_header(call, "Cache-Control", "no-store");
    call_answer_json(call, 200, "application/json", json_pack("{s:s}", "status", "ok"));
}

void health_serve_ready(struct call *call)
{
    json_t *outcome = json_object();
    char away[64] = "";
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct error error = {0};
        bool ok = checks[i].run(call->api, &error);
        json_object_set_new(outcome, checks[i].name, json_string(ok ? "ok" : error_code_name(error.code)));
        if (ok)
            continue;
        log_warning("request=%s %s is not ready: %s", call->request_id, checks[i].name, error.message);
        strncat(away, away[0] != '\0' ? ", " : "", sizeof away - strlen(away) - 1);
        strncat(away, checks[i].name, sizeof away - strlen(away) - 1);
    }
    if (away[0] != '\0') {
        problem_answer_with(call, PROBLEM_NOT_READY, "checks", outcome, "Not reachable: %s.", away);
        return;
    }
    call_set_header(call, "Cache-Control", "no-store");
    call_answer_json(call, 200, "application/json",
                     json_pack("{s:s, s:o}", "status", "ready", "checks", outcome));
}
