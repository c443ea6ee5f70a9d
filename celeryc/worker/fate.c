#include "celeryc/worker/fate.h"

#include "celeryc/events/dispatcher.h"
#include "celeryc/message/repr.h"
#include "celeryc/message/task_message.h"
#include "celeryc/results/backend_async.h"
#include "celeryc/results/rpc.h"
#include "celeryc/worker/pool_order.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MOST ((size_t)64 * 1024) /* bytes of a body that is decoded on the loop */
#define DEATHS_MOST 2                 /* children that may die of one verdict */
#define REFUSALS_MOST 6               /* of one message by the broker */
#define REFUSAL_PAUSE 0.5             /* seconds after the first; twice as long after each further one */

#define UNPUBLISHED "kombu.exceptions.OperationalError"

/* A fate under way. */
struct course {
    struct request *request;
    enum settlement how;
    enum fate_event event;
    char *state, *exception, *traceback; /* owned, or NULL */
    json_t *result;                      /* owned, or NULL */
    enum verdict_follow follow;
    struct verdict verdict; /* while a child has it */
    int deaths;
    bool publishes;
    struct wire_message message;
    int refusals;
    ev_timer again; /* until a refused message is offered again */
};

static void course_free(struct course *course)
{
    free(course->state);
    free(course->exception);
    free(course->traceback);
    json_decref(course->result);
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
    request->course = NULL;
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

static void store_or_tell(struct course *course);
static void publish(struct course *course);

/* What no queue takes: nobody will run it again, so it has failed, even if it is a retry. */
static void fail_unpublished(struct course *course, const char *reason)
{
    char sentence[512];
    (void)snprintf(sentence, sizeof sentence, "it could not be published again: %s", reason);
    bool stores = course->state != NULL || course->how == SETTLE_REPLACED;
    free(course->state);
    free(course->exception);
    free(course->traceback);
    json_decref(course->result);
    course->state = stores ? strdup("FAILURE") : NULL;
    course->exception = repr_exception(UNPUBLISHED, sentence, NULL);
    course->traceback = NULL;
    course->result = task_exception(UNPUBLISHED, sentence);
    course->follow = FOLLOW_ALL;
    course->event = FATE_FAILED;
    course->how = SETTLE_REJECT;
    course->publishes = false;
    store_or_tell(course);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    publish(timer->data);
}

static void offer_again(struct course *course)
{
    struct worker *worker = course->request->worker;
    double pause = REFUSAL_PAUSE * (double)(1 << (course->refusals - 1));
    ev_timer_init(&course->again, on_again, pause, 0);
    course->again.data = course;
    ev_timer_start(worker->loop, &course->again);
}

static void on_published(void *context, enum publish_outcome outcome, const char *reason)
{
    struct course *course = context;
    struct request *request = course->request;
    if (outcome == PUBLISH_CONFIRMED) {
        finish(course);
        return;
    }
    reason = reason ? reason : "no reason given";
    log_write(LOG_ERROR, request->id, "Task %s[%s] could not be published again: %s",
              task_message_name(request->message), request->id, reason);
    if (outcome != PUBLISH_STOPPED && request->worker->phase != PHASE_OVER) {
        if (++course->refusals < REFUSALS_MOST)
            offer_again(course);
        else
            fail_unpublished(course, reason);
        return;
    }
    if (request->acknowledged)
        finish(course);
    else
        give_up(course);
}

static void publish(struct course *course)
{
    struct error error = {0};
    struct wire_message copy;
    struct worker *worker = course->request->worker;
    wire_message_init(&copy);
    if (worker->publisher == NULL)
        error_set(&error, ERROR_CANCELLED, "the worker stops");
    else if (!frame_copy_wire(&course->message, &copy))
        error_set(&error, ERROR_MEMORY, "no memory for a message");
    else if (confirms_send(worker->confirms, &copy, 0, on_published, course, &error))
        return;
    wire_message_clear(&copy);
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

static void log_unstored(const struct course *course, const struct error *error)
{
    const struct request *request = course->request;
    log_write(LOG_ERROR, request->id, "State %s of task %s[%s] could not be stored: %s",
              course->state != NULL ? course->state : "(of chord, chain and errbacks)",
              task_message_name(request->message), request->id, error->message);
}

static void on_stored(void *context, bool kept, const struct error *error)
{
    struct course *course = context;
    struct request *request = course->request;
    if (error != NULL) {
        log_unstored(course, error);
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
            course->how = SETTLE_DONE;
        }
    }
    go_on(course);
}

/* False: it is too large to be looked at here; `*body` is empty then. To be cleared after use. */
static bool read_body(const struct request *request, struct task_body *body)
{
    struct error error = {0};
    memset(body, 0, sizeof *body);
    if (request->wire.body_size > BODY_MOST)
        return false;
    enum message_fault fault = task_body_decode(&request->wire, BODY_MOST, body, &error);
    return fault != MESSAGE_UNDECODABLE || error.code != ERROR_LIMIT;
}

/* `body` lends it arguments; to be cleared after use. */
static void describe(const struct course *course, struct task_meta *meta, struct task_body *body)
{
    const struct request *request = course->request;
    const struct worker *worker = request->worker;
    const struct task_message *message = request->message;
    bool ended = strcmp(course->state, "RETRY") != 0;
    *meta = (struct task_meta){
        .task_id = request->id,
        .status = course->state,
        .result = course->result,
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
    if (meta->extended && read_body(request, body)) {
        meta->args = body->args;
        meta->kwargs = body->kwargs;
    }
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
    bool begun = rpc_message(meta, worker->options.result_persistent, &message, error) &&
                 confirms_send(worker->confirms, &message, 0, on_replied, course, error);
    wire_message_clear(&message);
    return begun;
}

/* False: it is not under way, and nobody will call back. */
static bool store(struct course *course)
{
    struct worker *worker = course->request->worker;
    struct task_meta meta;
    struct task_body body;
    struct error error = {0};
    bool replies = rpc_is_url(worker->options.result_backend);
    if (worker->backend == NULL && !replies)
        return false;
    describe(course, &meta, &body);
    bool wanted = !replies || rpc_is_wanted(&meta);
    bool begun =
        wanted && (replies ? reply(course, &meta, &error)
                           : backend_async_store(worker->backend, &meta, 0, on_stored, course, &error));
    task_body_clear(&body);
    if (wanted && !begun)
        log_unstored(course, &error);
    return begun;
}

static void store_alone(struct course *course)
{
    if (course->state == NULL || !store(course))
        go_on(course);
}

/* ---- telling, by a child ---- */

/* Whether anybody follows, and so whether it takes a child. */
static bool takes_child(const struct course *course)
{
    const struct request *request = course->request;
    const struct worker *worker = request->worker;
    struct task_body body;
    if (request->type == NULL || worker->phase == PHASE_OVER)
        return false;
    if (course->follow == FOLLOW_NOBODY &&
        (course->state == NULL || !worker->options.result_extended || request->wire.body_size <= BODY_MOST))
        return false;
    bool takes = !read_body(request, &body);
    if (!takes && course->follow != FOLLOW_NOBODY)
        takes = body.chord.data != NULL;
    if (!takes && course->follow == FOLLOW_ALL)
        takes = body.chain.data != NULL || body.errbacks.data != NULL;
    task_body_clear(&body);
    return takes;
}

static void store_or_tell(struct course *course)
{
    struct request *request = course->request;
    if (!takes_child(course)) {
        store_alone(course);
        return;
    }
    const char *state = course->follow == FOLLOW_CHORD ? "REVOKED" : "FAILURE";
    course->verdict = (struct verdict){.state = course->state != NULL ? course->state : state,
                                       .exception = course->result,
                                       .traceback = course->traceback,
                                       .store = course->state != NULL,
                                       .follow = course->follow};
    request->verdict = &course->verdict;
    pool_tell(request->worker->pool, request);
}

void fate_told(struct request *request, const struct run_result *result)
{
    struct course *course = request->course;
    struct error error = {0};
    request->verdict = NULL;
    if (result->outcome != RUN_SUCCESS && result->outcome != RUN_FAILURE) {
        log_write(LOG_ERROR, request->id, "Task %s[%s]: who follows it is not told of its end: %s",
                  task_message_name(request->message), request->id,
                  result->exc_message ? result->exc_message : "its message cannot be read");
        store_alone(course);
        return;
    }
    if (!result->stored)
        error_set(&error, ERROR_DENIED, "refused");
    on_stored(course, result->outcome == RUN_SUCCESS, result->stored ? NULL : &error);
}

static void cancel(struct course *course)
{
    struct error error = {0};
    error_set(&error, ERROR_CANCELLED, "the worker stops");
    on_stored(course, false, &error);
}

void fate_untold(struct request *request, bool died)
{
    struct course *course = request->course;
    if (died && ++course->deaths < DEATHS_MOST) {
        pool_tell(request->worker->pool, request);
        return;
    }
    request->verdict = NULL;
    log_write(LOG_ERROR, request->id, "Task %s[%s]: who follows it is not told of its end: %s",
              task_message_name(request->message), request->id,
              died ? "the processes that were to do it are lost" : "no process is left to do it");
    store_alone(course);
}

void fate_abandon_all(struct worker *worker)
{
    struct request *request = worker->requests.states[REQUEST_SETTLING].first;
    while (request != NULL) {
        struct request *next = request->next;
        struct course *course = request->course;
        bool told = request->verdict != NULL;
        request->verdict = NULL;
        if (told) {
            cancel(course);
        } else if (course != NULL && ev_is_active(&course->again)) {
            ev_timer_stop(worker->loop, &course->again);
            publish(course); /* once more, without an again */
        }
        request = next;
    }
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
    course->result = fate->result;
    course->follow = fate->follow;
    ev_init(&course->again, on_again);
    wire_message_init(&course->message);
    if (fate->publish != NULL) {
        course->publishes = true;
        course->message = *fate->publish;
        wire_message_init(fate->publish);
    }
    request->course = course;
    requests_move(&worker->requests, request, REQUEST_SETTLING);
    worker->storing++;
    store_or_tell(course);
}
