#include "celeryc/worker/child.h"

#include "celeryc/amqp/publisher.h"
#include "celeryc/worker/child_state.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLUSH_EVERY 0.001 /* seconds that results of short tasks wait at most, but for one task's run */
#define READ_SIZE (64 * 1024)
#define KEEP_SIZE ((size_t)1 << 20) /* a larger buffer is given back after use */

static void check_memory(struct child *child)
{
    unsigned long size = 0, resident = 0;
    if (child->options->max_memory == 0 || child->retiring)
        return;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    double bytes = (double)resident * (double)sysconf(_SC_PAGESIZE);
    if (bytes <= (double)child->options->max_memory)
        return;
    child->retiring = true;
    child_report(child, &(struct pool_report){.kind = FRAME_RETIRING, .memory = bytes}, false);
    child_flush(child);
}

static bool take_order(struct child *child, enum frame_kind kind, struct frame_reader *reader)
{
    struct pool_order order;
    if (kind != FRAME_ORDER || !pool_order_get(reader, &order)) {
        log_error("the parent sent what is no order; this child ends");
        return false;
    }
    if (order.type >= child->types) {
        log_error("the parent sent an order of no known type; this child ends");
        pool_order_clear(&order);
        return false;
    }
    /* Before the claim, so that no time limit runs while Redis is away, and nobody takes it for running. */
    if (child_knows_short(child, order.type))
        child_go_on(child, FLUSH_EVERY);
    else
        child_flush(child);
    /* A failed claim is no error: the parent has taken the order back. */
    if (page_claim(child->page, order.serial, clock_monotonic())) {
        execute(child, &order);
        check_memory(child);
    }
    pool_order_clear(&order);
    return true;
}

/* Runs all orders that are there as a whole. */
static bool take_orders(struct child *child)
{
    size_t used = 0;
    bool good = true;
    while (good && !child->parent_gone) {
        enum frame_kind kind;
        struct frame_reader reader;
        size_t size;
        enum frame_next next =
            frame_next(child->in.data + used, child->in.size - used, &kind, &reader, &size);
        if (next == FRAME_NEXT_MORE)
            break;
        good = next == FRAME_NEXT_WHOLE && take_order(child, kind, &reader);
        used += size;
    }
    bytes_consume(&child->in, used);
    if (child->in.size == 0 && child->in.capacity > KEEP_SIZE)
        bytes_clear(&child->in);
    return good;
}

/* True when something came. Flushes before it waits. */
static bool read_some(struct child *child)
{
    struct error error;
    if (!bytes_reserve(&child->in, READ_SIZE, &error)) {
        log_error("%s; this child ends", error.message);
        return false;
    }
    int flags = MSG_DONTWAIT;
    for (;;) {
        ssize_t size =
            recv(child->socket, child->in.data + child->in.size, child->in.capacity - child->in.size, flags);
        if (size > 0) {
            child->in.size += (size_t)size;
            return true;
        }
        if (size == 0 || (errno != EAGAIN && errno != EINTR))
            return false; /* the parent has closed its end */
        child_flush(child);
        flags = 0;
    }
}

static bool prepare(struct child *child, int page)
{
    struct error error;
    while (child->options->types[child->types].name != NULL)
        child->types++;
    child->runtimes = calloc(child->types + 1, sizeof *child->runtimes);
    child->page = page_map(page, &error);
    close(page);
    if (child->runtimes == NULL || child->page == NULL)
        return false;
    for (size_t i = 0; i < child->types; i++)
        child->runtimes[i] = -1;
    bytes_init(&child->in, 2 * FRAME_MOST);
    bytes_init(&child->out, 0);
    child->keeper = (struct task_keeper){.hostname = child->options->hostname,
                                         .result_backend = child->options->backend.url,
                                         .update = child_update_state,
                                         .context = child};
    child->broker = child->options->broker;
    child->broker.purpose = "celeryc child: publish";
    child->backend = backend_new(&child->options->backend, &error);
    bool good = child->backend != NULL && child_start_flusher(child, &error);
    if (!good)
        log_error("this child cannot work: %s", error.message);
    return good;
}

static void finish(struct child *child)
{
    if (child->flusher_runs)
        child_end_flusher(child);
    publisher_free(child->publisher, 5);
    backend_free(child->backend);
    page_free(child->page);
    bytes_clear(&child->in);
    bytes_clear(&child->out);
    free(child->awaited);
    free(child->runtimes);
    close(child->socket);
}

int child_main(const void *context, int socket, int page)
{
    struct child child = {.options = context, .socket = socket};
    prctl(PR_SET_NAME, "celery-child");
    bool good = prepare(&child, page);
    if (good) {
        if (child.options->child_start != NULL)
            child.options->child_start();
        child_report(&child, &(struct pool_report){.kind = FRAME_READY, .pid = getpid()}, false);
        child_flush(&child);
    }
    while (good && !child.parent_gone && read_some(&child))
        good = take_orders(&child);
    if (good)
        child_flush(&child);
    finish(&child);
    return good ? 0 : 1;
}
