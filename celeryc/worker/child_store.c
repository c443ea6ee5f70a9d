/* What leaves a child: results to the backend, messages to the broker, reports to the parent. */
#include "celeryc/worker/child_state.h"

#include "celeryc/amqp/consumer.h"
#include "celeryc/amqp/publisher.h"
#include "celeryc/results/rpc.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPT 5.0 /* seconds of one attempt to store or reply, then the next one begins */
/* Seconds of one attempt to publish: so long that a broker that merely confirms late is waited for. What was
 * written may be in the queue already, and given up and sent anew it would run twice. */
#define PUBLISH_ATTEMPT 86400.0
#define PUBLISH_TOGETHER 1000 /* messages that are under way before the first is waited for */
#define STATE_PATIENCE 1.0    /* seconds that storing a state may hold up its task */
#define REFUSALS_MOST 5
#define FLUSH_AFTER 0.003 /* seconds that a report waits at most for the main thread to flush it */

static bool reply(struct child *child, const struct task_meta *meta, double patience, struct error *error);

bool child_queue_result(struct child *child, const struct task_meta *meta, struct error *error)
{
    if (child->options->rpc)
        return reply(child, meta, HUGE_VAL, error);
    pthread_mutex_lock(&child->lock);
    bool queued = backend_queue(child->backend, meta, error);
    pthread_mutex_unlock(&child->lock);
    return queued;
}

/* ---- reports ---- */

/* How many results were queued here so far. */
static uint64_t queued_results(const struct child *child)
{
    return child->flushed_results + backend_queued(child->backend);
}

static void await_results(struct child *child, size_t offset)
{
    if (child->awaited_count == child->awaited_capacity) {
        size_t capacity = child->awaited_capacity * 2 + 64;
        struct awaited *awaited = realloc(child->awaited, capacity * sizeof *awaited);
        if (awaited == NULL)
            abort(); /* the parent reports what ran here as lost */
        child->awaited = awaited;
        child->awaited_capacity = capacity;
    }
    child->awaited[child->awaited_count++] =
        (struct awaited){.offset = offset, .first = child->reported_results, .end = queued_results(child)};
}

void child_report(struct child *child, const struct pool_report *report, bool waits)
{
    struct error error;
    pthread_mutex_lock(&child->lock);
    size_t offset = child->out.size;
    if (!pool_report_put(&child->out, report, &error)) {
        log_error("a report cannot be made, this child ends: %s", error.message);
        abort();
    }
    if (waits && child->refused_early)
        pool_report_set_unstored(&child->out, offset);
    else if (waits)
        await_results(child, offset);
    if (report->kind == FRAME_FINISHED) {
        child->reported_results = queued_results(child);
        child->refused_early = false;
    }
    if (child->waits_since == 0)
        child->waits_since = clock_monotonic();
    pthread_mutex_unlock(&child->lock);
}

static void write_reports(struct child *child)
{
    size_t written = 0;
    while (written < child->out.size && !child->parent_gone) {
        ssize_t size =
            send(child->socket, child->out.data + written, child->out.size - written, MSG_NOSIGNAL);
        if (size >= 0)
            written += (size_t)size;
        else if (errno != EINTR)
            child->parent_gone = true;
    }
    child->out.size = 0;
    child->awaited_count = 0;
    child->waits_since = 0;
    if (child->out.capacity > ((size_t)1 << 20))
        bytes_clear(&child->out);
}

static bool may_pass(const struct error *error)
{
    return error->code == ERROR_UNAVAILABLE || error->code == ERROR_TIMEOUT;
}

/* Of a report whose results, or some of them, the last flush found refused. */
static bool lacks_results(const struct child *child, const struct awaited *awaited, uint64_t flushed)
{
    for (uint64_t number = awaited->first > flushed ? awaited->first : flushed; number < awaited->end;
         number++) {
        if (backend_was_refused(child->backend, (size_t)(number - flushed)))
            return true;
    }
    return false;
}

/* After a flush in which some were refused: corrects the reports of those. */
static void correct_reports(struct child *child, uint64_t flushed, const struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < child->awaited_count; i++) {
        if (!lacks_results(child, &child->awaited[i], flushed))
            continue;
        pool_report_set_unstored(&child->out, child->awaited[i].offset);
        count++;
    }
    const struct awaited coming = {.first = child->reported_results, .end = child->flushed_results};
    child->refused_early = child->refused_early || lacks_results(child, &coming, flushed);
    log_error("results of %zu tasks are not stored: %s", count + child->refused_early, error->message);
}

