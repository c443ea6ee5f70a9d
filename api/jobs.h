/* What the API keeps in Redis about its jobs, beside what Celery keeps.
 *
 *     logmerge:job:<id>            {"start_date", "end_date", "created"}
 *     logmerge:cancelled:<id>      a tombstone: the job was cancelled
 *     logmerge:idempotency:<key>   {"download_id", "start_date", "end_date", "published"}
 *
 * A job's record is written before its task is published and never changed. It makes the difference between a
 * job that waits and an id that was never given out; it outlives result and object. The last one says which
 * job a client's key made. Thread-safe. Errors: those of celeryc's store.h. */
#ifndef API_JOBS_H
#define API_JOBS_H

#include "api/api.h"
#include "common/uuid.h"
#include "schemas/date_range.h"

struct job {
    bool known;              /* there is a record */
    bool cancelled;          /* there is a tombstone */
    struct date_range range; /* when known */
    double created;          /* when known: seconds since 1970 */
};

bool jobs_record(struct api *api, const char *id, const struct date_range *range, struct error *error);
bool jobs_forget(struct api *api, const char *id, struct error *error);
/* Record and tombstone in one round trip. A record that cannot be read counts as none. */
bool jobs_find(struct api *api, const char *id, struct job *job, struct error *error);
/* Leaves the tombstone, for as long as the record lives at most. The worker looks at it, too. */
bool jobs_cancel(struct api *api, const char *id, struct error *error);

/* ---- idempotency ---- */
#define JOBS_KEY_SIZE 256 /* with its NUL */

/* Whether a client's key is 1 to 255 visible ASCII characters. */
bool jobs_key_is_valid(const char *key);

struct job_claim {
    char id[UUID_SIZE];
    struct date_range range;
    bool published; /* the broker has confirmed the task: the answer is known */
};

/* Claims the key for `claim` (with published = false) unless it is claimed already; then `*claim` becomes
 * what is stored and `*ours` false. All API processes agree, as Redis decides. */
bool jobs_claim(struct api *api, const char *key, struct job_claim *claim, bool *ours, struct error *error);
/* Reads the claim again; `*found` tells whether there is one (it may have been given up). */
bool jobs_read_claim(struct api *api, const char *key, struct job_claim *claim, bool *found,
                     struct error *error);
/* Remembers that the claim's task is published. */
bool jobs_settle_claim(struct api *api, const char *key, const struct job_claim *claim, struct error *error);
/* Gives the key back after a failure, so that the client may try again. */
bool jobs_release_claim(struct api *api, const char *key, struct error *error);

#endif
