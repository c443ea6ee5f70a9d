/* The kinds of problem that clients meet: a table, each with a stable type and one status, which docs/api.md
 * lists for them. Pure. */
#ifndef API_PROBLEM_TYPE_H
#define API_PROBLEM_TYPE_H

enum problem_kind {
    /* the request */
    PROBLEM_NOT_FOUND,          /* no such path */
    PROBLEM_METHOD,             /* not this method */
    PROBLEM_CONTENT_TYPE,       /* not application/json */
    PROBLEM_TOO_LARGE,          /* the body */
    PROBLEM_NOT_JSON,           /* the body cannot be read */
    PROBLEM_INVALID,            /* the body can be read, but is not what is needed */
    PROBLEM_IDEMPOTENCY_KEY,    /* the header is not well-formed */
    PROBLEM_IDEMPOTENCY_REUSED, /* with another body */
    PROBLEM_PRECONDITION,       /* If-Match, If-Unmodified-Since */
    PROBLEM_RANGE,              /* outside of the file */
    /* the job */
    PROBLEM_UNKNOWN_DOWNLOAD,
    PROBLEM_CANCELLED,
    PROBLEM_GONE,
    /* why a merge failed */
    PROBLEM_UNSORTED_INPUT,
    PROBLEM_OBJECT_CHANGED,
    PROBLEM_LINE_TOO_LONG,
    PROBLEM_TOO_MUCH_INPUT,
    PROBLEM_WORKER_LOST,
    PROBLEM_TIME_LIMIT,
    PROBLEM_WORKER_MEMORY,
    PROBLEM_WORKER_SYSTEM,
    PROBLEM_NO_SUCH_TASK,
    PROBLEM_BAD_ARGUMENTS,
    PROBLEM_EXPIRED_IN_QUEUE,
    PROBLEM_STORAGE_FAILED,
    PROBLEM_STORAGE_DENIED,
    PROBLEM_MERGE_FAILED, /* any other reason */
    /* the service */
    PROBLEM_UNAVAILABLE, /* broker, Redis or S3 is away */
    PROBLEM_NOT_READY,   /* /readyz */
    PROBLEM_KINDS        /* how many there are */
};

struct problem_type {
    const char *name; /* the last part of the type's URI, "/problems/<name>" */
    int status;
    const char *title;
};

/* The type of a kind; static storage. */
const struct problem_type *problem_type(enum problem_kind kind);

#endif
