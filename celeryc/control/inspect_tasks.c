/* Commands that show tasks: those that are here, and those that could be. */
#include "celeryc/control/command.h"
#include "celeryc/control/request_info.h"
#include "celeryc/message/number.h"
#include "common/bytes.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MOST 100000 /* requests in a reply */

struct listing {
    json_t *list;
    const char *state;
    const char *hostname;
    bool safe;
};

static void list_request(void *visitor, const struct request *request)
{
    struct listing *listing = visitor;
    if (strcmp(request_state_name(request), listing->state) == 0 &&
        json_array_size(listing->list) < LISTED_MOST)
        json_array_append_new(listing->list, request_info(request, listing->hostname, listing->safe));
}

static json_t *list_state(struct control_call *call, const char *state, request_visitor *visit)
{
    const struct control_worker *worker = call->worker;
    struct listing listing = {.list = json_array(),
                              .state = state,
                              .hostname = worker->hostname,
                              .safe = control_truth(call, "safe")};
    worker->each_request(worker->context, visit, &listing);
    return listing.list;
}

static json_t *active(struct control_call *call)
{
    return list_state(call, "active", list_request);
}

static json_t *reserved(struct control_call *call)
{
    return list_state(call, "reserved", list_request);
}

static void list_scheduled(void *visitor, const struct request *request)
{
    struct listing *listing = visitor;
    char eta[CLOCK_ISO_SIZE];
    if (strcmp(request_state_name(request), listing->state) != 0 ||
        json_array_size(listing->list) >= LISTED_MOST)
        return;
    clock_iso8601(request->eta, eta);
    json_array_append_new(listing->list, json_pack("{s:s, s:i, s:o}", "eta", eta, "priority", 6, "request",
                                                   request_info(request, listing->hostname, listing->safe)));
}

/* Celery's timer gives every ETA the priority 6 (celery/worker/strategy.py). */
static json_t *scheduled(struct control_call *call)
{
    return list_state(call, "scheduled", list_scheduled);
}

static json_t *revoked(struct control_call *call)
{
    return call->worker->revoked(call->worker->context);
}

static void query_one(struct control_call *call, json_t *reply, const json_t *id)
{
    const struct control_worker *worker = call->worker;
    const struct request *request =
        json_is_string(id) ? worker->find_request(worker->context, json_string_value(id)) : NULL;
    if (request != NULL)
        json_object_set_new(
            reply, json_string_value(id),
            json_pack("[s, o]", request_state_name(request), request_info(request, worker->hostname, false)));
}

static json_t *query_task(struct control_call *call)
{
    json_t *ids = json_object_get(call->arguments, "ids"), *id, *reply = json_object();
    size_t index;
    if (!json_is_array(ids))
        query_one(call, reply, ids);
    json_array_foreach(ids, index, id)
    {
        query_one(call, reply, id);
    }
    return reply;
}

/* ---- what is registered ---- */

struct attribute {
    const char *name, *text; /* as Python's str() has it; NULL: None */
};

#define ATTRIBUTES 17

struct description {
    struct attribute attributes[ATTRIBUTES];
    char time_limit[NUMBER_TEXT_SIZE + 1], soft_time_limit[NUMBER_TEXT_SIZE + 1],
        retry_delay[NUMBER_TEXT_SIZE + 1], max_retries[16];
};

static const char *truth(bool value)
{
    return value ? "True" : "False";
}

/* Seconds as a float, which remote control too sets them as; 0: `otherwise`. */
static const char *seconds_text(double seconds, char text[NUMBER_TEXT_SIZE + 1], const char *otherwise)
{
    if (seconds <= 0)
        return otherwise;
    text[number_float_text(seconds, text)] = '\0';
    return text;
}

static const char *retries_text(const struct celery_task_type *type, char *text, size_t size)
{
    int most = type->max_retries == 0 ? 3 : type->max_retries;
    snprintf(text, size, "%d", most == CELERY_NEVER ? 0 : most);
    return most == CELERY_UNLIMITED ? NULL : text;
}

/* `conf`: what holds for all tasks. Source: celery/app/task.py, the attributes of Task and `from_config`. */
static void describe(struct description *description, const struct control_worker *worker,
                     const struct celery_task_type *type, const json_t *conf)
{
    double soft, hard;
    worker->time_limits(worker->context, type, &soft, &hard);
    bool tracked = type->track_started || json_is_true(json_object_get(conf, "task_track_started"));
    bool rejected =
        type->reject_on_worker_lost || json_is_true(json_object_get(conf, "task_reject_on_worker_lost"));
    const struct attribute attributes[ATTRIBUTES] = {
        {"name", type->name},
        {"serializer", "json"},
        {"send_events", "True"},
        {"rate_limit", worker->rate_limit(worker->context, type)},
        {"time_limit", seconds_text(hard, description->time_limit, NULL)},
        {"soft_time_limit", seconds_text(soft, description->soft_time_limit, NULL)},
        {"max_retries", retries_text(type, description->max_retries, sizeof description->max_retries)},
        {"default_retry_delay", seconds_text(type->default_retry_delay, description->retry_delay, "180")},
        {"acks_late", truth(type->acks_late)},
        {"acks_on_failure_or_timeout", "True"},
        {"acks_on_failure", type->no_ack_on_failure ? "False" : NULL},
        {"acks_on_timeout", type->no_ack_on_timeout ? "False" : NULL},
        {"reject_on_worker_lost", rejected ? "True" : NULL},
        {"track_started", truth(tracked)},
        {"ignore_result", truth(type->ignore_result)},
        {"store_errors_even_if_ignored", truth(type->store_errors_even_if_ignored)},
    };
    memcpy(description->attributes, attributes, sizeof attributes);
}

