#include "celeryc/worker/statedb.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MOST (16L << 20)
#define IDS_BYTES ((size_t)5 << 19) /* of all ids; JSON may make six of each byte */

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

/* Opened for reading: < 0 when it is not there (errno is ENOENT), or cannot be one of ours. */
static int open_state(const char *path, struct error *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        int problem = errno;
        if (problem != ENOENT)
            error_set_errno(error, "cannot read the state in %s", path);
        if (fd >= 0)
            close(fd);
        errno = problem;
        return -1;
    }
    if (S_ISREG(status.st_mode) && status.st_size <= SIZE_MOST)
        return fd;
    close(fd);
    error_set(error, ERROR_INVALID, "the state in %s is no file of %ld bytes at most", path, SIZE_MOST);
    errno = EINVAL;
    return -1;
}

bool statedb_load(const char *path, struct id_ring *revoked, struct lamport_clock *clock, struct error *error)
{
    json_error_t problem;
    int fd = open_state(path, error);
    if (fd < 0)
        return errno == ENOENT;
    json_t *state = json_loadfd(fd, 0, &problem);
    close(fd);
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
    size_t at = 0, bytes = 0;
    for (const char *id = id_ring_next(revoked, &at); id != NULL; id = id_ring_next(revoked, &at))
        bytes += strlen(id);
    at = 0;
    for (const char *id = id_ring_next(revoked, &at); id != NULL; id = id_ring_next(revoked, &at)) {
        if (bytes <= IDS_BYTES)
            (void)json_array_append_new(ids, json_string(id));
        else
            bytes -= strlen(id); /* the oldest of too many long ones */
    }
    return json_pack("{s:I, s:o}", "clock", (json_int_t)lamport_value(clock), "revoked", ids);
}

/* A file of our own, whatever somebody has put there under that name. */
static bool write_new(const char *path, const json_t *state)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = json_dumpfd(state, fd, JSON_COMPACT) == 0 && fsync(fd) == 0;
    return close(fd) == 0 && written;
}

bool statedb_save(const char *path, const struct id_ring *revoked, struct lamport_clock *clock,
                  struct error *error)
{
    char other[4096];
    if (snprintf(other, sizeof other, "%s.new", path) >= (int)sizeof other)
        return error_set(error, ERROR_LIMIT, "the name of the state's file is too long");
    json_t *state = make(revoked, clock);
    bool written = state != NULL && write_new(other, state);
    json_decref(state);
    if (written && rename(other, path) == 0)
        return true;
    error_set_errno(error, "cannot write the state to %s", path);
    (void)unlink(other);
    return false;
}
