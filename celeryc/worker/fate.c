#include "celeryc/worker/fate.h"

#include "celeryc/events/dispatcher.h"
#include "celeryc/message/task_message.h"
#include "celeryc/results/backend_async.h"
#include "celeryc/results/rpc.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

/* A fate under way. */
struct course {
    struct request *request;
    enum settlement how;
    enum fate_event event;
    char *state, *exception, *traceback; /* owned, or NULL */
    bool publishes;
    struct wire_message message;
};

static void course_free(struct course *course)
{
    free(course->state);
    free(course->exception);
    free(course->traceback);
    wire_message_clear(&course->message);
    free(course);
}

static void tell(struct course *course)
{
    struct events *events = course->request->worker->events;
    if (course->event == FATE_FAILED)
        events_task_failed(events, course->request->id, course->exception, course->traceback);
    else if (course->event == FATE_RETRIED)
        events_task_retried(events, course->request->id, course->exception, course->traceback);
    course->event = FATE_SILENT;
}

/* The last step. */
static void finish(struct course *course)
{
    struct request *request = course->request;
    struct worker *worker = request->worker;
    worker->storing--;
    tell(course);
    settle(worker, request, course->how);
    course_free(course);
}

/* The delivery goes back: the task will run again, whatever was to be told of it. */
static void give_up(struct course *course)
{
    course->how = SETTLE_REQUEUE;
    course->event = FATE_SILENT;
    finish(course);
}

/* ---- publishing ---- */

static bool store(struct course *course, json_t *result);
static void go_on(struct course *course);

/* A retry that no queue takes, of a task that was acknowledged when it began: nobody will run it again. */
static void fail_retry(struct course *course, const char *reason)
{
    char sentence[512];
    (void)snprintf(sentence, sizeof sentence, "the retry could not be published: %s", reason);
    free(course->state);
    course->state = strdup("FAILURE");
    course->event = FATE_FAILED;
    course->publishes = false;
    json_t *result = task_exception("kombu.exceptions.OperationalError", sentence);
    bool stored = store(course, result);
    json_decref(result);
    if (!stored)
        finish(course);
}

static void on_published(void *context, enum publish_outcome outcome, const char *reason)
{
    struct course *course = context;
    struct request *request = course->request;
    if (outcome == PUBLISH_CONFIRMED) {
        finish(course);
        return;
    }
    log_write(LOG_ERROR, request->id, "Task %s[%s] could not be published again: %s",
              task_message_name(request->message), request->id, reason ? reason : "no reason given");
    if (!request->acknowledged)
        give_up(course);
    else if (outcome == PUBLISH_STOPPED)
        finish(course);
    else
        fail_retry(course, reason ? reason : "no reason given");
}

static void publish(struct course *course)
{
    struct error error = {0};
    struct worker *worker = course->request->worker;
    if (worker->publisher == NULL)
        error_set(&error, ERROR_CANCELLED, "the worker stops");
    else if (confirms_send(worker->confirms, &course->message, 0, on_published, course, &error))
        return;
    on_published(course, worker->phase == PHASE_OVER ? PUBLISH_STOPPED : PUBLISH_REFUSED, error.message);
}

/* ---- storing ---- */

static void go_on(struct course *course)
{
    if (!course->publishes) {
        finish(course);
        return;
    }
    tell(course); /* before anybody can tell that he has received the next run */
    publish(course);
}

static void on_stored(void *context, bool kept, const struct error *error)
{
    struct course *course = context;
    struct request *request = course->request;
    if (error != NULL) {
        log_write(LOG_ERROR, request->id, "State %s of task %s[%s] could not be stored: %s", course->state,
                  task_message_name(request->message), request->id, error->message);
        /* Stopped before Redis had it: what is not acknowledged will be told by who runs it next. */
        if (error->code == ERROR_CANCELLED && !request->acknowledged) {
            give_up(course);
            return;
        }
    } else if (kept) {
        /* It had succeeded before its child was lost: that stands, and nothing runs again. */
        log_write(LOG_WARNING, request->id, "Task %s[%s] had succeeded already; state %s is not stored",
                  task_message_name(request->message), request->id, course->state);
        if (course->event == FATE_FAILED) {
            events_task_succeeded(request->worker->events, request->id, "", 0);
            course->event = FATE_SILENT;
            course->how = SETTLE_ACK;
        }
    }
    go_on(course);
}

