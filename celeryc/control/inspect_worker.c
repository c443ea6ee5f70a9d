/* Commands that show the worker itself. */
#include "celeryc/control/command.h"
#include "celeryc/events/software.h"
#include "celeryc/message/repr.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SYNCED_MOST 50000 /* revoked ids that a neighbour may tell (celery/worker/state.py REVOKES_MAX) */

static json_t *ping(struct control_call *call)
{
    (void)call;
    return control_ok("pong");
}

static double seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static json_t *rusage(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return json_string("N/A");
    const struct {
        const char *name;
        long value;
    } rows[] = {
        {"maxrss", usage.ru_maxrss}, {"ixrss", usage.ru_ixrss},     {"idrss", usage.ru_idrss},
        {"isrss", usage.ru_isrss},   {"minflt", usage.ru_minflt},   {"majflt", usage.ru_majflt},
        {"nswap", usage.ru_nswap},   {"inblock", usage.ru_inblock}, {"oublock", usage.ru_oublock},
        {"msgsnd", usage.ru_msgsnd}, {"msgrcv", usage.ru_msgrcv},   {"nsignals", usage.ru_nsignals},
        {"nvcsw", usage.ru_nvcsw},   {"nivcsw", usage.ru_nivcsw},
    };
    json_t *object =
        json_pack("{s:f, s:f}", "utime", seconds(&usage.ru_utime), "stime", seconds(&usage.ru_stime));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_object_set_new(object, rows[i].name, json_integer(rows[i].value));
    return object;
}

static json_t *stats(struct control_call *call)
{
    const struct control_worker *worker = call->worker;
    char clock[24];
    snprintf(clock, sizeof clock, "%lld", (long long)lamport_value(worker->clock));
    json_t *numbers = json_pack(
        "{s:o, s:i, s:s, s:I, s:o, s:o, s:I, s:o}", "total", worker->totals(worker->context), "pid",
        (int)getpid(), "clock", clock, "uptime", (json_int_t)(clock_monotonic() - worker->started + 0.5),
        "pool", worker->pool(worker->context), "broker", worker->broker(worker->context), "prefetch_count",
        (json_int_t)worker->prefetch_count(worker->context), "rusage", rusage());
    json_object_set_new(numbers, "celeryc",
                        json_pack("{s:f}", "timer_lag_max", worker->timer_lag(worker->context)));
    json_t *autoscaler = worker->autoscaler(worker->context);
    if (autoscaler != NULL)
        json_object_set_new(numbers, "autoscaler", autoscaler);
    return numbers;
}

static json_t *conf(struct control_call *call)
{
    return call->worker->configuration(call->worker->context, control_truth(call, "with_defaults"));
}

/* "key: repr" a line, as celery/app/utils.py Settings.humanize(). */
static void append_settings(struct bytes *text, const json_t *settings)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)settings, name, value)
    {
        char *repr = repr_value(value, NULL);
        bytes_append_format(text, NULL, "%s: %s\n", name, repr != NULL ? repr : "?");
        free(repr);
    }
}

static json_t *report(struct control_call *call)
{
    const struct control_worker *worker = call->worker;
    struct utsname system = {.sysname = ""};
    struct bytes text;
    (void)uname(&system);
    bytes_init(&text, (size_t)1024 * 1024);
    bytes_append_format(&text, NULL,
                        "\nsoftware -> celery:" SOFTWARE_CELERY " " SOFTWARE_IDENT ":" SOFTWARE_VERSION
                        " %s:%s jansson:%s\n"
                        "platform -> system:%s arch:%zubit, ELF\n"
                        "            kernel version:%s imp:C (" __VERSION__ ")\n"
                        "loader   -> %s\n"
                        "settings -> transport:%s results:%s\n\n",
                        worker->app, worker->version != NULL ? worker->version : "?", JANSSON_VERSION,
                        system.sysname, sizeof(void *) * 8, system.release, worker->app, worker->transport,
                        worker->results != NULL ? worker->results : "disabled");
    json_t *settings = worker->configuration(worker->context, false);
    append_settings(&text, settings);
    json_decref(settings);
    json_t *reply = control_ok("%s", text.size > 0 ? bytes_text(&text) : "");
    bytes_clear(&text);
    return reply;
}

static json_t *clock_value(struct control_call *call)
{
    return json_pack("{s:I}", "clock", (json_int_t)lamport_value(call->worker->clock));
}

