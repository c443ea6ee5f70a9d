#include "celeryc/events/dispatcher.h"

#include "celeryc/events/software.h"
#include "celeryc/message/json_text.h"
#include "celeryc/message/number.h"
#include "common/clock.h"
#include "common/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXCHANGE "celeryev"
#define LIST_BYTES ((size_t)1024 * 1024) /* a list that is longer goes out before it is full */
#define EVENT_BYTES                                                                                          \
    ((size_t)32 * 1024 * 1024) /* an event that is longer is dropped: no monitor could show it */
#define FREQ 2.0
#define FREQ_ASKED 5.0

struct printer {
    struct bytes text;
    bool failed; /* an append did: what is printed is not whole */
};

struct events {
    struct publisher *publisher;
    struct lamport_clock *clock;
    char *hostname;
    json_t *headers;
    bool tasks;
    struct printer prefix; /* {"hostname": ..., "utcoffset": ..., "pid": ..., "clock":  */
    double utcoffset;      /* hours, as the prefix has it */
    struct printer list;   /* "[" and the task events that wait, between them ", " */
    size_t count;
    double since;          /* clock_monotonic() of the first of them */
    struct printer single; /* the worker event that is being printed */
    uint64_t lost;         /* events that could not be printed or handed over */
};

/* ---- printing ---- */

static void put_bytes(struct printer *to, const char *text, size_t size)
{
    to->failed = to->failed || !bytes_append(&to->text, text, size, NULL);
}

#define PUT(to, literal) put_bytes(to, literal, sizeof(literal) - 1)

/* Ids, names and most reprs need no escape: they are copied whole. */
static void put_string(struct printer *to, const char *text)
{
    if (text == NULL) {
        PUT(to, "null");
        return;
    }
    size_t size = 0;
    while (text[size] >= ' ' && text[size] != '"' && text[size] != '\\' && text[size] != 0x7f)
        size++;
    if (text[size] != '\0') {
        size += strlen(text + size);
        to->failed = to->failed || !json_text_append_string(&to->text, text, size, NULL);
        return;
    }
    PUT(to, "\"");
    put_bytes(to, text, size);
    PUT(to, "\"");
}

static void put_unsigned(struct printer *to, uint64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put_bytes(to, digits + at, sizeof digits - at);
}

