#include "celeryc/worker/options.h"

#include "celeryc/amqp/broker.h"
#include "celeryc/results/backend.h"
#include "celeryc/results/rpc.h"
#include "common/bytes.h"
#include "common/setting.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CONCURRENCY_MOST 512
#define NAME_MOST 255

/* ---- node names ---- */

/* Writes `text` with %h (host), %n (name), %d (domain), %p (node, unless NULL) and %% replaced. */
static char *expand(const char *text, const char *host, const char *name, const char *node)
{
    struct bytes out;
    bytes_init(&out, 4096);
    const char *dot = strchr(host, '.');
    for (; *text != '\0'; text++) {
        const char *value = NULL;
        if (*text == '%') {
            switch (text[1]) {
            case 'h':
                value = host;
                break;
            case 'n':
                value = name;
                break;
            case 'd':
                value = dot ? dot + 1 : "";
                break;
            case 'p':
                value = node;
                break;
            case '%':
                value = "%";
                break;
            default:
                break;
            }
        }
        if (value == NULL) {
            (void)bytes_append(&out, text, 1, NULL);
            continue;
        }
        (void)bytes_append_text(&out, value, NULL);
        text++;
    }
    size_t size;
    return bytes_take(&out, &size);
}

char *node_name_expand(const char *text, const char *host)
{
    char buffer[2 * NAME_MOST + 2], shortened[NAME_MOST + 1];
    const char *at = text ? strchr(text, '@') : NULL;
    if (text == NULL || text[0] == '\0')
        (void)snprintf(buffer, sizeof buffer, "celery@%s", host);
    else if (at == NULL)
        (void)snprintf(buffer, sizeof buffer, "celery@%s", text);
    else
        (void)snprintf(buffer, sizeof buffer, "%.*s@%s", at == text ? 6 : (int)(at - text),
                       at == text ? "celery" : text, at[1] ? at + 1 : host);
    (void)snprintf(shortened, sizeof shortened, "%.*s", (int)strcspn(host, "."), host);
    return expand(buffer, host, shortened, NULL);
}

char *node_format(const char *text, const char *node)
{
    char name[NAME_MOST + 1];
    const char *at = strchr(node, '@');
    (void)snprintf(name, sizeof name, "%.*s", at ? (int)(at - node) : (int)strlen(node), node);
    return expand(text, at ? at + 1 : node, name, node);
}

/* ---- the table ---- */

#define ENVIRONMENT(name) "CELERY_WORKER_" name

