#include "api/job_state.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The exceptions that end a merge, by the name that stands in the stored result. `told` marks those whose
 * message is written for the user of the service (worker/failures.h); of others only our own sentence is
 * told, because a message of unknown origin may quote anything. */
static const struct failure {
    const char *exception;
    enum problem_kind problem;
    bool told;
    const char *sentence;
} failures[] = {
    {"UnsortedInput", PROBLEM_UNSORTED_INPUT, true, "A log file is not sorted."},
    {"ObjectChanged", PROBLEM_OBJECT_CHANGED, true, "A log file changed while it was read."},
    {"LineTooLong", PROBLEM_LINE_TOO_LONG, true, "A log file has a line that is too long."},
    {"TooManyFiles", PROBLEM_TOO_MUCH_INPUT, true, "The range has too many log files."},
    {"StorageUnavailable", PROBLEM_STORAGE_FAILED, true, "S3 could not be reached for too long."},
    {"StorageDenied", PROBLEM_STORAGE_DENIED, true, "S3 refused the worker access."},
    {"StorageError", PROBLEM_STORAGE_FAILED, true, "S3 failed."},
    {"WorkerLostError", PROBLEM_WORKER_LOST, false,
     "The process that merged the files died. Start the merge again; if it dies again, the operators should "
     "know."},
    {"Terminated", PROBLEM_WORKER_LOST, false,
     "The process that merged the files was ended. Start the merge again."},
    {"TimeLimitExceeded", PROBLEM_TIME_LIMIT, false,
     "The merge took longer than it may. Ask for a shorter range of dates."},
    {"SoftTimeLimitExceeded", PROBLEM_TIME_LIMIT, false,
     "The merge took longer than it may. Ask for a shorter range of dates."},
    {"MemoryError", PROBLEM_WORKER_MEMORY, false,
     "The worker ran out of memory. Start the merge again later."},
    {"OSError", PROBLEM_WORKER_SYSTEM, false,
     "The worker's machine has a problem. The operators should know."},
    {"NotRegistered", PROBLEM_NO_SUCH_TASK, false,
     "A worker took the merge that does not know how to do it. The operators should know."},
    {"ValueError", PROBLEM_BAD_ARGUMENTS, false, "The worker refused the dates."},
    {"TypeError", PROBLEM_BAD_ARGUMENTS, false, "The worker refused the dates."},
};

static uint64_t count_of(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static void read_progress(const json_t *result, struct job_progress *progress)
{
    progress->files_done = count_of(result, "files_done");
    progress->files_total = count_of(result, "files_total");
    progress->bytes_done = count_of(result, "bytes_done");
    progress->bytes_total = count_of(result, "bytes_total");
    double percent = 0;
    if (progress->bytes_total > 0)
        percent = 100.0 * (double)progress->bytes_done / (double)progress->bytes_total;
    else if (progress->files_total > 0)
        percent = 100.0 * (double)progress->files_done / (double)progress->files_total;
    progress->percent = percent > 100 ? 100 : round(percent * 10) / 10;
}

/* The message of an exception: Celery stores it as a string or as the list of the exception's arguments. */
static const char *exception_message(const json_t *result)
{
    const json_t *message = json_object_get(result, "exc_message");
    if (json_is_array(message))
        message = json_array_get(message, 0);
    const char *text = json_string_value(message);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static void copy_text(char *buffer, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--; /* never cut within a UTF-8 sequence */
    }
    memcpy(buffer, text, length);
    buffer[length] = '\0';
}

static void read_failure(const json_t *result, struct job_state *state)
{
    const char *type = json_string_value(json_object_get(result, "exc_type"));
    const char *message = exception_message(result);
    if (type != NULL && strcmp(type, "MergeCancelled") == 0) {
        state->phase = JOB_CANCELLED;
        return;
    }
    state->phase = JOB_FAILED;
    state->problem = PROBLEM_MERGE_FAILED;
    for (size_t i = 0; type != NULL && i < sizeof failures / sizeof failures[0]; i++) {
        const struct failure *failure = &failures[i];
        if (strcmp(failure->exception, type) == 0) {
            state->problem = failure->problem;
            copy_text(state->reason, sizeof state->reason,
                      failure->told && message != NULL ? message : failure->sentence);
            return;
        }
    }
    (void)snprintf(
        state->reason, sizeof state->reason,
        "The worker failed with %.64s. Start the merge again; if it fails again, the operators should know.",
        type != NULL ? type : "an unknown error");
}

void job_state_read(const json_t *meta, struct job_state *state)
{
    memset(state, 0, sizeof *state);
    const char *status = json_string_value(json_object_get(meta, "status"));
    const json_t *result = json_object_get(meta, "result");
    copy_text(state->name, sizeof state->name, status != NULL && status[0] != '\0' ? status : "PENDING");
    if (strcmp(state->name, "SUCCESS") == 0) {
        state->phase = JOB_MERGED;
    } else if (strcmp(state->name, "FAILURE") == 0) {
        read_failure(result, state);
    } else if (strcmp(state->name, "REVOKED") == 0) {
        const char *type = json_string_value(json_object_get(result, "exc_type"));
        const char *message = exception_message(result);
        if (type != NULL && message != NULL && strcmp(message, "expired") == 0) {
            state->phase = JOB_FAILED;
            state->problem = PROBLEM_EXPIRED_IN_QUEUE;
            copy_text(state->reason, sizeof state->reason,
                      "No worker took the merge in time. Start it again.");
        } else {
            state->phase = JOB_CANCELLED;
        }
    } else {
        state->phase = JOB_WAITING;
        read_progress(result, &state->progress);
    }
}

json_t *job_progress_json(const struct job_progress *progress)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:f}", "files_done", (json_int_t)progress->files_done,
                     "files_total", (json_int_t)progress->files_total, "bytes_done",
                     (json_int_t)progress->bytes_done, "bytes_total", (json_int_t)progress->bytes_total,
                     "percent", progress->percent);
}