/* A neighbour that starts tells what it knows to be revoked, and is told the same (mingle). */
static json_t *hello(struct control_call *call)
{
    const struct control_worker *worker = call->worker;
    const char *from = control_text(call, "from_node");
    json_t *ids = json_object_get(call->arguments, "revoked"), *value;
    const char *id;
    size_t index, told = 0;
    if (from != NULL && strcmp(from, worker->hostname) == 0)
        return NULL;
    log_info("sync with %s", from != NULL ? from : "a node without a name");
    json_array_foreach(ids, index, value)
    {
        if (json_is_string(value) && told++ < SYNCED_MOST)
            worker->revoke(worker->context, json_string_value(value));
    }
    json_object_foreach(ids, id, value) /* older workers send {id: time} */
    {
        if (told++ < SYNCED_MOST)
            worker->revoke(worker->context, id);
    }
    return json_pack("{s:o, s:I}", "revoked", worker->revoked(worker->context), "clock",
                     (json_int_t)lamport_forward(worker->clock));
}

/* Resident memory as celery/utils/debug.py humanbytes() prints it: "45.31MB". */
static json_t *memsample(struct control_call *call)
{
    static const struct {
        double size;
        const char *unit;
    } units[] = {{1024.0 * 1024 * 1024, "GB"}, {1024.0 * 1024, "MB"}, {1024, "KB"}, {1, "b"}};
    char text[32];
    long pages = 0;
    (void)call;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return NULL;
    bool read = fscanf(file, "%*s %ld", &pages) == 1;
    fclose(file);
    double size = (double)pages * (double)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; read && i < sizeof units / sizeof units[0]; i++) {
        if (size < units[i].size)
            continue;
        snprintf(text, sizeof text, "%.5g%s", size / units[i].size, units[i].unit);
        return json_string(text);
    }
    return NULL;
}

/* ---- queues ---- */

static json_t *text_or_null(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    return value != NULL ? value : json_null();
}

static json_t *describe_exchange(const struct queue_spec *queue)
{
    return json_pack("{s:o, s:s, s:n, s:b, s:b, s:b, s:n, s:b}", "name",
                     text_or_null(queue->exchange != NULL ? queue->exchange : queue->name), "type",
                     queue->exchange_type != NULL ? queue->exchange_type : "direct", "arguments", "durable",
                     queue->exchange_durable, "passive", 0, "auto_delete", queue->exchange_auto_delete,
                     "delivery_mode", "no_declare", 0);
}

/* The shape of kombu's Queue.as_dict(recurse=True). */
static void list_queue(void *visitor, const struct queue_spec *queue)
{
    json_t *list = visitor;
    json_t *arguments = queue->arguments != NULL ? json_deep_copy(queue->arguments) : json_null();
    json_t *entry = json_pack(
        "{s:o, s:o, s:o, s:o, s:n, s:n, s:b, s:b, s:b, s:b, s:n, s:[], s:n, s:n, s:n, s:n, s:n, s:n}", "name",
        text_or_null(queue->name), "exchange", describe_exchange(queue), "routing_key",
        text_or_null(queue->routing_key != NULL ? queue->routing_key : queue->name), "queue_arguments",
        arguments, "binding_arguments", "consumer_arguments", "durable", queue->durable, "exclusive",
        queue->exclusive, "auto_delete", queue->auto_delete, "no_ack", queue->no_ack, "alias", "bindings",
        "no_declare", "expires", "message_ttl", "max_length", "max_length_bytes", "max_priority");
    json_array_append_new(list, entry);
}

static json_t *active_queues(struct control_call *call)
{
    json_t *list = json_array();
    call->worker->each_queue(call->worker->context, list_queue, list);
    return list;
}

const struct control_command inspect_worker_commands[] = {
    {.name = "report",
     .kind = CONTROL_INSPECT,
     .help = "Information about the installation for bug reports.",
     .run = report},
    {.name = "conf",
     .alias = "dump_conf",
     .kind = CONTROL_INSPECT,
     .optional = {"with_defaults"},
     .any_keyword = true,
     .signature = "[include_defaults=False]",
     .help = "List configuration.",
     .run = conf},
    {.name = "clock",
     .kind = CONTROL_INSPECT,
     .any_keyword = true,
     .help = "Get current logical clock value.",
     .run = clock_value},
    {.name = "hello",
     .kind = CONTROL_INSPECT,
     .required = {"from_node"},
     .optional = {"revoked"},
     .any_keyword = true,
     .help = "Request mingle sync-data.",
     .run = hello},
    {.name = "ping", .kind = CONTROL_INSPECT, .any_keyword = true, .help = "Ping worker(s).", .run = ping},
    {.name = "stats",
     .kind = CONTROL_INSPECT,
     .any_keyword = true,
     .help = "Request worker statistics/information.",
     .run = stats},
    {.name = "memsample",
     .kind = CONTROL_INSPECT,
     .any_keyword = true,
     .help = "Sample current RSS memory usage.",
     .run = memsample},
    {.name = "active_queues",
     .kind = CONTROL_INSPECT,
     .help = "List the task queues a worker is currently consuming from.",
     .run = active_queues},
    {.name = NULL},
};
