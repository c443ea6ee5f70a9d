/* A worker with an option of its own, checked before anything is started; compiled against the installed
 * library by test_installed.py. */
#include <celeryc/worker.h>

static long wanted;

static const struct setting settings[] = {
    {.name = "helpers",
     .environment = "DEMO_HELPERS",
     .kind = SETTING_INTEGER,
     .value = &wanted,
     .initial = "1",
     .minimum = 1,
     .maximum = 9,
     .metavar = "N",
     .help = "How many help."},
    {0},
};

static bool prepare(struct error *error)
{
    if (wanted == 7)
        return error_set(error, ERROR_INVALID, "%ld helpers are one too many", wanted);
    return true;
}

static json_t *helpers(struct celery_task *task, json_t *args, json_t *kwargs)
{
    if (!celery_args(task, args, kwargs, ""))
        return NULL;
    return json_integer(wanted);
}

int main(int argc, char **argv)
{
    static const struct celery_task_type tasks[] = {{.name = "demo.helpers", .run = helpers}, {0}};
    static const struct celery_worker_program program = {.app = "demo",
                                                         .version = "1.0",
                                                         .about = "Says how many help.",
                                                         .tasks = tasks,
                                                         .settings = settings,
                                                         .prepare = prepare};
    return celery_worker_main(argc, argv, &program);
}