/* The table is filled in at run time because its values point into `options`. */
static struct setting *build_table(struct worker_options *o, const struct celery_worker_program *program)
{
    const struct setting own[] = {
        {"broker", 'b', "CELERY_BROKER_URL", SETTING_TEXT, &o->broker, "amqp://guest:guest@localhost:5672//",
         0, 0, "URL",
         "Where tasks come from: amqp:// or amqps://, several separated by ';' are tried in turn.", true},
        {"result-backend", 0, "CELERY_RESULT_BACKEND", SETTING_TEXT, &o->result_backend, NULL, 0, 0, "URL",
         "Where results are stored: redis://[user:password@]host:port/db, or rpc://, which sends them to "
         "who sent the task. Without it nothing is stored.",
         true},
        {"app", 'A', "CELERY_APP", SETTING_TEXT, &o->application, NULL, 0, 0, "NAME",
         "Accepted as Celery has it; the program itself is the application.", false},
        {"hostname", 'n', ENVIRONMENT("HOSTNAME"), SETTING_TEXT, &o->hostname_text, NULL, 0, 0, "NAME",
         "The node's name, \"w1@%h\"; expands %h (host), %n (name) and %d (domain). Default: celery@%h.",
         false},
        {"concurrency", 'c', ENVIRONMENT("CONCURRENCY"), SETTING_TEXT, &o->concurrency_text, "0", 0, 0, "N",
         "Child processes, 1 to 512; 0: as many as there are CPUs; auto: no more of them than the "
         "container's "
         "CPU quota allows.",
         false},
        {"queues", 'Q', ENVIRONMENT("QUEUES"), SETTING_TEXT, &o->queues_text, NULL, 0, 0, "NAMES",
         "Queues to consume from, separated by commas. Default: the default queue.", false},
        {"exclude-queues", 'X', ENVIRONMENT("EXCLUDE_QUEUES"), SETTING_TEXT, &o->exclude_text, NULL, 0, 0,
         "NAMES", "Queues not to consume from, separated by commas.", false},
        {"default-queue", 0, "CELERY_TASK_DEFAULT_QUEUE", SETTING_TEXT, &o->default_queue, "celery", 0, 0,
         "NAME", "The queue that is consumed from when no --queues are given (task_default_queue).", false},
        {"queue-type", 0, "CELERY_TASK_DEFAULT_QUEUE_TYPE", SETTING_TEXT, &o->queue_type, "classic", 0, 0,
         "TYPE", "How queues are declared: classic or quorum (task_default_queue_type).", false},
        {"queue-max-priority", 0, "CELERY_TASK_QUEUE_MAX_PRIORITY", SETTING_INTEGER, &o->queue_priorities,
         "0", 0, 255, "N",
         "x-max-priority of the queues that are declared, 0: none (task_queue_max_priority).", false},
        {"loglevel", 'l', ENVIRONMENT("LOGLEVEL"), SETTING_TEXT, &o->loglevel_text, "WARNING", 0, 0, "LEVEL",
         "DEBUG, INFO, WARNING, ERROR, CRITICAL or FATAL.", false},
        {"logfile", 'f', ENVIRONMENT("LOGFILE"), SETTING_TEXT, &o->logfile_text, NULL, 0, 0, "PATH",
         "Appends the log to this file; expands %h, %n, %d and %p (the node). Default: standard error.",
         false},
        {"json-log", 0, ENVIRONMENT("JSON_LOG"), SETTING_FLAG, &o->json_log, NULL, 0, 0, NULL,
         "Writes each line of the log as a JSON object.", false},
        {"pidfile", 0, ENVIRONMENT("PIDFILE"), SETTING_TEXT, &o->pidfile_text, NULL, 0, 0, "PATH",
         "Writes the process id here while running; refuses to start when the process in it lives.", false},
        {"statedb", 'S', ENVIRONMENT("STATEDB"), SETTING_TEXT, &o->statedb_text, NULL, 0, 0, "PATH",
         "Keeps the revoked task ids in this file from one run to the next (a JSON file of its own form).",
         false},
        {"pool", 'P', ENVIRONMENT("POOL"), SETTING_TEXT, &o->pool, "prefork", 0, 0, "NAME",
         "prefork: tasks run in child processes. solo: one child, whatever --concurrency says.", false},
        {"optimization", 'O', ENVIRONMENT("OPTIMIZATION"), SETTING_TEXT, &o->optimization, "default", 0, 0,
         "NAME",
         "default or fair, as Celery has them; short tasks are handed over in batches, slow ones singly in "
         "both.",
         false},
        {"task-events", 'E', ENVIRONMENT("TASK_EVENTS"), SETTING_FLAG, &o->task_events, NULL, 0, 0, NULL,
         "Sends task events for monitors such as Flower (also switched on by remote control).", false},
        {"events", 0, NULL, SETTING_FLAG, &o->task_events, NULL, 0, 0, NULL, "The same as --task-events.",
         false},
        {"prefetch-multiplier", 0, ENVIRONMENT("PREFETCH_MULTIPLIER"), SETTING_INTEGER,
         &o->prefetch_multiplier, NULL, 0, 10000, "N",
         "Messages held at once for each child process (Celery's is 4); 0: no limit.", false},
        {"eta-task-limit", 0, ENVIRONMENT("ETA_TASK_LIMIT"), SETTING_INTEGER, &o->eta_task_limit, "10000", 1,
         60000, "N", "Tasks with an ETA or countdown held beyond the prefetch count (worker_eta_task_limit).",
         false},
        {"max-tasks-per-child", 0, ENVIRONMENT("MAX_TASKS_PER_CHILD"), SETTING_INTEGER,
         &o->max_tasks_per_child, "0", 0, 1e9, "N",
         "A child process is replaced after so many tasks; 0: never.", false},
        {"max-memory-per-child", 0, ENVIRONMENT("MAX_MEMORY_PER_CHILD"), SETTING_INTEGER,
         &o->max_memory_per_child, "0", 0, 1e12, "KiB",
         "A child process is replaced when it holds more after a task; 0: never.", false},
        {"time-limit", 0, ENVIRONMENT("TIME_LIMIT"), SETTING_SECONDS, &o->time_limit, "0", 0, 1e9, "SECONDS",
         "Kills a task that runs longer; 0: no limit.", false},
        {"soft-time-limit", 0, ENVIRONMENT("SOFT_TIME_LIMIT"), SETTING_SECONDS, &o->soft_time_limit, "0", 0,
         1e9, "SECONDS", "Asks a task that runs longer to stop; 0: no limit.", false},
        {"autoscale", 0, ENVIRONMENT("AUTOSCALE"), SETTING_TEXT, &o->autoscale_text, NULL, 0, 0, "MOST,LEAST",
         "Grows and shrinks the number of child processes between these two with the load.", false},
        {"without-gossip", 0, ENVIRONMENT("WITHOUT_GOSSIP"), SETTING_FLAG, &o->without_gossip, NULL, 0, 0,
         NULL, "Does not listen to the other workers' events.", false},
        {"without-mingle", 0, ENVIRONMENT("WITHOUT_MINGLE"), SETTING_FLAG, &o->without_mingle, NULL, 0, 0,
         NULL, "Does not ask the other workers for revoked tasks at start.", false},
        {"without-heartbeat", 0, ENVIRONMENT("WITHOUT_HEARTBEAT"), SETTING_FLAG, &o->without_heartbeat, NULL,
         0, 0, NULL, "Sends no worker-heartbeat events.", false},
        {"heartbeat-interval", 0, ENVIRONMENT("HEARTBEAT_INTERVAL"), SETTING_SECONDS, &o->heartbeat_interval,
         "2", 0.1, 3600, "SECONDS", "Time between worker-heartbeat events.", false},
        {"broker-heartbeat", 0, "CELERY_BROKER_HEARTBEAT", SETTING_INTEGER, &o->broker_heartbeat, "120", 0,
         3600, "SECONDS", "Heartbeat of the broker connections; 0: none (broker_heartbeat).", false},
        {"broker-retry-first", 0, "CELERY_BROKER_RETRY_FIRST", SETTING_SECONDS, &o->broker_retry_first, "0",
         0, 3600, "SECONDS",
         "Pause before the first attempt to reconnect; 0 with the next two: Celery's 2, 2, 30.", false},
        {"broker-retry-step", 0, "CELERY_BROKER_RETRY_STEP", SETTING_SECONDS, &o->broker_retry_step, "0", 0,
         3600, "SECONDS", "What each further pause is longer.", false},
        {"broker-retry-most", 0, "CELERY_BROKER_RETRY_MOST", SETTING_SECONDS, &o->broker_retry_most, "0", 0,
         3600, "SECONDS", "The longest pause between two attempts.", false},
        {"result-expires", 0, "CELERY_RESULT_EXPIRES", SETTING_SECONDS, &o->result_expires, "86400", 0, 1e9,
         "SECONDS", "How long results are kept; 0: for ever (result_expires).", false},
        {"result-key-prefix", 0, "CELERY_RESULT_KEY_PREFIX", SETTING_TEXT, &o->key_prefix, NULL, 0, 0, "TEXT",
         "Put before every key in Redis (result_backend_transport_options global_keyprefix).", false},
        {"result-extended", 0, "CELERY_RESULT_EXTENDED", SETTING_FLAG, &o->result_extended, NULL, 0, 0, NULL,
         "Stores name, arguments, worker, retries and queue with each result (result_extended).", false},
        {"result-persistent", 0, "CELERY_RESULT_PERSISTENT", SETTING_FLAG, &o->result_persistent, NULL, 0, 0,
         NULL, "Results that are sent as messages (rpc://) are persistent (result_persistent).", false},
        {"track-started", 0, "CELERY_TASK_TRACK_STARTED", SETTING_FLAG, &o->track_started, NULL, 0, 0, NULL,
         "Stores the state STARTED when a task begins (task_track_started).", false},
        {"reject-on-worker-lost", 0, "CELERY_TASK_REJECT_ON_WORKER_LOST", SETTING_FLAG,
         &o->reject_on_worker_lost, NULL, 0, 0, NULL,
         "Late-acknowledged tasks whose child is lost go back to the queue, for all tasks.", false},
        {"deduplicate-successful-tasks", 0, ENVIRONMENT("DEDUPLICATE_SUCCESSFUL_TASKS"), SETTING_FLAG,
         &o->deduplicate, NULL, 0, 0, NULL,
         "A late-acknowledged task that is delivered again is not run where its stored result is a success "
         "(worker_deduplicate_successful_tasks).",
         false},
        {"lease-time", 0, ENVIRONMENT("LEASE_TIME"), SETTING_SECONDS, &o->lease_time, "30", 1, 3600,
         "SECONDS",
         "How long a lease in Redis outlives the worker that held it (tasks that are declared to take one).",
         false},
        {"soft-shutdown-timeout", 0, ENVIRONMENT("SOFT_SHUTDOWN_TIMEOUT"), SETTING_SECONDS,
         &o->soft_shutdown_timeout, "0", 0, 1e6, "SECONDS",
         "Time that running tasks get to end before a cold shutdown (worker_soft_shutdown_timeout).", false},
        {"enable-soft-shutdown-on-idle", 0, ENVIRONMENT("ENABLE_SOFT_SHUTDOWN_ON_IDLE"), SETTING_FLAG,
         &o->soft_shutdown_on_idle, NULL, 0, 0, NULL,
         "That time passes even when nothing runs (worker_enable_soft_shutdown_on_idle).", false},
        {"quiet", 'q', NULL, SETTING_FLAG, &o->quiet, NULL, 0, 0, NULL, "Prints no banner.", false},
        {"no-color", 0, NULL, SETTING_FLAG, &o->no_color, NULL, 0, 0, NULL, "Accepted; there are no colors.",
         false},
        {"ping", 0, NULL, SETTING_FLAG, &o->ping, NULL, 0, 0, NULL,
         "Health check: asks the running node of this name; exits 0 when it answers, else 1.", false},
        {"ping-timeout", 0, NULL, SETTING_SECONDS, &o->ping_timeout, "5", 0.1, 600, "SECONDS",
         "How long --ping waits for the answer.", false},
        {"version", 0, NULL, SETTING_FLAG, &o->version, NULL, 0, 0, NULL, "Prints the version.", false},
        {"help", 'h', NULL, SETTING_FLAG, &o->help, NULL, 0, 0, NULL, "Prints this.", false},
    };
    size_t mine = sizeof own / sizeof own[0], theirs = 0;
    while (program->settings != NULL && program->settings[theirs].name != NULL)
        theirs++;
    struct setting *table = calloc(mine + theirs + 1, sizeof *table);
    if (table == NULL)
        return NULL;
    memcpy(table, own, sizeof own);
    if (theirs > 0)
        memcpy(table + mine, program->settings, theirs * sizeof *table);
    return table;
}

