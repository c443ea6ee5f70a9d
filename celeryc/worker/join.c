/* What the members of a group have become, nested as they are. Source: celery/result.py join_native, get,
 * maybe_throw; celery/backends/asynchronous.py iter_native. */
#include "celeryc/worker/follow.h"

#include "common/clock.h"

#include <string.h>
#include <time.h>

#define JOIN_SECONDS 3.0     /* result_chord_join_timeout */
#define JOIN_PAUSE 20000000L /* nanoseconds between two looks at a result that is not there */

struct joining {
    struct child *child;
    double deadline;
    json_t *failure; /* owned; of the first member found that failed */
    struct error *error;
};

bool follow_has_failed(const char *status)
{
    return status != NULL && (strcmp(status, "FAILURE") == 0 || strcmp(status, "REVOKED") == 0);
}

static const char *id_of(json_t *tuple)
{
    return json_string_value(json_array_get(json_array_get(tuple, 0), 0));
}

static json_t *members_of(json_t *tuple)
{
    json_t *members = json_array_get(tuple, 1);
    return json_is_array(members) ? members : NULL;
}

enum outcome { UNKNOWN, PENDING, SUCCEEDED, FAILED };

/* What is stored of a task now. SUCCEEDED: `*value` is a new reference; FAILED: it is in joining->failure;
 * UNKNOWN: joining->error. */
static enum outcome look(struct joining *joining, json_t *tuple, json_t **value)
{
    json_t *meta;
    const char *id = id_of(tuple);
    if (id == NULL) {
        error_set(joining->error, ERROR_PROTOCOL, "a result without an id");
        return UNKNOWN;
    }
    if (!child_get_result(joining->child, id, &meta, joining->error))
        return UNKNOWN;
    enum outcome outcome = PENDING;
    const char *status = json_string_value(json_object_get(meta, "status"));
    json_t *result = json_object_get(meta, "result");
    if (status != NULL && strcmp(status, "SUCCESS") == 0) {
        outcome = SUCCEEDED;
        *value = result == NULL ? json_null() : json_incref(result);
    } else if (follow_has_failed(status)) {
        outcome = FAILED;
        joining->failure = result == NULL ? json_object() : json_incref(result);
    }
    json_decref(meta);
    return outcome;
}

static json_t *wait_for(struct joining *joining, json_t *tuple)
{
    for (;;) {
        json_t *value = NULL;
        if (look(joining, tuple, &value) != PENDING)
            return value;
        if (clock_monotonic() >= joining->deadline) {
            error_set(joining->error, ERROR_TIMEOUT, "The operation timed out.");
            return NULL;
        }
        nanosleep(&(struct timespec){.tv_nsec = JOIN_PAUSE}, NULL);
    }
}

/* ResultBase.maybe_throw(): whether it, or a member of it, is not known to have failed. */
static bool is_sound(struct joining *joining, json_t *tuple)
{
    json_t *members = members_of(tuple), *member, *value = NULL;
    size_t index;
    json_array_foreach(members, index, member)
    {
        if (!is_sound(joining, member))
            return false;
    }
    if (members != NULL)
        return true;
    enum outcome outcome = look(joining, tuple, &value);
    json_decref(value);
    return outcome == PENDING || outcome == SUCCEEDED;
}

/* The same of all that came before it, the first one first. */
static bool parents_are_sound(struct joining *joining, json_t *tuple)
{
    json_t *parent = json_array_get(json_array_get(tuple, 0), 1);
    return !json_is_array(parent) || (parents_are_sound(joining, parent) && is_sound(joining, parent));
}

static json_t *join_members(struct joining *joining, json_t *members, bool complete);

/* AsyncResult.get(), GroupResult.get(). */
static json_t *get(struct joining *joining, json_t *tuple)
{
    if (members_of(tuple) != NULL)
        return join_members(joining, members_of(tuple), false);
    return parents_are_sound(joining, tuple) ? wait_for(joining, tuple) : NULL;
}

static json_t *get_each(struct joining *joining, json_t *members)
{
    json_t *values = json_array(), *member;
    size_t index;
    json_array_foreach(members, index, member)
    {
        json_t *value = get(joining, member);
        if (value == NULL) {
            json_decref(values);
            return NULL;
        }
        json_array_append_new(values, value);
    }
    return values;
}

/* A task of the group itself. Where all have ended, what is not there was not stored: None. */
static json_t *get_task(struct joining *joining, json_t *tuple, bool complete)
{
    json_t *value = NULL;
    if (!complete)
        return wait_for(joining, tuple);
    return look(joining, tuple, &value) == PENDING ? json_null() : value;
}

/* Groups in the group come first, whatever their places: that decides whose failure is told. */
static json_t *join_members(struct joining *joining, json_t *members, bool complete)
{
    json_t *values = json_array(), *member;
    size_t index;
    bool good = true;
    json_array_foreach(members, index, member)
    {
        json_t *nested = members_of(member);
        json_t *value = nested == NULL || !good ? json_null() : get_each(joining, nested);
        good = good && value != NULL;
        if (value != NULL)
            json_array_append_new(values, value);
    }
    for (index = 0; good && index < json_array_size(members); index++) {
        member = json_array_get(members, index);
        if (members_of(member) != NULL)
            continue;
        json_t *value = get_task(joining, member, complete);
        good = value != NULL;
        if (good)
            json_array_set_new(values, index, value);
    }
    if (good)
        return values;
    json_decref(values);
    return NULL;
}

json_t *follow_join(struct child *child, json_t *tuple, json_t **failure, struct error *error)
{
    struct joining joining = {.child = child, .deadline = clock_monotonic() + JOIN_SECONDS, .error = error};
    json_t *values = join_members(&joining, members_of(tuple), true);
    *failure = joining.failure;
    return values;
}
