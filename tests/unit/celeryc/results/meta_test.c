#include "celeryc/results/backend.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

/* 2026-11-24T00:05:54.045554+00:00, as a genuine worker wrote it */
#define RECORDED 1795478754.045554

static void check(const struct task_meta *meta, const char *expected)
{
    struct error error = {.code = ERROR_NONE};
    size_t size = 0;
    char *text = task_meta_encode(meta, &size, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, expected);
    CU_ASSERT_EQUAL(size, strlen(expected));
    free(text);
}

static void a_success_is_written_as_celery_writes_it(void)
{
    json_t *result = json_integer(3);
    struct task_meta meta = {.task_id = "66cecc0b-6389-4582-8cb4-2408da5ccf1e",
                             .status = "SUCCESS",
                             .result = result,
                             .date_done = RECORDED};
    check(&meta,
          "{\"status\": \"SUCCESS\", \"result\": 3, \"traceback\": null, \"children\": [], \"date_done\": "
          "\"2026-11-24T00:05:54.045554+00:00\", \"task_id\": \"66cecc0b-6389-4582-8cb4-2408da5ccf1e\"}");
    json_decref(result);
}

static void an_extended_result_names_the_request(void)
{
    json_t *args = json_pack("[i, i]", 1, 2), *kwargs = json_object(), *result = json_string("ok");
    struct task_meta meta = {.task_id = "a",
                             .status = "SUCCESS",
                             .result = result,
                             .date_done = RECORDED,
                             .group_id = "g",
                             .parent_id = "p",
                             .extended = true,
                             .name = "demo.add",
                             .worker = "w1@host1",
                             .queue = "celery",
                             .args = args,
                             .kwargs = kwargs,
                             .retries = 1};
    check(
        &meta,
        "{\"status\": \"SUCCESS\", \"result\": \"ok\", \"traceback\": null, \"children\": [], \"date_done\": "
        "\"2026-11-24T00:05:54.045554+00:00\", \"group_id\": \"g\", \"parent_id\": \"p\", \"name\": "
        "\"demo.add\", \"args\": [1, 2], \"kwargs\": {}, \"worker\": \"w1@host1\", \"retries\": 1, "
        "\"queue\": \"celery\", \"task_id\": \"a\"}");
    json_decref(args);
    json_decref(kwargs);
    json_decref(result);
}

static void a_state_that_is_not_ready_has_no_date(void)
{
    json_t *result = json_pack("{s:i, s:i}", "done", 1, "total", 2);
    struct task_meta meta = {.task_id = "a", .status = "PROGRESS", .result = result};
    check(&meta, "{\"status\": \"PROGRESS\", \"result\": {\"done\": 1, \"total\": 2}, \"traceback\": null, "
                 "\"children\": [], \"date_done\": null, \"task_id\": \"a\"}");
    json_decref(result);
}

static void a_failure_holds_the_exception(void)
{
    json_t *result = task_exception("ValueError", "deliberate");
    json_t *children = json_pack("[[[s, n], n]]", "child");
    struct task_meta meta = {.task_id = "a",
                             .status = "FAILURE",
                             .result = result,
                             .children = children,
                             .traceback = "Traceback\n  \"x\"\n"};
    check(&meta,
          "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"ValueError\", \"exc_message\": "
          "[\"deliberate\"], \"exc_module\": \"builtins\"}, \"traceback\": \"Traceback\\n  \\\"x\\\"\\n\", "
          "\"children\": [[[\"child\", null], null]], \"date_done\": null, \"task_id\": \"a\"}");
    json_decref(result);
    json_decref(children);
}

static void exceptions_know_their_module(void)
{
    json_t *exception = task_exception("celery.exceptions.TaskRevokedError", "terminated");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(exception, "exc_type")), "TaskRevokedError");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(exception, "exc_module")), "celery.exceptions");
    json_decref(exception);
}

static void text_that_is_not_ascii_is_escaped_as_python_does(void)
{
    json_t *result = json_string("caf\u00e9 \U0001f600 \x7f \x01");
    struct task_meta meta = {.task_id = "\xff", .status = "SUCCESS", .result = result};
    check(
        &meta,
        "{\"status\": \"SUCCESS\", \"result\": \"caf\\u00e9 \\ud83d\\ude00 \\u007f \\u0001\", \"traceback\": "
        "null, \"children\": [], \"date_done\": null, \"task_id\": \"\\ufffd\"}");
    json_decref(result);
}

static void what_is_nested_too_deeply_is_an_error(void)
{
    json_t *value = json_array();
    for (int i = 0; i < 3000; i++)
        value = json_pack("[o]", value);
    struct task_meta meta = {.task_id = "a", .status = "SUCCESS", .result = value};
    struct error error = {.code = ERROR_NONE};
    size_t size;
    CU_ASSERT_PTR_NULL(task_meta_encode(&meta, &size, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    json_decref(value);
}

UNIT_MAIN("task meta", {"a success is written as Celery writes it", a_success_is_written_as_celery_writes_it},
          {"an extended result names the request", an_extended_result_names_the_request},
          {"a state that is not ready has no date", a_state_that_is_not_ready_has_no_date},
          {"a failure holds the exception", a_failure_holds_the_exception},
          {"exceptions know their module", exceptions_know_their_module},
          {"text that is not ASCII is escaped as Python does",
           text_that_is_not_ascii_is_escaped_as_python_does},
          {"what is nested too deeply is an error", what_is_nested_too_deeply_is_an_error})
