#include "api/problem_type.h"

static const struct problem_type types[PROBLEM_KINDS] = {
    [PROBLEM_NOT_FOUND] = {"not-found", 404, "There is nothing at this path"},
    [PROBLEM_METHOD] = {"method-not-allowed", 405, "This path does not take this method"},
    [PROBLEM_CONTENT_TYPE] = {"unsupported-media-type", 415, "The body must be application/json"},
    [PROBLEM_TOO_LARGE] = {"body-too-large", 413, "The body is too large"},
    [PROBLEM_NOT_JSON] = {"malformed-json", 400, "The body is not well-formed JSON"},
    [PROBLEM_INVALID] = {"invalid-request", 422, "The body is not a valid request"},
    [PROBLEM_IDEMPOTENCY_KEY] = {"invalid-idempotency-key", 400, "The Idempotency-Key is not well-formed"},
    [PROBLEM_IDEMPOTENCY_REUSED] = {"idempotency-key-reused", 422,
                                    "The Idempotency-Key was used with another body"},
    [PROBLEM_PRECONDITION] = {"precondition-failed", 412,
                              "The file is not the one that the precondition names"},
    [PROBLEM_RANGE] = {"range-not-satisfiable", 416, "The range lies outside of the file"},

    [PROBLEM_UNKNOWN_DOWNLOAD] = {"unknown-download", 404, "There is no such download"},
    [PROBLEM_CANCELLED] = {"cancelled", 410, "The merge was cancelled"},
    [PROBLEM_GONE] = {"gone", 410, "The merged file is no longer there"},

    [PROBLEM_UNSORTED_INPUT] = {"unsorted-input", 500, "A log file is not sorted"},
    [PROBLEM_OBJECT_CHANGED] = {"object-changed", 500, "A log file changed while it was merged"},
    [PROBLEM_LINE_TOO_LONG] = {"line-too-long", 500, "A log file has a line that is too long"},
    [PROBLEM_TOO_MUCH_INPUT] = {"too-much-input", 500, "The range has more log files than can be merged"},
    [PROBLEM_WORKER_LOST] = {"worker-lost", 500, "The worker died, each time that the merge was tried"},
    [PROBLEM_TIME_LIMIT] = {"time-limit", 500, "The merge took longer than it may"},
    [PROBLEM_WORKER_MEMORY] = {"worker-memory", 500, "The worker ran out of memory"},
    [PROBLEM_WORKER_SYSTEM] = {"worker-system", 500, "The worker's machine has a problem"},
    [PROBLEM_NO_SUCH_TASK] = {"no-such-task", 500, "The worker does not know the merge task"},
    [PROBLEM_BAD_ARGUMENTS] = {"bad-arguments", 500, "The worker refused the arguments of the merge"},
    [PROBLEM_EXPIRED_IN_QUEUE] = {"expired-in-queue", 500, "The merge expired before a worker took it"},
    [PROBLEM_STORAGE_FAILED] = {"storage-failed", 502, "S3 failed while the files were merged"},
    [PROBLEM_STORAGE_DENIED] = {"storage-denied", 502, "S3 refused the worker access"},
    [PROBLEM_MERGE_FAILED] = {"merge-failed", 500, "The merge failed"},

    [PROBLEM_UNAVAILABLE] = {"unavailable", 503, "The service cannot do this now"},
    [PROBLEM_NOT_READY] = {"not-ready", 503, "The service is not ready"},
};

const struct problem_type *problem_type(enum problem_kind kind)
{
    return &types[kind];
}