/* `body` lends it arguments; to be cleared after use. */
static void describe(const struct course *course, json_t *result, struct task_meta *meta,
                     struct task_body *body)
{
    const struct request *request = course->request;
    const struct worker *worker = request->worker;
    const struct task_message *message = request->message;
    bool ended = strcmp(course->state, "RETRY") != 0;
    *meta = (struct task_meta){
        .task_id = request->id,
        .status = course->state,
        .result = result,
        .traceback = course->traceback,
        .group_id = message->group,
        .parent_id = message->parent_id,
        .date_done = ended ? clock_wall() : 0,
        .extended = worker->options.result_extended,
        .name = task_message_name(message),
        .worker = worker->options.hostname,
        .queue = request->wire.routing_key,
        .retries = message->retries,
        .reply_to = request->wire.reply_to,
        .correlation_id = request->wire.correlation_id,
    };
    memset(body, 0, sizeof *body);
    if (meta->extended && task_body_decode(&request->wire, 0, body, NULL) == MESSAGE_GOOD) {
        meta->args = body->args;
        meta->kwargs = body->kwargs;
    }
}

static void log_unstored(const struct course *course, const struct error *error)
{
    const struct request *request = course->request;
    log_write(LOG_ERROR, request->id, "State %s of task %s[%s] could not be stored: %s", course->state,
              task_message_name(request->message), request->id, error->message);
}

/* A reply queue that is gone means that nobody waits any more. */
static void on_replied(void *context, enum publish_outcome outcome, const char *reason)
{
    struct error error = {0};
    if (outcome != PUBLISH_CONFIRMED && outcome != PUBLISH_RETURNED)
        error_set(&error, outcome == PUBLISH_STOPPED ? ERROR_CANCELLED : ERROR_UNAVAILABLE, "%s",
                  reason == NULL ? "no reason given" : reason);
    on_stored(context, false, error.code == ERROR_NONE ? NULL : &error);
}

/* rpc://: the state is sent to who waits for it. */
static bool reply(struct course *course, const struct task_meta *meta, struct error *error)
{
    const struct worker *worker = course->request->worker;
    struct wire_message message;
    if (worker->publisher == NULL)
        return error_set(error, ERROR_CANCELLED, "the worker stops");
    wire_message_init(&message);
    bool begun = rpc_message(meta, &message, error) &&
                 confirms_send(worker->confirms, &message, 0, on_replied, course, error);
    wire_message_clear(&message);
    return begun;
}

/* False: it is not under way, and nobody will call back. */
static bool store(struct course *course, json_t *result)
{
    struct worker *worker = course->request->worker;
    struct task_meta meta;
    struct task_body body;
    struct error error = {0};
    bool replies = rpc_is_url(worker->options.result_backend);
    if (worker->backend == NULL && !replies)
        return false;
    describe(course, result, &meta, &body);
    bool wanted = !replies || rpc_is_wanted(&meta);
    bool begun =
        wanted && (replies ? reply(course, &meta, &error)
                           : backend_async_store(worker->backend, &meta, 0, on_stored, course, &error));
    task_body_clear(&body);
    if (wanted && !begun)
        log_unstored(course, &error);
    return begun;
}

/* ---- the beginning ---- */

static bool copy_text(char **to, const char *text)
{
    if (text == NULL)
        return true;
    *to = strdup(text);
    return *to != NULL;
}

void fate_begin(struct worker *worker, struct request *request, const struct fate *fate)
{
    struct course *course = calloc(1, sizeof *course);
    if (course == NULL || !copy_text(&course->state, fate->state) ||
        !copy_text(&course->exception, fate->exception) || !copy_text(&course->traceback, fate->traceback)) {
        log_write(LOG_CRITICAL, request->id,
                  "no memory for the end of a task; its message is not acknowledged");
        if (course != NULL)
            course_free(course);
        json_decref(fate->result);
        settle(worker, request, SETTLE_REQUEUE);
        return;
    }
    course->request = request;
    course->how = fate->how;
    course->event = fate->event;
    wire_message_init(&course->message);
    if (fate->publish != NULL) {
        course->publishes = true;
        course->message = *fate->publish;
        wire_message_init(fate->publish);
    }
    requests_move(&worker->requests, request, REQUEST_SETTLING);
    worker->storing++;
    bool under_way = course->state != NULL && store(course, fate->result);
    json_decref(fate->result);
    if (!under_way)
        go_on(course);
}
