/* The clerk, with real children: what has a verdict is told by it, whatever the others do. */
#include "celeryc/worker/fork_server.h"
#include "celeryc/worker/verdict.h"
#include "tests/unit/celeryc/worker/pool_parent.h"

#include <jansson.h>
#include <signal.h>

/* A request that has ended as `verdict` says: it is not submitted, but told. */
static struct seen *add_verdict(struct parent *parent, const struct verdict *verdict)
{
    struct seen *seen = parent_add(parent, ADD, "[1, 2]");
    parent->submitted = parent->count;
    seen->request.state = REQUEST_SETTLING;
    seen->request.verdict = verdict;
    pool_tell(parent->pool, &seen->request);
    return seen;
}

static struct verdict new_verdict(void)
{
    return (struct verdict){.state = "FAILURE",
                            .exception = json_pack("{s:s, s:[]}", "exc_type", "ValueError", "exc_message"),
                            .store = true,
                            .follow = FOLLOW_ALL};
}

static size_t processes(const struct parent *parent)
{
    json_t *described = pool_describe(parent->pool);
    size_t count = json_array_size(json_object_get(described, "processes"));
    json_decref(described);
    return count;
}

static void verdicts_are_told_while_all_children_are_busy(void)
{
    struct parent parent;
    struct verdict verdict = new_verdict();
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *busy = parent_add(&parent, NAP, "[600]");
    UNTIL(&parent, busy->started == 1);
    for (int i = 0; i < 20; i++)
        add_verdict(&parent, &verdict);
    UNTIL(&parent, parent.ended == 20);
    for (size_t i = 1; i < parent.count; i++) {
        const struct seen *seen = &parent.all[i];
        CU_ASSERT(seen->finished == 1 && seen->outcome == RUN_FAILURE && seen->started == 0);
        CU_ASSERT_EQUAL(seen->request.state, REQUEST_SETTLING);
    }
    CU_ASSERT(processes(&parent) == 1 && pool_running(parent.pool) == 1); /* the clerk is none of them */
    CU_ASSERT(pool_terminate(parent.pool, &busy->request, SIGKILL));
    parent_run(&parent);
    parent_end(&parent);
    json_decref(verdict.exception);
}

static void a_pool_that_takes_nothing_is_sized_anew_or_is_killed_tells_them_all_the_same(void)
{
    struct parent parent;
    struct verdict verdict = new_verdict();
    parent_start(&parent, 2, (struct pool_options){0});
    add_verdict(&parent, &verdict);
    pool_resize(parent.pool, 1);
    add_verdict(&parent, &verdict);
    pool_take_back(parent.pool);
    pool_kill(parent.pool);
    add_verdict(&parent, &verdict);
    pool_close(parent.pool);
    add_verdict(&parent, &verdict);
    CU_ASSERT_FALSE(pool_is_gone(parent.pool));
    UNTIL(&parent, pool_is_gone(parent.pool));
    for (size_t i = 0; i < parent.count; i++)
        CU_ASSERT(parent.all[i].finished == 1 && parent.all[i].returned + parent.all[i].lost == 0);
    parent_end(&parent);
    json_decref(verdict.exception);
}

static void what_can_be_told_by_nobody_comes_back(void)
{
    struct parent parent;
    struct verdict verdict = new_verdict();
    parent_start(&parent, 1, (struct pool_options){0});
    struct seen *before = add_verdict(&parent, &verdict);
    kill(fork_server_pid(parent.server), SIGKILL);
    UNTIL(&parent, parent.broken);
    struct seen *after = add_verdict(&parent, &verdict);
    CU_ASSERT_EQUAL(before->finished + before->lost + before->returned, 1);
    CU_ASSERT(after->returned == 1 && after->finished + after->lost == 0);
    CU_ASSERT(pool_is_gone(parent.pool));
    parent_end(&parent);
    json_decref(verdict.exception);
}

UNIT_MAIN("the pool's clerk",
          {"verdicts are told while all children are busy", verdicts_are_told_while_all_children_are_busy},
          {"a pool that takes nothing, is sized anew or is killed tells them all the same",
           a_pool_that_takes_nothing_is_sized_anew_or_is_killed_tells_them_all_the_same},
          {"what can be told by nobody comes back", what_can_be_told_by_nobody_comes_back})
