#include "api/job_state.h"
#include "tests/unit/unit.h"

#include <string.h>

static struct job_state state_of(const char *text)
{
    struct job_state state;
    json_t *meta = text != NULL ? json_loads(text, 0, NULL) : NULL;
    CU_ASSERT(text == NULL || meta != NULL);
    job_state_read(meta, &state);
    json_decref(meta);
    return state;
}

static void nothing_stored_means_that_it_waits(void)
{
    struct job_state state = state_of(NULL);
    CU_ASSERT_EQUAL(state.phase, JOB_WAITING);
    CU_ASSERT_STRING_EQUAL(state.name, "PENDING");
    CU_ASSERT_EQUAL(state.progress.percent, 0);
}

static void states_that_are_not_ready_wait(void)
{
    static const char *const names[] = {"PENDING", "RECEIVED", "STARTED", "RETRY", "PROGRESS", "SORTING"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"status\": \"%s\", \"result\": null}", names[i]);
        struct job_state state = state_of(text);
        CU_ASSERT_EQUAL(state.phase, JOB_WAITING);
        CU_ASSERT_STRING_EQUAL(state.name, names[i]);
    }
}

static void progress_is_read_and_its_percentage_made(void)
{
    struct job_state state =
        state_of("{\"status\": \"PROGRESS\", \"result\": {\"files_done\": 3, \"files_total\": 15,"
                 " \"bytes_done\": 1000, \"bytes_total\": 3000}}");
    CU_ASSERT_EQUAL(state.progress.files_done, 3);
    CU_ASSERT_EQUAL(state.progress.files_total, 15);
    CU_ASSERT_EQUAL(state.progress.bytes_done, 1000);
    CU_ASSERT_EQUAL(state.progress.bytes_total, 3000);
    CU_ASSERT_DOUBLE_EQUAL(state.progress.percent, 33.3, 0.001);
}

static void progress_that_makes_no_sense_does_no_harm(void)
{
    struct job_state state =
        state_of("{\"status\": \"PROGRESS\", \"result\": {\"files_done\": -3, \"files_total\": \"x\","
                 " \"bytes_done\": 9000, \"bytes_total\": 3000}}");
    CU_ASSERT_EQUAL(state.progress.files_done, 0);
    CU_ASSERT_EQUAL(state.progress.files_total, 0);
    CU_ASSERT_EQUAL(state.progress.percent, 100);
    CU_ASSERT_EQUAL(state_of("{\"status\": \"PROGRESS\", \"result\": [1]}").phase, JOB_WAITING);
    CU_ASSERT_EQUAL(state_of("{\"status\": 7}").phase, JOB_WAITING);
    CU_ASSERT_EQUAL(state_of("[]").phase, JOB_WAITING);
    CU_ASSERT_EQUAL(state_of("{\"status\": \"FAILURE\", \"result\": \"text\"}").problem,
                    PROBLEM_MERGE_FAILED);
    char text[512] = "{\"status\": \"";
    memset(text + strlen(text), 'A', 300);
    strcat(text, "\"}");
    CU_ASSERT_EQUAL(strlen(state_of(text).name), 31);
}

static void causes_have_problems_of_their_own(void)
{
    struct job_state state =
        state_of("{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"UnsortedInput\", \"exc_message\":"
                 " [\"2019-08-17_1: line 3 is before line 2\"], \"exc_module\": \"logmerge\"}}");
    CU_ASSERT_EQUAL(state.phase, JOB_FAILED);
    CU_ASSERT_EQUAL(state.problem, PROBLEM_UNSORTED_INPUT);
    CU_ASSERT_STRING_EQUAL(state.reason, "2019-08-17_1: line 3 is before line 2");
    state = state_of(
        "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"StorageUnavailable\", \"exc_message\":"
        " \"GET logs/2019-08-17_1: 503\", \"exc_module\": \"logmerge\"}}");
    CU_ASSERT_EQUAL(problem_type(state.problem)->status, 502);
    CU_ASSERT_STRING_EQUAL(state.reason, "GET logs/2019-08-17_1: 503");
    state =
        state_of("{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"WorkerLostError\", \"exc_message\":"
                 " [\"Worker exited prematurely: signal 9 (SIGKILL) Job: 0.\"]}}");
    CU_ASSERT_EQUAL(state.problem, PROBLEM_WORKER_LOST);
    state = state_of("{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"TimeLimitExceeded\", "
                     "\"exc_message\": [10]}}");
    CU_ASSERT_EQUAL(state.problem, PROBLEM_TIME_LIMIT);
}

static void the_words_of_unknown_exceptions_are_not_repeated(void)
{
    struct job_state state =
        state_of("{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"KeyError\", \"exc_message\":"
                 " [\"password=hunter2\"]}, \"traceback\": \"Traceback: hunter2\"}");
    CU_ASSERT_EQUAL(state.problem, PROBLEM_MERGE_FAILED);
    CU_ASSERT_PTR_NULL(strstr(state.reason, "hunter2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(state.reason, "KeyError"));
}

static void a_long_reason_is_cut_between_characters(void)
{
    char text[4096] =
        "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"LineTooLong\", \"exc_message\": [\"x";
    for (int i = 0; i < 1000; i++)
        strcat(text, "\xc3\xa9");
    strcat(text, "\"]}}");
    struct job_state state = state_of(text);
    CU_ASSERT_EQUAL(strlen(state.reason) % 2, 1);
    json_t *reason = json_string(state.reason);
    CU_ASSERT_PTR_NOT_NULL(reason);
    json_decref(reason);
}

static void revoked_is_cancelled_unless_it_expired(void)
{
    CU_ASSERT_EQUAL(
        state_of("{\"status\": \"REVOKED\", \"result\": {\"exc_type\": \"TaskRevokedError\", \"exc_message\":"
                 " [\"terminated\"]}}")
            .phase,
        JOB_CANCELLED);
    CU_ASSERT_EQUAL(
        state_of("{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"MergeCancelled\", \"exc_message\":"
                 " [\"cancelled\"]}}")
            .phase,
        JOB_CANCELLED);
    struct job_state state =
        state_of("{\"status\": \"REVOKED\", \"result\": {\"exc_type\": \"TaskRevokedError\","
                 " \"exc_message\": [\"expired\"]}}");
    CU_ASSERT_EQUAL(state.phase, JOB_FAILED);
    CU_ASSERT_EQUAL(state.problem, PROBLEM_EXPIRED_IN_QUEUE);
}

static void success_is_merged(void)
{
    CU_ASSERT_EQUAL(state_of("{\"status\": \"SUCCESS\", \"result\": {\"files\": 15}}").phase, JOB_MERGED);
    CU_ASSERT_EQUAL(state_of("{\"status\": \"SUCCESS\", \"result\": null}").phase, JOB_MERGED);
}

UNIT_MAIN("the state of a job", {"nothing stored means that it waits", nothing_stored_means_that_it_waits},
          {"states that are not ready wait", states_that_are_not_ready_wait},
          {"progress is read and its percentage made", progress_is_read_and_its_percentage_made},
          {"progress that makes no sense does no harm", progress_that_makes_no_sense_does_no_harm},
          {"causes have problems of their own", causes_have_problems_of_their_own},
          {"the words of unknown exceptions are not repeated",
           the_words_of_unknown_exceptions_are_not_repeated},
          {"a long reason is cut between characters", a_long_reason_is_cut_between_characters},
          {"revoked is cancelled unless it expired", revoked_is_cancelled_unless_it_expired},
          {"success is merged", success_is_merged})