static void flush(struct child *child)
{
    struct error error;
    uint64_t flushed = child->flushed_results, queued = queued_results(child);
    bool stored = backend_flush(child->backend, clock_monotonic() + ATTEMPT, &error);
    /* What is queued still was not answered, for want of a connection or of one that lets us in. */
    while (!stored && backend_queued(child->backend) > 0) {
        log_warning("results cannot be stored, trying again: %s", error.message);
        if (!may_pass(&error)) /* a wrong password, say, is told at once */
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        stored = backend_flush(child->backend, clock_monotonic() + ATTEMPT, &error);
    }
    child->flushed_results = queued;
    if (!stored)
        correct_reports(child, flushed, &error);
    write_reports(child);
    child->flushed = clock_monotonic();
}

void child_flush(struct child *child)
{
    pthread_mutex_lock(&child->lock);
    flush(child);
    pthread_mutex_unlock(&child->lock);
}

void child_go_on(struct child *child, double age)
{
    pthread_mutex_lock(&child->lock);
    if (clock_monotonic() - child->flushed > age)
        flush(child);
    else if (child->waits_since > 0 && child->flusher_sleeps)
        pthread_cond_signal(&child->wake);
    pthread_mutex_unlock(&child->lock);
}

/* ---- the flusher ---- */

static void *run_flusher(void *context)
{
    struct child *child = context;
    pthread_mutex_lock(&child->lock);
    while (!child->ending) {
        double due = child->waits_since + FLUSH_AFTER;
        if (child->waits_since > 0 && clock_monotonic() >= due) {
            flush(child);
            continue;
        }
        if (child->waits_since > 0) {
            struct timespec until = {.tv_sec = (time_t)due, .tv_nsec = (long)((due - floor(due)) * 1e9)};
            pthread_cond_timedwait(&child->wake, &child->lock, &until);
            continue;
        }
        child->flusher_sleeps = true;
        pthread_cond_wait(&child->wake, &child->lock);
        child->flusher_sleeps = false;
    }
    pthread_mutex_unlock(&child->lock);
    return NULL;
}

