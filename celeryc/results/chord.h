/* Chords in Redis: how many parts there are, what they returned, and who sends the body. Keys and values are
 * Celery's, so that C and Python workers share chords. Source: celery/backends/redis.py 5.7.
 *
 * `deadline` is on clock_monotonic(), 0: 60 s. Without a result backend nothing is kept: parts of a chord
 * that another has sent do not complete it. */
#ifndef CELERYC_RESULTS_CHORD_H
#define CELERYC_RESULTS_CHORD_H

#include "celeryc/results/backend.h"

#define CHORD_CLAIM_SIZE 33
#define CHORD_CLAIM_SECONDS 6 /* twice the 3 s for which Celery waits for a header's results */

/* Why chords cannot be sent with the result backend of this URL, in Celery's words (ensure_chords_allowed());
 * NULL: they can. */
const char *chord_refusal(const char *url);

/* Before the last part is sent: of this group there are so many. Forgets an earlier run of the same group. */
bool chord_set_size(struct backend *backend, const char *group, json_int_t size, double deadline,
                    struct error *error);
/* A task that is added to a header while it runs. */
bool chord_add_task(struct backend *backend, const char *group, double deadline, struct error *error);
/* Keeps the header's result where parts have results of their own; `tuple` as result_tuple() gives it. */
bool chord_save_group(struct backend *backend, const char *group, const json_t *tuple, double deadline,
                      struct error *error);
/* That tuple, a new reference; NULL: there is none. */
bool chord_get_group(struct backend *backend, const char *group, json_t **tuple, double deadline,
                     struct error *error);

struct chord_part {
    const char *group, *task_id, *status;
    long index;       /* in the header; < 0: not said */
    bool redelivered; /* its message came a second time */
    json_t *result;   /* value, or {"exc_type", "exc_message", "exc_module"} */
};
/* A part has ended. `*claimed`: it was the last one, and the body is the caller's to send, who then calls
 * chord_finish(); `claim` names the caller. */
bool chord_return(struct backend *backend, const struct chord_part *part, bool *claimed,
                  char claim[CHORD_CLAIM_SIZE], double deadline, struct error *error);
/* What the parts returned, in order: an array of [1, task id, status, result]; a new reference. */
bool chord_get_results(struct backend *backend, const char *group, json_t **results, double deadline,
                       struct error *error);
/* Before the body is sent: whether the claim still holds; it is prolonged. */
bool chord_keep_claim(struct backend *backend, const char *group, const char *claim, int seconds, bool *kept,
                      double deadline, struct error *error);
/* After the body is sent: removes the chord. */
bool chord_finish(struct backend *backend, const char *group, const char *claim, double deadline,
                  struct error *error);
/* After the chord has failed: parts that return again do not fail it again. */
bool chord_give_up(struct backend *backend, const char *group, double deadline, struct error *error);

#endif