/* ---- what follows from the text ---- */

static bool parse_concurrency(struct worker_options *options, struct error *error)
{
    const char *text = options->concurrency_text;
    char *end;
    long number = strtol(text, &end, 10);
    if (strcasecmp(text, "auto") == 0)
        number = 0;
    else if (end == text || *end != '\0' || number < 0 || number > CONCURRENCY_MOST)
        return error_set(error, ERROR_INVALID,
                         "--concurrency: \"%s\" is not a whole number from 0 to %d or auto", text,
                         CONCURRENCY_MOST);
    if (number == 0) {
        options->cpus = cpu_budget();
        options->concurrency_is_auto = strcasecmp(text, "auto") == 0;
        number = options->concurrency_is_auto ? options->cpus.count : options->cpus.available;
    }
    if (strcmp(options->pool, "solo") == 0)
        number = 1;
    options->concurrency = number < 1 ? 1 : number > CONCURRENCY_MOST ? CONCURRENCY_MOST : number;
    return true;
}

static bool parse_autoscale(struct worker_options *options, struct error *error)
{
    if (options->autoscale_text == NULL || options->autoscale_text[0] == '\0')
        return true;
    char extra;
    long a, b = 0;
    int count = sscanf(options->autoscale_text, "%ld,%ld%c", &a, &b, &extra);
    if (count < 1 || count > 2 || a < 0 || b < 0 || a > CONCURRENCY_MOST || b > CONCURRENCY_MOST ||
        a + b == 0)
        return error_set(error, ERROR_INVALID, "--autoscale: \"%s\" is not MOST,LEAST of 0 to %d",
                         options->autoscale_text, CONCURRENCY_MOST);
    options->autoscale_most = a > b ? a : b;
    options->autoscale_least = a > b ? b : a;
    if (options->autoscale_least < 1)
        options->autoscale_least = 1;
    options->concurrency = options->autoscale_least;
    return true;
}