bool child_start_flusher(struct child *child, struct error *error)
{
    sigset_t all, before;
    pthread_condattr_t attributes;
    pthread_mutex_init(&child->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&child->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all); /* signals are for the task's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&child->flusher, NULL, run_flusher, child);
    child->flusher_runs = errno == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return child->flusher_runs || error_set_errno(error, "no thread can be started");
}

void child_end_flusher(struct child *child)
{
    pthread_mutex_lock(&child->lock);
    child->ending = true;
    pthread_cond_signal(&child->wake);
    pthread_mutex_unlock(&child->lock);
    pthread_join(child->flusher, NULL);
    pthread_cond_destroy(&child->wake);
    pthread_mutex_destroy(&child->lock);
}

/* ---- custom states ---- */

void child_fill_meta(const struct child *child, const struct celery_task *task, struct task_meta *meta)
{
    const struct task_message *message = task->message;
    meta->task_id = message->id;
    meta->children = task->children;
    meta->group_id = message->group;
    meta->parent_id = message->parent_id;
    meta->extended = child->options->result_extended;
    meta->name = message->task;
    meta->worker = child->options->hostname;
    meta->queue = task->order->wire.routing_key;
    meta->args = task->body.args;
    meta->kwargs = task->body.kwargs;
    meta->retries = message->retries;
    meta->reply_to = task->order->wire.reply_to;
    meta->correlation_id = task->order->wire.correlation_id;
}

/* While Redis is away the flusher may hold the lock for long. */
static bool lock_within(struct child *child, double seconds)
{
    double due = clock_monotonic() + seconds;
    struct timespec until = {.tv_sec = (time_t)due, .tv_nsec = (long)((due - floor(due)) * 1e9)};
    return pthread_mutex_clocklock(&child->lock, CLOCK_MONOTONIC, &until) == 0;
}

bool child_store_state(struct child *child, const struct celery_task *task, const char *state, json_t *meta)
{
    struct error error;
    struct task_meta stored = {.status = state, .result = meta};
    child_fill_meta(child, task, &stored);
    bool done = child->options->rpc || lock_within(child, STATE_PATIENCE);
    if (child->options->rpc) {
        done = reply(child, &stored, STATE_PATIENCE, &error);
    } else if (!done) {
        error_set(&error, ERROR_TIMEOUT, "the backend is busy");
    } else {
        done = backend_store(child->backend, &stored, NULL, clock_monotonic() + STATE_PATIENCE, &error);
        pthread_mutex_unlock(&child->lock);
    }
    if (!done)
        log_write(LOG_WARNING, task->message->id, "state %s is not stored: %s", state, error.message);
    return done;
}

bool child_update_state(void *context, struct celery_task *task, const char *state, json_t *meta)
{
    struct child *child = context;
    if (!child_store_state(child, task, state, meta))
        return false;
    child_report(child,
                 &(struct pool_report){.kind = FRAME_UPDATED, .serial = task->order->serial, .state = state},
                 false);
    child_go_on(child, HUGE_VAL);
    return true;
}

/* ---- publishing ---- */

static bool open_publisher(struct child *child, struct error *error)
{
    if (child->publisher != NULL)
        return true;
    struct publisher_options options = {.broker = child->broker, .confirm = true};
    child->publisher = publisher_new(&options, error);
    return child->publisher != NULL;
}

/* Celery's clients declare the queue they send to: durable, with a direct exchange of its name. */
static void declare_queue(struct child *child, const char *name)
{
    struct queue_spec spec = {
        .name = name, .exchange_type = "direct", .durable = true, .exchange_durable = true};
    publisher_declare(child->publisher, &spec);
}

bool child_publish(struct child *child, struct wire_message *take, struct error *error)
{
    bool published = false, again = open_publisher(child, error);
    for (int refusals = 0; again && !published;) {
        struct wire_message copy;
        if (!frame_copy_wire(take, &copy)) {
            error_set(error, ERROR_MEMORY, "no memory for a message");
            break;
        }
        published = publisher_publish(child->publisher, &copy, PUBLISH_ATTEMPT, error);
        if (published)
            break;
        wire_message_clear(&copy);
        bool unrouted = error->code == ERROR_NOT_FOUND && take->exchange != NULL && take->exchange[0] == '\0';
        if (unrouted && refusals++ < REFUSALS_MOST) {
            declare_queue(child, take->routing_key);
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
            continue;
        }
        again = may_pass(error);
        if (again)
            log_warning("cannot publish, trying again: %s", error->message);
    }
    wire_message_clear(take);
    return published;
}

/* What does not get through at once is published by itself, with its declarations and repetitions. */
static bool publish_some(struct child *child, struct wire_message *const *take, size_t count,
                         struct error *error)
{
    struct publishing *under_way[PUBLISH_TOGETHER];
    struct error fault;
    bool published = true;
    for (size_t i = 0; i < count; i++) {
        struct wire_message copy;
        bool copied = frame_copy_wire(take[i], &copy);
        under_way[i] = copied ? publisher_begin(child->publisher, &copy, PUBLISH_ATTEMPT, &fault) : NULL;
        if (copied && under_way[i] == NULL)
            wire_message_clear(&copy);
    }
    for (size_t i = 0; i < count; i++) {
        bool confirmed = under_way[i] != NULL && publisher_await(child->publisher, under_way[i], &fault);
        if (!confirmed && published)
            published = child_publish(child, take[i], error);
    }
    return published;
}

bool child_publish_all(struct child *child, struct wire_message *const *take, size_t count,
                       struct error *error)
{
    bool published = open_publisher(child, error);
    for (size_t at = 0; published && at < count; at += PUBLISH_TOGETHER) {
        size_t left = count - at;
        published = publish_some(child, take + at, left < PUBLISH_TOGETHER ? left : PUBLISH_TOGETHER, error);
    }
    for (size_t i = 0; i < count; i++)
        wire_message_clear(take[i]);
    return published;
}

/* ---- rpc:// ---- */

/* Sends a state to who waits for it, for `patience` seconds. A queue that is gone,
 * or was never named, means that nobody waits. */
static bool reply(struct child *child, const struct task_meta *meta, double patience, struct error *error)
{
    double due = clock_monotonic() + patience;
    if (!rpc_is_wanted(meta))
        return true;
    for (;;) {
        struct wire_message message;
        wire_message_init(&message);
        bool sent = open_publisher(child, error) &&
                    rpc_message(meta, child->options->result_persistent, &message, error);
        sent = sent && publisher_publish(child->publisher, &message, fmin(ATTEMPT, patience), error);
        wire_message_clear(&message);
        if (sent || error->code == ERROR_NOT_FOUND)
            return true;
        if (!may_pass(error) || clock_monotonic() >= due)
            return false;
        log_warning("a result cannot be sent, trying again: %s", error->message);
    }
}
