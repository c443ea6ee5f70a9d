/* How tasks run in the pool and how it changes its size: what the parent hears. */
#include "tests/unit/celeryc/worker/pool_parent.h"

#include <stdlib.h>
#include <string.h>

static void a_thousand_short_tasks_run_once_each(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    for (int i = 0; i < 1000; i++) {
        char args[32];
        (void)snprintf(args, sizeof args, "[%d, 1]", i);
        parent_add(&parent, ADD, args);
    }
    parent_run(&parent);
    for (int i = 0; i < 1000; i++) {
        const struct seen *seen = &parent.all[i];
        CU_ASSERT(seen->started == 1 && seen->finished == 1 && seen->lost == 0 && seen->returned == 0);
        CU_ASSERT_EQUAL(seen->outcome, RUN_SUCCESS);
        CU_ASSERT_EQUAL(atoi(seen->text), i + 1);
    }
    parent_end(&parent);
}

static void each_way_to_end_is_told(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *failed = parent_add(&parent, FAIL, "[]"), *unfit = parent_add(&parent, ADD, "[1]");
    struct seen *rejected = parent_add(&parent, REFUSE, "[true]"),
                *dropped = parent_add(&parent, REFUSE, "[false]");
    struct seen *ignored = parent_add(&parent, IGNORE, "[]"), *retried = parent_add(&parent, AGAIN, "[]");
    parent_run(&parent);
    CU_ASSERT_EQUAL(failed->outcome, RUN_FAILURE);
    CU_ASSERT_STRING_EQUAL(failed->text, "ValueError('deliberate')");
    CU_ASSERT_EQUAL(unfit->outcome, RUN_FAILURE);
    CU_ASSERT_STRING_EQUAL(unfit->text, "TypeError(\"add() missing 1 required positional argument: 'y'\")");
    CU_ASSERT(rejected->outcome == RUN_REJECTED && rejected->requeue);
    CU_ASSERT(dropped->outcome == RUN_REJECTED && !dropped->requeue);
    CU_ASSERT_EQUAL(ignored->outcome, RUN_IGNORED);
    CU_ASSERT_EQUAL(retried->outcome, RUN_RETRY);
    CU_ASSERT_EQUAL(retried->retries, 1);
    CU_ASSERT_STRING_EQUAL(retried->text, "OSError('away')");
    CU_ASSERT(retried->retry_eta > clock_wall() - PATIENCE);
    parent_end(&parent);
}

static void a_body_that_does_not_decode_is_acknowledged_or_rejected(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *broken = parent_add(&parent, ADD, "[1, 2]"), *foreign = parent_add(&parent, ADD, "[1, 2]");
    broken->request.wire.body[0] = '{';
    free(foreign->request.wire.content_type);
    foreign->request.wire.content_type = strdup("application/x-python-serialize");
    parent_run(&parent);
    CU_ASSERT(broken->outcome == RUN_UNDECODABLE && !broken->reject);
    CU_ASSERT(foreign->outcome == RUN_UNDECODABLE && foreign->reject);
    parent_end(&parent);
}

static void a_child_is_replaced_after_so_many_tasks(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){.max_tasks_per_child = 3});
    for (int i = 0; i < 10; i++)
        parent_add(&parent, ADD, "[1, 1]");
    parent_run(&parent);
    int children = 1;
    for (int i = 1; i < 10; i++)
        children += parent.all[i].pid != parent.all[i - 1].pid;
    CU_ASSERT_EQUAL(children, 4);
    parent_end(&parent);
}

static void a_pool_grows_and_shrinks(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    pool_resize(parent.pool, 3);
    for (int i = 0; i < 3; i++)
        parent_add(&parent, NAP, "[600]");
    UNTIL(&parent, pool_running(parent.pool) == 3);
    UNTIL(&parent, parent.all[0].started + parent.all[1].started + parent.all[2].started == 3);
    pool_resize(parent.pool, 1);
    CU_ASSERT_EQUAL(pool_concurrency(parent.pool), 1);
    for (int i = 0; i < 3; i++)
        CU_ASSERT(pool_terminate(parent.pool, &parent.all[i].request, SIGKILL));
    parent_run(&parent);
    struct seen *last = parent_add(&parent, ADD, "[2, 2]");
    parent_run(&parent);
    CU_ASSERT_STRING_EQUAL(last->text, "4");
    json_t *description = pool_describe(parent.pool);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(description, "max-concurrency")), 1);
    json_decref(description);
    parent_end(&parent);
}

static void closing_gives_back_what_has_not_begun_and_waits_for_the_rest(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *running = parent_add(&parent, NAP, "[0.5]"), *waiting = parent_add(&parent, NAP, "[0]");
    UNTIL(&parent, running->started == 1);
    pool_submit(parent.pool, &waiting->request);
    parent.submitted = parent.count;
    pool_close(parent.pool);
    CU_ASSERT_EQUAL(waiting->returned, 1);
    UNTIL(&parent, pool_is_gone(parent.pool));
    CU_ASSERT_EQUAL(running->finished, 1);
    parent_end(&parent);
}

static void messages_larger_than_a_socket_buffer_arrive(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    size_t size = 9 << 20;
    char *args = malloc(size + 8);
    CU_ASSERT_PTR_NOT_NULL_FATAL(args);
    memset(args, 'x', size + 8);
    memcpy(args, "[\"", 2);
    memcpy(args + size - 2, "\"]", 3);
    for (int i = 0; i < 4; i++)
        parent_add(&parent, BIG, args);
    free(args);
    parent_run(&parent);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(atol(parent.all[i].text), (long)size - 4);
    parent_end(&parent);
}

UNIT_MAIN("pool", {"a thousand short tasks run once each", a_thousand_short_tasks_run_once_each},
          {"each way to end is told", each_way_to_end_is_told},
          {"a body that does not decode is acknowledged or rejected",
           a_body_that_does_not_decode_is_acknowledged_or_rejected},
          {"a child is replaced after so many tasks", a_child_is_replaced_after_so_many_tasks},
          {"a pool grows and shrinks", a_pool_grows_and_shrinks},
          {"closing gives back what has not begun and waits for the rest",
           closing_gives_back_what_has_not_begun_and_waits_for_the_rest},
          {"messages larger than a socket buffer arrive", messages_larger_than_a_socket_buffer_arrive})