static bool is_in_list(const char *list, const char *name, size_t length)
{
    while (list != NULL && *list != '\0') {
        size_t here = strcspn(list, ",");
        if (here == length && strncmp(list, name, length) == 0)
            return true;
        list += here + (list[here] == ',');
    }
    return false;
}

static bool parse_queues(struct worker_options *options, struct error *error)
{
    const char *text =
        options->queues_text && options->queues_text[0] ? options->queues_text : options->default_queue;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        bool known = false;
        for (size_t i = 0; i < options->queue_count && !known; i++)
            known = strlen(options->queues[i]) == length && strncmp(options->queues[i], text, length) == 0;
        if (length > NAME_MOST)
            return error_set(error, ERROR_INVALID, "--queues: a name is longer than %d bytes", NAME_MOST);
        if (length > 0 && !known && !is_in_list(options->exclude_text, text, length)) {
            if (options->queue_count == WORKER_QUEUES_MOST)
                return error_set(error, ERROR_INVALID, "--queues: more than %d", WORKER_QUEUES_MOST);
            char *name = strndup(text, length);
            if (name == NULL)
                return error_set(error, ERROR_MEMORY, "no memory for the queues");
            options->queues[options->queue_count++] = name;
        }
        text += length + (text[length] == ',');
    }
    if (options->queue_count == 0)
        return error_set(error, ERROR_INVALID, "--queues: none is left to consume from");
    return true;
}

