#include "celeryc/control/mingle.h"

#include "celeryc/message/json_message.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_EXPIRES 10000 /* milliseconds, as Celery's */
#define REPLY_MESSAGE_TTL 300000
#define REVOKED_MOST 50000 /* ids that one neighbour may tell (celery/worker/state.py REVOKES_MAX) */

struct mingle {
    struct mingle_options options;
    bool under_way, asked, over;
    double deadline; /* of `over`, clock_monotonic() */
    ev_timer timer;
    char queue[UUID_SIZE + sizeof CONTROL_REPLY_EXCHANGE + 1]; /* of replies */
    char oid[UUID_SIZE], ticket[UUID_SIZE];
    size_t nodes; /* that have replied */
};

/* ---- the end ---- */

static void finish(struct mingle *mingle)
{
    mingle->under_way = mingle->asked = mingle->over = false;
    mailbox_stop_listening(mingle->options.mailbox, mingle->queue);
    if (mingle->nodes > 0)
        log_info("mingle: sync complete");
    else
        log_info("mingle: all alone");
}

static void set_timer(struct mingle *mingle, double seconds)
{
    struct ev_loop *loop = mingle->options.loop;
    ev_timer_stop(loop, &mingle->timer);
    ev_timer_set(&mingle->timer, seconds, 0);
    ev_timer_start(loop, &mingle->timer);
}

/* While it could not even ask, because there is no connection, it goes on; but nobody is to wait for that. */
static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct mingle *mingle = timer->data;
    if (mingle->over) {
        finish(mingle);
        return;
    }
    mingle->options.over(mingle->options.context);
    mingle->over = mingle->asked;
    if (mingle->over)
        set_timer(mingle, MINGLE_LISTEN);
}

static void wait_for(struct mingle *mingle, double seconds)
{
    double left = mingle->deadline - clock_monotonic();
    set_timer(mingle, seconds < left ? seconds : left > 0 ? left : 0);
}

/* ---- asking ---- */

static bool make_request(struct mingle *mingle, struct wire_message *message, struct error *error)
{
    const struct control_worker *worker = mingle->options.worker;
    json_t *arguments =
        json_pack("{s:s, s:o}", "from_node", worker->hostname, "revoked", worker->revoked(worker->context));
    struct control_call_message call = {.method = "hello",
                                        .arguments = arguments,
                                        .ticket = mingle->ticket,
                                        .reply_to = mingle->oid,
                                        .clock = (int64_t)lamport_forward(worker->clock),
                                        .expires = clock_wall() + MINGLE_WAIT};
    bool made = control_message_make(&call, message, error);
    json_decref(arguments);
    return made;
}

/* The queue for replies is there. */
static void ask(void *context)
{
    struct mingle *mingle = context;
    struct wire_message message;
    struct error error = {.code = ERROR_NONE};
    log_info("mingle: searching for neighbors");
    uuid_make(mingle->ticket);
    if (!make_request(mingle, &message, &error) ||
        !publisher_send(mingle->options.publisher, &message, 0, NULL, NULL, &error))
        log_warning("mingle: the others cannot be asked: %s", error.message);
    wire_message_clear(&message);
    mingle->asked = true;
    mingle->over = false;
    mingle->nodes = 0;
    mingle->deadline = clock_monotonic() + MINGLE_WAIT;
    wait_for(mingle, MINGLE_WAIT);
}

/* ---- replies ---- */

static void sync_with(struct mingle *mingle, const json_t *reply)
{
    const struct control_worker *worker = mingle->options.worker;
    const json_t *clock = json_object_get(reply, "clock"), *ids = json_object_get(reply, "revoked");
    size_t most = json_array_size(ids);
    if (json_is_integer(clock))
        lamport_adjust(worker->clock, json_integer_value(clock));
    else
        (void)lamport_forward(worker->clock);
    for (size_t i = most > REVOKED_MOST ? most - REVOKED_MOST : 0; i < most; i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (id != NULL)
            worker->revoke(worker->context, id);
    }
}

/* {node: reply}; of its own mailbox the reply is null, and tells that the others have the request too. */
static void take_reply(struct mingle *mingle, const json_t *replies)
{
    const char *node;
    json_t *reply;
    json_object_foreach((json_t *)replies, node, reply)
    {
        if (!json_is_object(reply) || strcmp(node, mingle->options.worker->hostname) == 0)
            continue;
        if (mingle->nodes++ == 0)
            log_info("mingle: sync with other nodes");
        log_debug("mingle: processing reply from %s", node);
        sync_with(mingle, reply);
    }
    if (!mingle->over)
        wait_for(mingle, MINGLE_QUIET);
}

static void on_reply(void *context, const struct wire_message *message)
{
    struct mingle *mingle = context;
    const char *ticket = json_string_value(json_object_get(message->headers, "ticket"));
    lamport_adjust(mingle->options.worker->clock,
                   json_integer_value(json_object_get(message->headers, "clock")));
    if (!mingle->asked || ticket == NULL || strcmp(ticket, mingle->ticket) != 0 || message->body == NULL)
        return;
    json_t *replies = json_loadb(message->body, message->body_size, JSON_ALLOW_NUL, NULL);
    if (json_is_object(replies))
        take_reply(mingle, replies);
    json_decref(replies);
}

/* ---- life cycle ---- */

struct mingle *mingle_new(const struct mingle_options *options, struct error *error)
{
    struct mingle *mingle = calloc(1, sizeof *mingle);
    if (mingle == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    const struct queue_spec requests = {.exchange = CONTROL_EXCHANGE, .exchange_type = "fanout"};
    mingle->options = *options;
    uuid_make(mingle->oid);
    snprintf(mingle->queue, sizeof mingle->queue, "%s." CONTROL_REPLY_EXCHANGE, mingle->oid);
    ev_timer_init(&mingle->timer, on_timer, 0, 0);
    mingle->timer.data = mingle;
    publisher_declare(options->publisher, &requests);
    return mingle;
}

void mingle_free(struct mingle *mingle)
{
    if (mingle == NULL)
        return;
    ev_timer_stop(mingle->options.loop, &mingle->timer);
    free(mingle);
}

void mingle_begin(struct mingle *mingle)
{
    if (mingle->under_way && mingle->over)
        ask(mingle); /* where the queue for replies is to come again too, they are asked once more then */
    if (mingle->under_way)
        return;
    struct error error = {.code = ERROR_NONE};
    json_t *arguments =
        json_pack("{s:i, s:i}", "x-expires", REPLY_EXPIRES, "x-message-ttl", REPLY_MESSAGE_TTL);
    const struct queue_spec replies = {.name = mingle->queue,
                                       .exchange = CONTROL_REPLY_EXCHANGE,
                                       .exchange_type = "direct",
                                       .routing_key = mingle->oid,
                                       .exclusive = true,
                                       .auto_delete = true,
                                       .no_ack = true,
                                       .arguments = arguments};
    const struct mailbox_listener listener = {.ready = ask, .heard = on_reply, .context = mingle};
    mingle->under_way = mailbox_listen(mingle->options.mailbox, &replies, &listener, &error);
    json_decref(arguments);
    if (!mingle->under_way)
        log_warning("mingle: %s", error.message);
    mingle->deadline = clock_monotonic() + MINGLE_WAIT;
    wait_for(mingle, MINGLE_WAIT);
}
