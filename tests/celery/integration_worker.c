/* A worker for Celery's own integration suite: the tasks of its t/integration/tasks.py under their names, on
 * celeryc's public API alone. tests/conformance runs the suite against it. */
#include "integration_tasks.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define TASK(function) .name = "t.integration.tasks." #function, .run = function

/* The parameters are those of the Python functions. They decide how a task is called as an errback, and which
 * arguments a retry with others replaces. */
static const struct celery_task_type tasks[] = {
    /* values */
    {TASK(identity), .parameters = NAMES("x")},
    {TASK(add), .parameters = NAMES("x", "y", "z")},
    {TASK(mul), .parameters = NAMES("x", "y")},
    {TASK(write_to_file_and_return_int), .parameters = NAMES("file_name", "i")},
    {.name = "t.integration.tasks.add_not_typed", .run = add_two, .parameters = NAMES("x", "y")},
    {.name = "t.integration.tasks.add_ignore_result",
     .run = add_two,
     .parameters = NAMES("x", "y"),
     .ignore_result = true},
    {.name = "t.integration.tasks.add_with_result", .run = add_two, .parameters = NAMES("x", "y")},
    {TASK(delayed_sum), .parameters = NAMES("numbers", "pause_time")},
    {TASK(delayed_sum_with_soft_guard), .parameters = NAMES("numbers", "pause_time")},
    {TASK(tsum), .parameters = NAMES("nums")},
    {TASK(xsum), .parameters = NAMES("nums")},
    {TASK(print_unicode), .parameters = NAMES("log_message", "print_message")},
    {TASK(return_exception), .parameters = NAMES("e")},
    {TASK(sleeping), .parameters = NAMES("i")},
    {TASK(ids), .parameters = NAMES("i")},
    {TASK(collect_ids), .parameters = NAMES("res", "i")},
    {TASK(replaced_with_me)},
    {TASK(add_pydantic), .parameters = NAMES("data")},
    {.name = "t.integration.tasks.add_pydantic_string_annotations",
     .run = add_pydantic,
     .parameters = NAMES("data")},
    {TASK(return_priority), .parameters = NAMES("*_args")},
    {TASK(return_request_eta)},
    {TASK(return_properties)},
    {TASK(return_request_time_limits)},
    {.name = "t.integration.tasks.task_with_declared_time_limits",
     .run = return_request_time_limits,
     .time_limit = 60,
     .soft_time_limit = 45},

    /* what sends others, or is replaced by others */
    {TASK(chain_add), .parameters = NAMES("x", "y")},
    {TASK(chord_add), .parameters = NAMES("x", "y")},
    {TASK(build_chain_inside_task)},
    {TASK(add_replaced), .parameters = NAMES("x", "y")},
    {TASK(record_replaced_task_nesting), .parameters = NAMES("replacements", "nesting")},
    {TASK(add_replaced_with_chain), .parameters = NAMES("x", "y")},
    {TASK(replace_with_chain), .parameters = NAMES("*args")},
    {TASK(replace_with_chain_which_raises), .parameters = NAMES("*args")},
    {TASK(replace_with_empty_chain), .parameters = NAMES("*_")},
    {TASK(replace_with_chain_which_contains_a_group)},
    {TASK(add_to_all), .parameters = NAMES("nums", "val")},
    {TASK(add_to_all_to_chord), .parameters = NAMES("nums", "val")},
    {TASK(add_chord_to_chord), .parameters = NAMES("nums", "val")},
    {TASK(second_order_replace1), .parameters = NAMES("state")},
    {TASK(second_order_replace2), .parameters = NAMES("state")},
    {TASK(fail_replaced), .parameters = NAMES("*args")},
    {TASK(replace_with_stamped_task), .parameters = NAMES("replace_with"), .on_replace = stamp_on_replace},

    /* signatures as values */
    {TASK(return_nested_signature_chain_chain)},
    {TASK(return_nested_signature_chain_group)},
    {TASK(return_nested_signature_chain_chord)},
    {TASK(return_nested_signature_group_chain)},
    {TASK(return_nested_signature_group_group)},
    {TASK(return_nested_signature_group_chord)},
    {TASK(return_nested_signature_chord_chain)},
    {TASK(return_nested_signature_chord_group)},
    {TASK(return_nested_signature_chord_chord)},
    {TASK(rebuild_signature), .parameters = NAMES("sig_dict")},

    /* what fails, is retried, is rejected */
    {TASK(raise_error), .parameters = NAMES("*args")},
    {TASK(fail), .parameters = NAMES("*args")},
    {TASK(fail_unpickleable), .parameters = NAMES("foo", "bar")},
    {TASK(retry), .parameters = NAMES("return_value"), .default_retry_delay = 1},
    {TASK(retry_unpickleable), .parameters = NAMES("foo", "bar"), .default_retry_delay = 1},
    {TASK(retry_with_args_after_kwargs), .parameters = NAMES("foo", "bar", "label"), .max_retries = 1},
    {TASK(retry_with_kwargs_after_args), .parameters = NAMES("foo", "bar"), .max_retries = 1},
    {TASK(retry_once), .parameters = NAMES("*args"), .max_retries = 1},
    {.name = "t.integration.tasks.retry_once_ignore_result", .run = retry_once_now, .ignore_result = true},
    {.name = "t.integration.tasks.retry_once_with_result", .run = retry_once_now},
    {TASK(retry_once_priority), .parameters = NAMES("*args"), .max_retries = 1},
    {TASK(retry_once_headers), .parameters = NAMES("*args"), .max_retries = 1},
    {.name = "auto_retry_class_task",
     .run = auto_retry_class_task,
     .autoretry_for = NAMES("ValueError"),
     .max_retries = 1,
     .retry_backoff = 1},
    {TASK(store_success_then_reject), .acks_late = true},
    {TASK(reject_then_succeed), .acks_late = true},
    {TASK(reject_without_requeue)},
    {TASK(soft_time_limit_must_exceed_time_limit), .soft_time_limit = 2, .time_limit = 1},

    /* what leaves something in Redis, errbacks among it */
    {TASK(sum_and_record), .parameters = NAMES("values", "redis_key")},
    {TASK(redis_echo), .parameters = NAMES("message", "redis_key")},
    {TASK(redis_echo_group_id), .parameters = NAMES("_", "redis_key")},
    {TASK(redis_count), .parameters = NAMES("redis_key")},
    {TASK(errback_old_style), .parameters = NAMES("request_id")},
    {TASK(errback_new_style), .parameters = NAMES("request", "exc", "tb")},
    {TASK(errback_old_style_with_args), .parameters = NAMES("request_id", "label")},
    {TASK(errback_new_style_with_args), .parameters = NAMES("request", "exc", "tb", "label")},
    {0},
};

int main(int argc, char **argv)
{
    static const struct celery_worker_program program = {
        .app = "integration",
        .version = "5.7.0",
        .about = "A worker with the tasks of Celery's own integration suite.",
        .tasks = tasks};
    return celery_worker_main(argc, argv, &program);
}
