/* A worker with the tasks of the mixed cluster (test_mixed_cluster.py), on the public API alone. Their Python
 * twins are in cluster_tasks.py. Each is there twice, acknowledged early and, as NAME_late, late. Each run is
 * noted in a list in Redis, where the results are. */
#include <celeryc/store.h>
#include <celeryc/worker.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One for the process that runs the tasks, made by the first that needs it. */
static struct celery_store *connection(struct celery_task *task)
{
    static struct celery_store *store;
    struct error error;
    if (store != NULL)
        return store;
    store = celery_store_new(
        &(struct celery_store_options){.url = getenv("CELERY_RESULT_BACKEND"), .connections = 1}, &error);
    if (store == NULL)
        celery_fail(task, "redis.exceptions.ConnectionError", "%s", error.message);
    return store;
}

static json_t *run_of(struct celery_task *task)
{
    json_t *where = celery_task_delivery_info(task);
    return json_pack("{s:s, s:s, s:i, s:s?, s:O, s:s, s:s?}", "id", celery_task_id(task), "name",
                     celery_task_name(task), "retries", celery_task_retries(task), "parent_id",
                     celery_task_parent_id(task), "redelivered", json_object_get(where, "redelivered"),
                     "node", celery_task_hostname(task), "life", getenv("CLUSTER_LIFE"));
}

/* False: the task has failed. */
static bool note(struct celery_task *task)
{
    struct celery_store *store = connection(task);
    struct error error = {0};
    if (store == NULL)
        return false;
    json_t *run = run_of(task);
    char *text = json_dumps(run, JSON_COMPACT);
    json_decref(run);
    bool noted = text != NULL && celery_store_push(store, "cluster-runs", text, strlen(text), 60, &error);
    free(text);
    if (!noted)
        celery_fail(task, "redis.exceptions.ConnectionError", "%s", error.message);
    return noted;
}

static json_t *add(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t x, y;
    if (!celery_args(task, args, kwargs, "x:I y:I", &x, &y) || !note(task))
        return NULL;
    return json_integer(x + y);
}

static json_t *total(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_t *numbers, *number;
    size_t index;
    json_int_t sum = 0;
    if (!celery_args(task, args, kwargs, "numbers:o", &numbers) || !note(task))
        return NULL;
    json_array_foreach(numbers, index, number) sum += json_integer_value(number);
    return json_integer(sum);
}

static json_t *fail(struct celery_task *task, json_t *args, json_t *kwargs)
{
    (void)args;
    (void)kwargs;
    if (!note(task))
        return NULL;
    return celery_fail(task, "ValueError", "deliberate");
}

/* Is retried once. */
static json_t *again(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t x;
    if (!celery_args(task, args, kwargs, "x:I", &x) || !note(task))
        return NULL;
    if (celery_task_retries(task) == 0)
        return celery_retry(task, &(struct celery_retry){.countdown = 1, .max_retries = 1});
    return json_integer(x);
}

/* Goes on until there is such a key. */
static json_t *linger(struct celery_task *task, json_t *args, json_t *kwargs)
{
    json_int_t x;
    const char *key;
    struct celery_value value = {0};
    struct error error = {0};
    if (!celery_args(task, args, kwargs, "x:I key:s", &x, &key) || !note(task))
        return NULL;
    for (;;) {
        if (!celery_store_get(connection(task), &key, &value, 1, 60, &error))
            return celery_fail(task, "redis.exceptions.ConnectionError", "%s", error.message);
        if (value.data != NULL)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    }
    free(value.data);
    return json_integer(x);
}

#define EARLY_AND_LATE(task)                                                                                 \
    {.name = "cluster." #task, .run = task},                                                                 \
    {                                                                                                        \
        .name = "cluster." #task "_late", .run = task, .acks_late = true                                     \
    }

static const struct celery_task_type tasks[] = {
    EARLY_AND_LATE(add),   EARLY_AND_LATE(total),  EARLY_AND_LATE(fail),
    EARLY_AND_LATE(again), EARLY_AND_LATE(linger), {0},
};

int main(int argc, char **argv)
{
    static const struct celery_worker_program program = {
        .app = "cluster", .version = "1.0", .about = "A worker of the mixed cluster.", .tasks = tasks};
    return celery_worker_main(argc, argv, &program);
}