/* Seconds with microseconds, as a clock gives them. */
static void put_seconds(struct printer *to, double seconds)
{
    char fraction[7];
    uint64_t micro = seconds > 0 && seconds < 1e12 ? (uint64_t)llround(seconds * 1e6) : 0;
    put_unsigned(to, micro / 1000000);
    uint64_t rest = micro % 1000000;
    fraction[0] = '.';
    for (int i = 6; i > 0; i--, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    put_bytes(to, fraction, sizeof fraction);
}

static void put_float(struct printer *to, double value)
{
    char text[NUMBER_TEXT_SIZE];
    put_bytes(to, text, number_float_text(value, text));
}

static void put_boolean(struct printer *to, bool value)
{
    put_bytes(to, value ? "true" : "false", value ? 4 : 5);
}

static void put_date(struct printer *to, double wall)
{
    char text[CLOCK_ISO_SIZE];
    if (wall != 0)
        clock_iso8601(wall, text);
    put_string(to, wall != 0 ? text : NULL);
}

/* Hours west of Greenwich, as celery/utils/time.py utcoffset() counts. */
static double utcoffset_now(void)
{
    time_t now = time(NULL);
    struct tm local;
    return localtime_r(&now, &local) != NULL ? -(double)local.tm_gmtoff / 3600 + 0.0 : 0;
}

/* What every event begins with; made anew when the clocks change. */
static bool make_prefix(struct events *events, struct error *error)
{
    double utcoffset = utcoffset_now();
    if (events->prefix.text.size > 0 && utcoffset == events->utcoffset)
        return true;
    events->utcoffset = utcoffset;
    bytes_truncate(&events->prefix.text, 0);
    PUT(&events->prefix, "{\"hostname\": ");
    put_string(&events->prefix, events->hostname);
    PUT(&events->prefix, ", \"utcoffset\": ");
    put_float(&events->prefix, utcoffset);
    PUT(&events->prefix, ", \"pid\": ");
    put_unsigned(&events->prefix, (uint64_t)getpid());
    PUT(&events->prefix, ", \"clock\": ");
    return !events->prefix.failed || error_set(error, ERROR_MEMORY, "out of memory");
}

static void begin_event(struct events *events, struct printer *to)
{
    put_bytes(to, events->prefix.text.data, events->prefix.text.size);
    put_unsigned(to, (uint64_t)lamport_forward(events->clock));
}

static void end_event(struct printer *to, const char *type)
{
    PUT(to, ", \"timestamp\": ");
    put_seconds(to, clock_wall());
    PUT(to, ", \"type\": \"");
    put_bytes(to, type, strlen(type));
    PUT(to, "\"}");
}

/* ---- life cycle ---- */

struct events *events_new(struct publisher *publisher, const char *hostname, struct lamport_clock *clock,
                          bool tasks, struct error *error)
{
    struct events *events = calloc(1, sizeof *events);
    if (events == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    *events =
        (struct events){.publisher = publisher, .clock = clock, .tasks = tasks, .hostname = strdup(hostname)};
    bytes_init(&events->prefix.text, 0);
    bytes_init(&events->list.text, LIST_BYTES + EVENT_BYTES);
    bytes_init(&events->single.text, EVENT_BYTES);
    events->headers = json_pack("{s:s}", "hostname", hostname);
    bool made = events->hostname != NULL && events->headers != NULL;
    if (!made)
        error_set(error, events->hostname != NULL ? ERROR_INVALID : ERROR_MEMORY,
                  "the node's name is not UTF-8");
    if (!made || !make_prefix(events, error)) {
        events_free(events);
        return NULL;
    }
    struct queue_spec exchange = {.exchange = EXCHANGE, .exchange_type = "topic", .exchange_durable = true};
    publisher_declare(publisher, &exchange);
    return events;
}

void events_free(struct events *events)
{
    if (events == NULL)
        return;
    bytes_clear(&events->prefix.text);
    bytes_clear(&events->list.text);
    bytes_clear(&events->single.text);
    json_decref(events->headers);
    free(events->hostname);
    free(events);
}

bool events_tasks_enabled(const struct events *events)
{
    return events->tasks;
}

void events_enable_tasks(struct events *events, bool tasks)
{
    events->tasks = tasks;
}

/* ---- sending ---- */

/* Hands the body over; its buffer is empty afterwards. */
static void send_body(struct events *events, const char *routing_key, struct bytes *body)
{
    struct wire_message message;
    struct error error = {.code = ERROR_NONE};
    wire_message_init(&message);
    message.exchange = strdup(EXCHANGE);
    message.routing_key = strdup(routing_key);
    message.content_type = strdup("application/json");
    message.content_encoding = strdup("utf-8");
    message.headers = json_deep_copy(events->headers);
    message.delivery_mode = 1;
    message.priority = 0;
    message.body = bytes_take(body, &message.body_size);
    bool whole = message.exchange != NULL && message.routing_key != NULL && message.content_type != NULL &&
                 message.content_encoding != NULL && message.headers != NULL && message.body != NULL;
    if (whole && publisher_send(events->publisher, &message, 0, NULL, NULL, &error))
        return;
    if (events->lost++ == 0)
        log_warning("events are lost: %s", whole ? error.message : "out of memory");
    wire_message_clear(&message);
}

void events_flush(struct events *events)
{
    if (events->count == 0)
        return;
    PUT(&events->list, "]");
    events->count = 0;
    events->since = 0;
    send_body(events, "task.multi", &events->list.text);
}

double events_pending(const struct events *events)
{
    return events->since;
}

/* Begins the next task event, behind those that wait. NULL when task events are off. */
static struct printer *begin_task(struct events *events, const char *id, size_t *start)
{
    struct printer *list = &events->list;
    if (!events->tasks)
        return NULL;
    *start = list->text.size;
    list->failed = false;
    if (events->count == 0)
        PUT(list, "[");
    else
        PUT(list, ", ");
    begin_event(events, list);
    PUT(list, ", \"uuid\": ");
    put_string(list, id);
    return list;
}

/* Ends it; what did not become whole, for want of memory or because it is too long, is cut off again. */
static void end_task(struct events *events, const char *type, size_t start)
{
    struct printer *list = &events->list;
    end_event(list, type);
    if (list->failed) {
        bytes_truncate(&list->text, start);
        events->lost++;
        return;
    }
    if (events->count == 0)
        events->since = clock_monotonic();
    events->count++;
    if (events->count >= EVENTS_LIST || list->text.size >= LIST_BYTES)
        events_flush(events);
}

/* ---- tasks ---- */

void events_task_received(struct events *events, const struct event_received *task)
{
    size_t start;
    struct printer *to = begin_task(events, task->id, &start);
    if (to == NULL)
        return;
    PUT(to, ", \"name\": ");
    put_string(to, task->name);
    PUT(to, ", \"args\": ");
    put_string(to, task->argsrepr);
    PUT(to, ", \"kwargs\": ");
    put_string(to, task->kwargsrepr);
    PUT(to, ", \"root_id\": ");
    put_string(to, task->root_id);
    PUT(to, ", \"parent_id\": ");
    put_string(to, task->parent_id);
    PUT(to, ", \"retries\": ");
    put_unsigned(to, task->retries > 0 ? (uint64_t)task->retries : 0);
    PUT(to, ", \"eta\": ");
    put_date(to, task->eta);
    PUT(to, ", \"expires\": ");
    put_date(to, task->expires);
    end_task(events, "task-received", start);
}

void events_task_started(struct events *events, const char *id)
{
    size_t start;
    if (begin_task(events, id, &start) != NULL)
        end_task(events, "task-started", start);
}

void events_task_succeeded(struct events *events, const char *id, const char *result, double runtime)
{
    size_t start;
    struct printer *to = begin_task(events, id, &start);
    if (to == NULL)
        return;
    PUT(to, ", \"result\": ");
    put_string(to, result);
    PUT(to, ", \"runtime\": ");
    if (isnan(runtime))
        PUT(to, "null");
    else
        put_seconds(to, runtime);
    end_task(events, "task-succeeded", start);
}

static void tell_exception(struct events *events, const char *type, const char *id, const char *exception,
                           const char *traceback)
{
    size_t start;
    struct printer *to = begin_task(events, id, &start);
    if (to == NULL)
        return;
    PUT(to, ", \"exception\": ");
    put_string(to, exception);
    PUT(to, ", \"traceback\": ");
    put_string(to, traceback);
    end_task(events, type, start);
}

void events_task_failed(struct events *events, const char *id, const char *exception, const char *traceback)
{
    tell_exception(events, "task-failed", id, exception, traceback);
}

void events_task_retried(struct events *events, const char *id, const char *exception, const char *traceback)
{
    tell_exception(events, "task-retried", id, exception, traceback);
}

void events_task_rejected(struct events *events, const char *id, bool requeue)
{
    size_t start;
    struct printer *to = begin_task(events, id, &start);
    if (to == NULL)
        return;
    PUT(to, ", \"requeue\": ");
    put_boolean(to, requeue);
    end_task(events, "task-rejected", start);
}

void events_task_revoked(struct events *events, const char *id, bool terminated, int signal, bool expired)
{
    size_t start;
    struct printer *to = begin_task(events, id, &start);
    if (to == NULL)
        return;
    PUT(to, ", \"terminated\": ");
    put_boolean(to, terminated);
    PUT(to, ", \"signum\": ");
    if (signal > 0)
        put_unsigned(to, (uint64_t)signal);
    else
        PUT(to, "null");
    PUT(to, ", \"expired\": ");
    put_boolean(to, expired);
    end_task(events, "task-revoked", start);
}

void events_task_cancelled(struct events *events, const char *id)
{
    size_t start;
    if (begin_task(events, id, &start) != NULL)
        end_task(events, "task-cancelled", start);
}

/* ---- the worker ---- */

static void put_software(struct printer *to)
{
    PUT(to, ", \"sw_ident\": \"" SOFTWARE_IDENT "\", \"sw_ver\": \"" SOFTWARE_VERSION
            "\", \"sw_sys\": \"" SOFTWARE_SYSTEM "\"");
}

/* Rounded up to hundredths, as celery/utils/sysinfo.py load_average() does. */
static void put_load(struct printer *to)
{
    double load[3] = {0, 0, 0};
    PUT(to, ", \"loadavg\": [");
    if (getloadavg(load, 3) != 3)
        load[0] = load[1] = load[2] = 0;
    for (size_t i = 0; i < 3; i++) {
        if (i > 0)
            PUT(to, ", ");
        put_float(to, ceil(load[i] * 100) / 100);
    }
    PUT(to, "]");
}

static struct printer *begin_single(struct events *events)
{
    struct printer *to = &events->single;
    (void)make_prefix(events, NULL);
    bytes_truncate(&to->text, 0);
    to->failed = events->prefix.failed;
    begin_event(events, to);
    return to;
}

static struct printer *begin_worker(struct events *events, double freq)
{
    struct printer *to = begin_single(events);
    PUT(to, ", \"freq\": ");
    put_float(to, freq);
    return to;
}

static void end_worker(struct events *events, const char *type, const char *routing_key)
{
    end_event(&events->single, type);
    if (!events->single.failed)
        send_body(events, routing_key, &events->single.text);
}

static void tell_worker(struct events *events, const struct event_worker *worker, const char *type,
                        const char *routing_key)
{
    struct printer *to = begin_worker(events, worker->freq > 0 ? worker->freq : FREQ);
    PUT(to, ", \"active\": ");
    put_unsigned(to, worker->active);
    PUT(to, ", \"processed\": ");
    put_unsigned(to, worker->processed);
    put_load(to);
    put_software(to);
    end_worker(events, type, routing_key);
}

void events_worker_online(struct events *events, const struct event_worker *worker)
{
    tell_worker(events, worker, "worker-online", "worker.online");
}

void events_worker_heartbeat(struct events *events, const struct event_worker *worker)
{
    tell_worker(events, worker, "worker-heartbeat", "worker.heartbeat");
}

void events_worker_offline(struct events *events, const struct event_worker *worker)
{
    tell_worker(events, worker, "worker-offline", "worker.offline");
}

void events_worker_heartbeat_asked(struct events *events)
{
    put_software(begin_worker(events, FREQ_ASKED));
    end_worker(events, "worker-heartbeat", "worker.heartbeat");
}

/* ---- elections ---- */

void events_worker_elect(struct events *events, const char *id, const char *topic, const json_t *action)
{
    struct printer *to = begin_single(events);
    PUT(to, ", \"id\": ");
    put_string(to, id);
    PUT(to, ", \"topic\": ");
    put_string(to, topic);
    PUT(to, ", \"action\": ");
    to->failed = to->failed || !json_text_append(&to->text, action, NULL);
    PUT(to, ", \"cver\": 1");
    end_worker(events, "worker-elect", "worker.elect");
}

void events_worker_elect_seen(struct events *events, const char *id)
{
    struct printer *to = begin_single(events);
    PUT(to, ", \"id\": ");
    put_string(to, id);
    end_worker(events, "worker-elect-ack", "worker.elect.ack");
}
