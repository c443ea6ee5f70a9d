/* A child's dealings with Redis beyond its own results: chords, and results of others. Each goes on until it
 * is done, however long Redis is away (but for a cold shutdown), after what is queued is stored: who sees the
 * chord complete must find its results. */
#include "celeryc/worker/follow.h"

#include "common/clock.h"
#include "common/log.h"

#define ATTEMPT 5.0 /* seconds of one attempt, then the next one begins */

/* One command; what it is about is in `context`. */
typedef bool command(struct backend *backend, void *context, double deadline, struct error *error);

static bool may_pass(const struct error *error)
{
    return error->code == ERROR_UNAVAILABLE || error->code == ERROR_TIMEOUT;
}

static bool run(struct child *child, command *run_command, void *context, struct error *error)
{
    bool done = false, again = true;
    child_flush(child);
    pthread_mutex_lock(&child->lock);
    while (!done && again) {
        done = run_command(child->backend, context, clock_monotonic() + ATTEMPT, error);
        again = !done && may_pass(error);
        if (again)
            log_warning("trying again: %s", error->message);
    }
    pthread_mutex_unlock(&child->lock);
    return done;
}

struct about { /* of each command what it needs */
    const char *group, *claim, *id;
    json_int_t size;
    const json_t *tuple;
    json_t **value;
    const struct chord_part *part;
    char *new_claim;
    bool *flag;
    int seconds;
};

static bool set_size(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_set_size(backend, about->group, about->size, deadline, error);
}

bool child_chord_size(struct child *child, const char *group, json_int_t size, struct error *error)
{
    return run(child, set_size, &(struct about){.group = group, .size = size}, error);
}

static bool save_group(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_save_group(backend, about->group, about->tuple, deadline, error);
}

bool child_chord_group(struct child *child, const char *group, const json_t *tuple, struct error *error)
{
    return run(child, save_group, &(struct about){.group = group, .tuple = tuple}, error);
}

static bool add_task(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_add_task(backend, about->group, deadline, error);
}

bool child_chord_add(struct child *child, const char *group, struct error *error)
{
    return run(child, add_task, &(struct about){.group = group}, error);
}

static bool get_group(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_get_group(backend, about->group, about->value, deadline, error);
}

bool child_chord_get_group(struct child *child, const char *group, json_t **tuple, struct error *error)
{
    return run(child, get_group, &(struct about){.group = group, .value = tuple}, error);
}

static bool return_part(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_return(backend, about->part, about->flag, about->new_claim, deadline, error);
}

bool child_chord_return(struct child *child, const struct chord_part *part, bool *claimed, char *claim,
                        struct error *error)
{
    return run(child, return_part, &(struct about){.part = part, .flag = claimed, .new_claim = claim}, error);
}

static bool get_results(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_get_results(backend, about->group, about->value, deadline, error);
}

bool child_chord_results(struct child *child, const char *group, json_t **results, struct error *error)
{
    return run(child, get_results, &(struct about){.group = group, .value = results}, error);
}

static bool keep_claim(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_keep_claim(backend, about->group, about->claim, about->seconds, about->flag, deadline,
                            error);
}

bool child_chord_keep(struct child *child, const char *group, const char *claim, int seconds, bool *kept,
                      struct error *error)
{
    struct about about = {.group = group, .claim = claim, .seconds = seconds, .flag = kept};
    return run(child, keep_claim, &about, error);
}

static bool finish(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_finish(backend, about->group, about->claim, deadline, error);
}

bool child_chord_finish(struct child *child, const char *group, const char *claim, struct error *error)
{
    return run(child, finish, &(struct about){.group = group, .claim = claim}, error);
}

static bool give_up(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return chord_give_up(backend, about->group, deadline, error);
}

bool child_chord_give_up(struct child *child, const char *group, struct error *error)
{
    return run(child, give_up, &(struct about){.group = group}, error);
}

static bool get_result(struct backend *backend, void *context, double deadline, struct error *error)
{
    const struct about *about = context;
    return backend_get(backend, about->id, about->value, deadline, error);
}

bool child_get_result(struct child *child, const char *id, json_t **meta, struct error *error)
{
    return run(child, get_result, &(struct about){.id = id, .value = meta}, error);
}
