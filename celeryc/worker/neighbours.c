/* Neighbours: the other workers of the cluster, asked at start for what is revoked (mingle) and listened to
 * from then on (gossip). */
#include "celeryc/canvas/canvas.h"
#include "celeryc/control/gossip.h"
#include "celeryc/control/mingle.h"
#include "celeryc/worker/worker.h"
#include "common/clock.h"
#include "common/log.h"

static void on_mingled(void *context)
{
    struct worker *worker = context;
    worker->mingling = false; /* dispatch_ready() goes on at the end of this turn */
}

/* This worker was elected to send a task. */
static void send_signature(void *context, json_t *signature)
{
    struct worker *worker = context;
    struct error error = {.code = ERROR_NONE};
    struct canvas canvas;
    canvas_init(&canvas);
    canvas.types = worker->types;
    canvas.origin = worker->options.hostname;
    canvas.default_queue = worker->options.default_queue;
    canvas.now = clock_wall();
    json_decref(canvas_apply(&canvas, signature, NULL, NULL, NULL));
    if (canvas.failed)
        log_error("Could not call task: %s", canvas.error.message);
    for (size_t i = 0; !canvas.failed && i < canvas.count; i++) {
        struct canvas_step *step = &canvas.steps[i];
        if (step->kind != CANVAS_SEND)
            log_error("Could not call task: the worker itself does not begin chords");
        else if (!publisher_send(worker->publisher, &step->wire, 0, NULL, NULL, &error))
            log_error("Could not call task: %s", error.message);
    }
    canvas_clear(&canvas);
}

bool neighbours_start(struct worker *worker, struct error *error)
{
    const struct gossip_options gossip = {.mailbox = worker->mailbox,
                                          .worker = &worker->view,
                                          .loop = worker->loop,
                                          .call_task = send_signature,
                                          .context = worker};
    const struct mingle_options mingle = {.mailbox = worker->mailbox,
                                          .worker = &worker->view,
                                          .publisher = worker->teller,
                                          .loop = worker->loop,
                                          .over = on_mingled,
                                          .context = worker};
    if (!worker->options.without_mingle) {
        worker->mingle = mingle_new(&mingle, error);
        if (worker->mingle == NULL)
            return false;
    }
    if (!worker->options.without_gossip)
        worker->view.gossip = gossip_new(&gossip, error);
    return worker->options.without_gossip || worker->view.gossip != NULL;
}

/* At the start nothing is run before it is known what is revoked. Later what runs already is not held up. */
void neighbours_connected(struct worker *worker)
{
    if (worker->mingle == NULL)
        return;
    worker->mingling = !worker->was_ready;
    mingle_begin(worker->mingle);
}

void neighbours_stop(struct worker *worker)
{
    mingle_free(worker->mingle);
    gossip_free(worker->view.gossip);
    worker->mingle = NULL;
    worker->view.gossip = NULL;
}
