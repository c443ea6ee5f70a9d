#include "celeryc/worker/manual.h"

#include "common/bytes.h"
#include "common/manual.h"

/* What has no option, as in Celery. */
static const struct manual_entry environment[] = {
    {"REMAP_SIGTERM", "SIGQUIT: TERM is taken as QUIT."},
    {"CELERY_WORKER_REVOKES_MAX", "Ids of revoked tasks that are remembered, 1 to 1000000.\nDefault: 50000."},
    {"CELERY_WORKER_REVOKE_EXPIRES",
     "Seconds that they are remembered for, 1 to 1000000.\nDefault: 10800, three hours."},
    {"AUTOSCALE_KEEPALIVE",
     "With --autoscale: seconds of less load before child processes are given up.\nDefault: 30."},
    {NULL, NULL},
};

static const struct manual_entry signals[] = {
    {"TERM",
     "Warm shutdown: takes no more tasks, gives back what has not begun, finishes what runs, exits with 0."},
    {"INT", "The first: as TERM, but exits with 1.\nThe second: as QUIT."},
    {"QUIT",
     "Cold shutdown: what runs gets --soft-shutdown-timeout seconds, then it is ended; exits with 1.\n"
     "Tasks that are acknowledged late go back to the queue.\nOnce more: without that timeout."},
    {"HUP",
     "Warm shutdown, then the program at the path that it was started by is run with the same options, "
     "under the same process id.\nAt a terminal: as TERM."},
    {"USR1", "One line in the log on what the worker does."},
    {NULL, NULL},
};

static const struct manual_entry exit_codes[] = {
    {"0", "A warm shutdown; --help, --version; --ping was answered."},
    {"1",
     "A cold shutdown; it could not start, or could not store its last results; --ping was not answered."},
    {"2", "An option or variable is wrong."},
    {NULL, NULL},
};

void worker_manual_print(const struct worker_options *options, const struct celery_worker_program *program,
                         const char *path, FILE *to)
{
    char summary[256];
    struct bytes about;
    (void)snprintf(summary, sizeof summary, "Celery worker of %.200s", program->app);
    bytes_init(&about, 65536);
    bytes_append_format(
        &about, NULL,
        "%s\nIt takes tasks from RabbitMQ, runs them in child processes, stores their results in Redis "
        "or sends them as messages, sends events for monitors, and is steered by remote control: by "
        "the celery command, Flower, and programs in Python, as a worker in Python is.\n",
        program->about != NULL ? program->about : "");
    const struct manual manual = {
        .program = path,
        .version = program->version != NULL ? program->version : "0",
        .summary = summary,
        .about = about.size > 0 ? bytes_text(&about) : "",
        .options = options->table,
        .environment = environment,
        .signals = signals,
        .exit_codes = exit_codes,
    };
    manual_print(&manual, to);
    bytes_clear(&about);
}
