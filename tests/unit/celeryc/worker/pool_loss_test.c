/* Children that die, hang or are killed: what is lost, what goes to another child. */
#include "tests/unit/celeryc/worker/pool_parent.h"

#include "celeryc/worker/fork_server.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static void a_child_that_dies_loses_only_what_it_ran(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    for (int i = 0; i < 40; i++) {
        parent_add(&parent, i % 4 == 1 ? DIE : i % 4 == 3 ? LEAVE : ADD, i % 2 == 0 ? "[1, 1]" : "[]");
    }
    parent_run(&parent);
    for (int i = 0; i < 40; i++) {
        const struct seen *seen = &parent.all[i];
        CU_ASSERT_EQUAL(seen->started, 1);
        CU_ASSERT_EQUAL(seen->lost, i % 2);
        CU_ASSERT_EQUAL(seen->finished, 1 - i % 2);
        if (i % 4 == 1)
            CU_ASSERT(WIFSIGNALED(seen->status) && WTERMSIG(seen->status) == SIGKILL &&
                      seen->reason == LOST_CHILD);
        if (i % 4 == 3)
            CU_ASSERT(WIFEXITED(seen->status) && WEXITSTATUS(seen->status) == 7);
    }
    parent_end(&parent);
}

static void a_daemon_that_a_task_left_holds_up_nothing(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *left = parent_add(&parent, DAEMON, "[]"), *next = parent_add(&parent, ADD, "[1, 1]");
    parent_run(&parent);
    CU_ASSERT_EQUAL(left->lost, 1);
    CU_ASSERT_EQUAL(next->finished, 1);
    parent_end(&parent);
}

static void a_hard_time_limit_kills_the_child_and_a_soft_one_tells_the_task(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *hard = parent_add(&parent, NAP, "[600]"), *soft = parent_add(&parent, SOFT, "[]");
    hard->request.time_limit = 0.3;
    soft->request.soft_time_limit = 0.2;
    parent_run(&parent);
    CU_ASSERT(hard->lost == 1 && hard->reason == LOST_TIME_LIMIT);
    CU_ASSERT_EQUAL(soft->outcome, RUN_FAILURE);
    CU_ASSERT_STRING_EQUAL(soft->text, "SoftTimeLimitExceeded()");
    parent_end(&parent);
}

static void terminate_hits_what_runs_and_takes_back_what_does_not(void)
{
    struct parent parent;
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *running = parent_add(&parent, NAP, "[600]");
    UNTIL(&parent, running->started == 1);
    struct seen *behind = parent_add(&parent, NAP, "[600]");
    pool_submit(parent.pool, &behind->request);
    parent.submitted++;
    CU_ASSERT(pool_terminate(parent.pool, &behind->request, SIGTERM));
    CU_ASSERT_EQUAL(behind->returned, 1);
    CU_ASSERT(pool_terminate(parent.pool, &running->request, SIGTERM));
    parent_run(&parent);
    CU_ASSERT(running->lost == 1 && running->reason == LOST_TERMINATED);
    CU_ASSERT(WIFSIGNALED(running->status));
    CU_ASSERT_EQUAL(behind->started, 0);
    parent_end(&parent);
}

static void terminates_while_tasks_change_hands_never_hit_another_one(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    enum { COUNT = 300 };
    for (int i = 0; i < COUNT; i++)
        parent_add(&parent, i % 3 == 0 ? NAP : ADD, i % 3 == 0 ? "[0.002]" : "[1, 1]");
    bool asked[COUNT] = {false};
    double deadline = clock_monotonic() + PATIENCE;
    while (parent.ended < COUNT && clock_monotonic() < deadline) {
        parent_turn(&parent);
        for (int i = 0; i < COUNT; i += 3) {
            struct seen *seen = &parent.all[i];
            bool running = seen->started == 1 && seen->finished == 0 && seen->lost == 0;
            if (running && !asked[i])
                asked[i] = pool_terminate(parent.pool, &seen->request, SIGKILL);
        }
    }
    CU_ASSERT_EQUAL(parent.ended, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct seen *seen = &parent.all[i];
        CU_ASSERT_EQUAL(seen->lost, asked[i] ? 1 : 0);
        CU_ASSERT_EQUAL(seen->finished, asked[i] ? 0 : 1);
    }
    parent_end(&parent);
}

static void what_waits_behind_a_stalled_task_goes_to_another_child(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    /* The type is known to be short, then one run of it takes for ever. */
    for (int i = 0; i < 20; i++)
        parent_add(&parent, NAP, "[0]");
    parent_run(&parent);
    struct seen *stalled = parent_add(&parent, NAP, "[600]");
    for (int i = 0; i < 30; i++)
        parent_add(&parent, NAP, "[0]");
    UNTIL(&parent, parent.ended == parent.count - 1);
    CU_ASSERT(stalled->started == 1 && stalled->finished == 0);
    CU_ASSERT(pool_terminate(parent.pool, &stalled->request, SIGKILL));
    parent_run(&parent);
    parent_end(&parent);
}

static void a_stopped_child_keeps_nothing_that_it_has_not_begun(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *first = parent_add(&parent, ADD, "[1, 1]");
    parent_run(&parent);
    kill(first->pid, SIGSTOP);
    for (int i = 0; i < 50; i++)
        parent_add(&parent, i % 2 == 0 ? ADD : NAP, i % 2 == 0 ? "[1, 1]" : "[0.01]");
    parent_run(&parent);
    for (size_t i = 1; i < parent.count; i++)
        CU_ASSERT(parent.all[i].finished == 1 && parent.all[i].pid != first->pid);
    kill(first->pid, SIGCONT);
    parent_end(&parent);
}

static void a_killed_fork_server_is_told_once_and_loses_what_ran(void)
{
    struct parent parent;
    parent_start(&parent, 2, (struct pool_options){0});
    struct seen *running = parent_add(&parent, NAP, "[600]");
    UNTIL(&parent, running->started == 1);
    kill(fork_server_pid(parent.server), SIGKILL);
    UNTIL(&parent, parent.broken);
    CU_ASSERT(running->lost == 1 && running->reason == LOST_CHILD);
    CU_ASSERT(pool_is_gone(parent.pool));
    UNTIL(&parent, kill(running->pid, 0) != 0 && errno == ESRCH); /* the kernel took the child along */
    parent_end(&parent);
}

UNIT_MAIN("pool loss", {"a child that dies loses only what it ran", a_child_that_dies_loses_only_what_it_ran},
          {"a daemon that a task left holds up nothing", a_daemon_that_a_task_left_holds_up_nothing},
          {"a hard time limit kills the child, a soft one tells the task",
           a_hard_time_limit_kills_the_child_and_a_soft_one_tells_the_task},
          {"terminate hits what runs and takes back what does not",
           terminate_hits_what_runs_and_takes_back_what_does_not},
          {"terminates while tasks change hands never hit another one",
           terminates_while_tasks_change_hands_never_hit_another_one},
          {"what waits behind a stalled task goes to another child",
           what_waits_behind_a_stalled_task_goes_to_another_child},
          {"a stopped child keeps nothing that it has not begun",
           a_stopped_child_keeps_nothing_that_it_has_not_begun},
          {"a killed fork server is told once and loses what ran",
           a_killed_fork_server_is_told_once_and_loses_what_ran})
