/* What the stored result of a merge says about it: pure, from the object that Celery stores
 * (celery-task-meta-<id>) to what a client is told. */
#ifndef API_JOB_STATE_H
#define API_JOB_STATE_H

#include "api/problem_type.h"

#include <jansson.h>
#include <stdint.h>

enum job_phase {
    JOB_WAITING, /* queued, running, or to be tried again */
    JOB_MERGED,
    JOB_FAILED,
    JOB_CANCELLED,
};

struct job_progress {
    uint64_t files_done, files_total, bytes_done, bytes_total;
    double percent; /* 0 to 100, one decimal */
};

struct job_state {
    enum job_phase phase;
    char name[32];                /* Celery's name of the state: PENDING, STARTED, PROGRESS, RETRY, ... */
    struct job_progress progress; /* zeros where nothing is known yet */
    enum problem_kind problem;    /* JOB_FAILED: why */
    char reason[768];             /* JOB_FAILED: a sentence that a person can act on; no stack, no secret */
};

/* Reads what is stored; NULL means that nothing is: PENDING. Whatever the JSON holds, the answer is one of
 * the phases; a state that is not Celery's own is a custom one of a running task. */
void job_state_read(const json_t *meta, struct job_state *state);

/* {"files_done", "files_total", "bytes_done", "bytes_total", "percent"}; a new reference. */
json_t *job_progress_json(const struct job_progress *progress);

#endif
