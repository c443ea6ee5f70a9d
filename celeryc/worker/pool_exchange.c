/* Bytes to and from a child, on the parent's loop: nothing here waits. What a child sends is checked; one
 * that sends nonsense is killed, and what it had is lost as if it had crashed. */
#include "celeryc/worker/pool_slot.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE (64 * 1024)
#define READS_MOST 64 /* in one go, so that one child cannot keep the loop to itself */

/* ---- to the child ---- */

void slot_write(struct slot *slot)
{
    size_t written = 0;
    while (written < slot->out.size && !slot->broken) {
        ssize_t size = send(slot->socket, slot->out.data + written, slot->out.size - written,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size >= 0)
            written += (size_t)size;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            slot_break(slot, strerror(errno));
    }
    bytes_consume(&slot->out, written);
    if (slot->out.size == 0 && slot->out.capacity > POOL_LARGE)
        bytes_clear(&slot->out);
    if (slot->out.size > 0 && !slot->broken) {
        ev_io_start(slot->pool->loop, &slot->writer);
        return;
    }
    ev_io_stop(slot->pool->loop, &slot->writer);
    if (slot->state == SLOT_ENDING && slot->count == 0 && !slot->shut) {
        shutdown(slot->socket, SHUT_WR);
        slot->shut = true;
    }
}

void slot_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    slot_write(watcher->data);
}

/* ---- from the child ---- */

static struct request *held_request(struct slot *slot, uint32_t serial)
{
    struct request *request = slot->held[serial % PAGE_ENTRIES].request;
    return request != NULL && request->serial == serial ? request : NULL;
}

double slot_claimed_wall(const struct slot *slot, uint32_t serial)
{
    double claimed = page_claimed_at(slot->page, serial), now = clock_monotonic();
    return claimed > 0 && claimed < now ? clock_wall() - (now - claimed) : clock_wall();
}

void slot_note_started(struct slot *slot, uint32_t serial, double wall)
{
    struct request *request = held_request(slot, serial);
    if (request == NULL || request->state == REQUEST_RUNNING || request->verdict != NULL)
        return;
    double now = clock_monotonic(), claimed = page_claimed_at(slot->page, serial);
    request->state = REQUEST_RUNNING;
    request->started = wall;
    request->started_monotonic = claimed > 0 && claimed < now ? claimed : now;
    request->pid = slot->pid;
    slot->pool->events.started(slot->pool->context, request);
}

static void note_finished(struct slot *slot, struct pool_report *report)
{
    struct pool *pool = slot->pool;
    struct request *request = held_request(slot, report->serial);
    if (request == NULL) {
        slot_break(slot, "it reports the end of what it does not have");
        return;
    }
    if (report->result.outcome != RUN_UNDECODABLE) /* what cannot be read has not begun */
        slot_note_started(slot, report->serial, report->started);
    slot_release(slot, report->serial);
    slot->finished++;
    slot->progress = clock_monotonic();
    if (report->result.outcome != RUN_UNDECODABLE && request->verdict == NULL)
        pool_note_runtime(pool, request->type, report->result.runtime);
    request->state = REQUEST_SETTLING;
    pool->events.finished(pool->context, request, &report->result);
    unsigned long most = (unsigned long)pool->options.max_tasks_per_child;
    if (most > 0 && slot->given >= most && slot->count == 0)
        slot_dismiss(slot);
}

static void note_updated(struct slot *slot, const struct pool_report *report)
{
    struct request *request = held_request(slot, report->serial);
    if (request != NULL && slot->pool->events.update != NULL)
        slot->pool->events.update(slot->pool->context, request, report->state);
}

static void note_ready(struct slot *slot, pid_t pid)
{
    slot->pid = pid;
    slot->progress = clock_monotonic();
    if (slot->state == SLOT_STARTING)
        slot->state = SLOT_READY;
    slot->pool->failed_births = 0;
}

static void note(struct slot *slot, struct pool_report *report)
{
    switch (report->kind) {
    case FRAME_READY:
        note_ready(slot, report->pid);
        break;
    case FRAME_STARTED:
        slot_note_started(slot, report->serial, report->started);
        break;
    case FRAME_UPDATED:
        note_updated(slot, report);
        break;
    case FRAME_FINISHED:
        note_finished(slot, report);
        break;
    case FRAME_RETIRING:
        log_info("child %d holds %.0f MiB and is replaced", (int)slot->pid, report->memory / (1024 * 1024));
        slot_dismiss(slot);
        break;
    case FRAME_ORDER:
        break;
    }
}

static void take_reports(struct slot *slot)
{
    size_t used = 0;
    while (!slot->broken) {
        enum frame_kind kind;
        struct frame_reader reader;
        struct pool_report report;
        size_t size;
        enum frame_next next = frame_next(slot->in.data + used, slot->in.size - used, &kind, &reader, &size);
        if (next == FRAME_NEXT_MORE)
            break;
        if (next == FRAME_NEXT_BAD || !pool_report_get(kind, &reader, &report)) {
            slot_break(slot, "it sends what is no report");
            break;
        }
        note(slot, &report);
        pool_report_clear(&report);
        used += size;
    }
    bytes_consume(&slot->in, used);
    if (slot->in.size == 0 && slot->in.capacity > POOL_LARGE)
        bytes_clear(&slot->in);
}

void slot_read(struct slot *slot)
{
    for (int reads = 0; reads < READS_MOST && !slot->broken; reads++) {
        if (!bytes_reserve(&slot->in, READ_SIZE, NULL)) {
            slot_break(slot, "it sends more than can be held");
            return;
        }
        ssize_t size = recv(slot->socket, slot->in.data + slot->in.size, slot->in.capacity - slot->in.size,
                            MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) { /* it has ended, or is about to; the fork server tells how */
            ev_io_stop(slot->pool->loop, &slot->reader);
            return;
        }
        slot->in.size += (size_t)size;
        slot->deaf = false;
        take_reports(slot);
    }
}

void slot_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct slot *slot = watcher->data;
    struct pool *pool = slot->pool;
    slot_read(slot);
    pool_hand_waiting(pool);
    if (pool_room(pool) > 0)
        pool->events.room(pool->context);
    pool_flush(pool);
}
