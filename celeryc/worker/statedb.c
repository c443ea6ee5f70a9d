#include "celeryc/worker/statedb.h"

#include "common/clock.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MOST (16L << 20)

static void take(const json_t *state, struct id_ring *revoked, struct lamport_clock *clock)
{
    size_t index;
    json_t *id;
    json_array_foreach(json_object_get(state, "revoked"), index, id)
    {
        if (json_is_string(id) && !id_ring_has(revoked, json_string_value(id), 0, NULL))
            id_ring_add(revoked, json_string_value(id), 0, (uint32_t)clock_monotonic());
    }
    lamport_adjust(clock, (int64_t)json_integer_value(json_object_get(state, "clock")));
}

bool statedb_load(const char *path, struct id_ring *revoked, struct lamport_clock *clock, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT || error_set_errno(error, "cannot read the state in %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_INVALID, "%s is no file", path);
    if (status.st_size > SIZE_MOST)
        return error_set(error, ERROR_INVALID, "the state in %s is larger than %ld bytes", path, SIZE_MOST);
    json_error_t problem;
    json_t *state = json_load_file(path, 0, &problem);
    if (!json_is_object(state)) {
        json_decref(state);
        return error_set(error, ERROR_INVALID, "%s holds no worker's state: %s", path, problem.text);
    }
    take(state, revoked, clock);
    json_decref(state);
    return true;
}

static json_t *make(const struct id_ring *revoked, struct lamport_clock *clock)
{
    json_t *ids = json_array();
    size_t at = 0;
    for (const char *id = id_ring_next(revoked, &at); id != NULL; id = id_ring_next(revoked, &at))
        (void)json_array_append_new(ids, json_string(id));
    return json_pack("{s:I, s:o}", "clock", (json_int_t)lamport_value(clock), "revoked", ids);
}

bool statedb_save(const char *path, const struct id_ring *revoked, struct lamport_clock *clock,
                  struct error *error)
{
    char other[4096];
    if (snprintf(other, sizeof other, "%s.new", path) >= (int)sizeof other)
        return error_set(error, ERROR_LIMIT, "the name of the state's file is too long");
    json_t *state = make(revoked, clock);
    bool written = state != NULL && json_dump_file(state, other, JSON_COMPACT) == 0;
    json_decref(state);
    if (written && rename(other, path) == 0)
        return true;
    error_set_errno(error, "cannot write the state to %s", path);
    (void)unlink(other);
    return false;
}