static bool one_of(const char *option, const char *value, const char *first, const char *second,
                   struct error *error)
{
    if (strcmp(value, first) == 0 || strcmp(value, second) == 0)
        return true;
    return error_set(error, ERROR_INVALID, "--%s: \"%s\" is not %s or %s", option, value, first, second);
}

static bool expand_names(struct worker_options *options, struct error *error)
{
    char host[NAME_MOST + 1] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        return error_set_errno(error, "cannot tell this machine's name");
    options->hostname = node_name_expand(options->hostname_text, host);
    if (options->hostname == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the node's name");
    if (strlen(options->hostname) > 200)
        return error_set(error, ERROR_INVALID, "--hostname: longer than 200 bytes");
    for (const char *c = options->hostname; *c != '\0'; c++) {
        if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c))
            return error_set(error, ERROR_INVALID,
                             "--hostname: spaces and control characters are not allowed");
    }
    struct {
        const char *text;
        char **name;
    } files[] = {{options->logfile_text, &options->logfile},
                 {options->pidfile_text, &options->pidfile},
                 {options->statedb_text, &options->statedb}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].text == NULL || files[i].text[0] == '\0')
            continue;
        *files[i].name = node_format(files[i].text, options->hostname);
        if (*files[i].name == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for a file's name");
    }
    return true;
}

