/* The tasks of Celery's own integration suite (t/integration/tasks.py of its source distribution) in C: each
 * does what its Python twin of the same name does. Lists and tuples, both arrays in JSON, are not told apart.
 *
 * integration_values.c: values, sums, files, time; integration_ends.c: failures, retries, rejects;
 * integration_redis.c: what is left in Redis, errbacks; integration_canvas.c: what sends or replaces tasks.
 */
#ifndef TESTS_CELERY_INTEGRATION_TASKS_H
#define TESTS_CELERY_INTEGRATION_TASKS_H

#include <celeryc/canvas.h>
#include <celeryc/store.h>
#include <celeryc/task.h>
#include <celeryc/worker.h>

/* ---- values as Python has them ---- */

bool python_truth(const json_t *value);
/* x + y, x * y, sum(values): a new reference; NULL: the task has failed as Python would. */
json_t *python_add(struct celery_task *task, const json_t *x, const json_t *y);
json_t *python_multiply(struct celery_task *task, const json_t *x, const json_t *y);
json_t *python_sum(struct celery_task *task, const json_t *values);
json_t *python_text_or_none(const char *text);
/* False when the soft time limit passed meanwhile. */
bool python_sleep(struct celery_task *task, double seconds);

/* ---- Redis, where REDIS_HOST and REDIS_PORT say ---- */

/* RPUSH of what redis-py would take: text, bytes or a number. False: the task has failed. */
bool redis_push(struct celery_task *task, const char *key, const json_t *value);
bool redis_push_text(struct celery_task *task, const char *key, const char *text);

/* ---- the tasks ---- */

celery_task_function identity, add, add_two, mul, write_to_file_and_return_int, chain_add, chord_add,
    delayed_sum, delayed_sum_with_soft_guard, tsum, xsum, sum_and_record, add_replaced,
    record_replaced_task_nesting, add_replaced_with_chain, replace_with_chain,
    replace_with_chain_which_raises, replace_with_empty_chain, replace_with_chain_which_contains_a_group,
    add_to_all, add_to_all_to_chord, add_chord_to_chord, print_unicode, return_exception, sleeping, ids,
    collect_ids, retry, retry_unpickleable, retry_with_args_after_kwargs, retry_with_kwargs_after_args,
    retry_once, retry_once_now, retry_once_priority, retry_once_headers, redis_echo, redis_echo_group_id,
    redis_count, second_order_replace1, second_order_replace2, build_chain_inside_task, raise_error, fail,
    fail_unpickleable, fail_replaced, return_priority, return_request_eta, return_properties,
    auto_retry_class_task, return_nested_signature_chain_chain, return_nested_signature_chain_group,
    return_nested_signature_chain_chord, return_nested_signature_group_chain,
    return_nested_signature_group_group, return_nested_signature_group_chord,
    return_nested_signature_chord_chain, return_nested_signature_chord_group,
    return_nested_signature_chord_chord, rebuild_signature, errback_old_style, errback_new_style,
    errback_old_style_with_args, errback_new_style_with_args, replaced_with_me, add_pydantic,
    replace_with_stamped_task, store_success_then_reject, reject_then_succeed, reject_without_requeue,
    soft_time_limit_must_exceed_time_limit, return_request_time_limits;

/* Stamps what replace_with_stamped_task is replaced by. */
void stamp_on_replace(struct celery_task *task, json_t *signature);

#endif