static const char *attribute_text(const struct description *description, const char *name)
{
    for (size_t i = 0; description->attributes[i].name != NULL; i++) {
        if (strcmp(description->attributes[i].name, name) == 0)
            return description->attributes[i].text;
    }
    return NULL;
}

/* "name [rate_limit=10/s ...]", or the name alone where no attribute that was asked for is set. */
static json_t *describe_type(const struct control_worker *worker, const struct celery_task_type *type,
                             const json_t *conf, const json_t *attributes)
{
    struct description known;
    struct bytes text;
    size_t index;
    json_t *attribute;
    describe(&known, worker, type, conf);
    bytes_init(&text, 65536);
    bytes_append_text(&text, type->name, NULL);
    size_t plain = text.size;
    json_array_foreach((json_t *)attributes, index, attribute)
    {
        const char *name = json_string_value(attribute);
        const char *value = name != NULL ? attribute_text(&known, name) : NULL;
        if (value == NULL)
            continue;
        bytes_append_format(&text, NULL, "%s%s=%s", text.size == plain ? " [" : " ", name, value);
    }
    if (text.size > plain)
        bytes_append_text(&text, "]", NULL);
    json_t *description = json_stringn(text.data, text.size);
    bytes_clear(&text);
    return description;
}

static int compare_types(const void *left, const void *right)
{
    const struct celery_task_type *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static json_t *registered(struct control_call *call)
{
    size_t count = 0, shown = 0;
    const struct celery_task_type *types = call->worker->types;
    bool builtins = control_truth(call, "builtins");
    while (types[count].name != NULL)
        count++;
    const struct celery_task_type **sorted = malloc((count + 1) * sizeof *sorted);
    json_t *attributes = control_truth(call, "taskinfoitems")
                             ? json_incref(json_object_get(call->arguments, "taskinfoitems"))
                             : json_pack("[s, s, s]", "exchange", "routing_key", "rate_limit");
    json_t *conf = call->worker->configuration(call->worker->context, true);
    json_t *list = json_array();
    for (size_t i = 0; sorted != NULL && i < count; i++) {
        if (builtins || strncmp(types[i].name, "celery.", strlen("celery.")) != 0)
            sorted[shown++] = &types[i];
    }
    if (sorted != NULL)
        qsort(sorted, shown, sizeof *sorted, compare_types);
    for (size_t i = 0; sorted != NULL && i < shown; i++)
        json_array_append_new(list, describe_type(call->worker, sorted[i], conf, attributes));
    free(sorted);
    json_decref(conf);
    json_decref(attributes);
    return list;
}

const struct control_command inspect_tasks_commands[] = {
    {.name = "active",
     .alias = "dump_active",
     .kind = CONTROL_INSPECT,
     .optional = {"safe"},
     .any_keyword = true,
     .help = "List of tasks currently being executed.",
     .run = active},
    {.name = "reserved",
     .alias = "dump_reserved",
     .kind = CONTROL_INSPECT,
     .any_keyword = true,
     .help = "List of currently reserved tasks, not including scheduled/active.",
     .run = reserved},
    {.name = "scheduled",
     .alias = "dump_schedule",
     .kind = CONTROL_INSPECT,
     .any_keyword = true,
     .help = "List of currently scheduled ETA/countdown tasks.",
     .run = scheduled},
    {.name = "revoked",
     .alias = "dump_revoked",
     .kind = CONTROL_INSPECT,
     .any_keyword = true,
     .help = "List of revoked task-ids.",
     .run = revoked},
    {.name = "registered",
     .alias = "dump_tasks",
     .kind = CONTROL_INSPECT,
     .optional = {"taskinfoitems", "builtins"},
     .any_keyword = true,
     .signature = "[attr1 [attr2 [... [attrN]]]]",
     .help = "List of registered tasks.",
     .run = registered},
    {.name = "query_task",
     .kind = CONTROL_INSPECT,
     .required = {"ids"},
     .any_keyword = true,
     .signature = "[id1 [id2 [... [idN]]]]",
     .help = "Query for task information by id.",
     .run = query_task},
    {.name = NULL},
};