static bool check(struct worker_options *options, struct error *error)
{
    if (!log_parse_level(options->loglevel_text, &options->level))
        return error_set(error, ERROR_INVALID,
                         "--loglevel: \"%s\" is not DEBUG, INFO, WARNING, ERROR, CRITICAL or FATAL",
                         options->loglevel_text);
    if (!one_of("pool", options->pool, "prefork", "solo", error) ||
        !one_of("optimization", options->optimization, "default", "fair", error) ||
        !one_of("queue-type", options->queue_type, "classic", "quorum", error))
        return false;
    struct broker_options broker = {.urls = options->broker};
    struct backend_options backend = {.url = options->result_backend};
    if (!broker_options_check(&broker, error))
        return error_context(error, "--broker");
    if (!rpc_is_url(options->result_backend) && !backend_options_check(&backend, error))
        return error_context(error, "--result-backend");
    return parse_concurrency(options, error) && parse_autoscale(options, error) &&
           parse_queues(options, error);
}

/* --help and --version answer even beside options that are wrong. */
static bool is_asked(int argc, char **argv, const char *name, const char *letter)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], name) == 0 || (letter != NULL && strcmp(argv[i], letter) == 0))
            return true;
    }
    return false;
}

bool worker_options_read(struct worker_options *options, const struct celery_worker_program *program,
                         int argc, char **argv, struct error *error)
{
    memset(options, 0, sizeof *options);
    options->prefetch_multiplier = program->prefetch_multiplier > 0 ? program->prefetch_multiplier : 4;
    options->table = build_table(options, program);
    if (options->table == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the options");
    if (is_asked(argc, argv, "--help", "-h")) {
        options->action = WORKER_HELP;
        return true;
    }
    if (is_asked(argc, argv, "--help-man", NULL)) {
        options->action = WORKER_MANUAL;
        return true;
    }
    if (is_asked(argc, argv, "--version", NULL)) {
        options->action = WORKER_VERSION;
        return true;
    }
    int positional = 0;
    if (!setting_read(options->table, argc, argv, &positional, error))
        return false;
    /* "program worker ..." is accepted, as `celery -A app worker` is typed. */
    if (positional > 1 || (positional == 1 && strcmp(argv[1], "worker") != 0))
        return error_set(error, ERROR_INVALID, "\"%s\": no argument is expected here (try --help)",
                         argv[positional]);
    options->action = options->ping ? WORKER_PING : WORKER_RUN;
    return expand_names(options, error) && check(options, error);
}

void worker_options_clear(struct worker_options *options)
{
    free(options->hostname);
    free(options->logfile);
    free(options->pidfile);
    free(options->statedb);
    for (size_t i = 0; i < options->queue_count; i++)
        free(options->queues[i]);
    free((void *)options->table);
    memset(options, 0, sizeof *options);
}

void worker_options_print_help(const struct worker_options *options,
                               const struct celery_worker_program *program, FILE *to)
{
    if (program->about != NULL)
        fprintf(to, "%s\n\n", program->about);
    fprintf(to, "A Celery worker. Options, each with the variable that sets it too:\n\n");
    setting_print(options->table, to);
}
