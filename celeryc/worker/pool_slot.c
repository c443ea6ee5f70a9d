/* A child's life as the parent sees it: asked for, ready, dismissed or killed, gone. */
#include "celeryc/worker/pool_slot.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIRTH_PAUSE                                                                                          \
    0.1 /* seconds before the next child where one ended before it was ready; doubled each time */
#define BIRTH_PAUSE_MOST 10.0

/* ---- birth ---- */

static struct slot *slot_new(struct pool *pool, int *child_socket, int *child_page, struct error *error)
{
    int pair[2];
    struct slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a child");
        return NULL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        error_set_errno(error, "cannot make a socket pair for a child");
        free(slot);
        return NULL;
    }
    slot->page = page_new(child_page, error);
    if (slot->page == NULL) {
        close(pair[0]);
        close(pair[1]);
        free(slot);
        return NULL;
    }
    *child_socket = pair[1];
    slot->socket = pair[0];
    slot->pool = pool;
    slot->id = ++pool->last_id;
    slot->first = slot->next = 1;
    bytes_init(&slot->in, 2 * FRAME_MOST);
    bytes_init(&slot->out, 0);
    ev_io_init(&slot->reader, slot_readable, slot->socket, EV_READ);
    ev_io_init(&slot->writer, slot_writable, slot->socket, EV_WRITE);
    slot->reader.data = slot->writer.data = slot;
    return slot;
}

void slot_free(struct slot *slot)
{
    ev_io_stop(slot->pool->loop, &slot->reader);
    ev_io_stop(slot->pool->loop, &slot->writer);
    close(slot->socket);
    page_free(slot->page);
    bytes_clear(&slot->in);
    bytes_clear(&slot->out);
    free(slot);
}

static bool give_birth(struct pool *pool, bool clerk, struct error *error)
{
    int socket = -1, page = -1;
    struct slot *slot = slot_new(pool, &socket, &page, error);
    if (slot == NULL)
        return false;
    slot->clerk = clerk;
    bool asked = fork_server_spawn(pool->server, slot->id, socket, page, error);
    close(socket);
    close(page);
    if (!asked) {
        slot_free(slot);
        return false;
    }
    pool->slots[pool->count++] = slot;
    ev_io_start(pool->loop, &slot->reader);
    return true;
}

/* Those that may still run something count: so there are never more running tasks than children wanted. */
static int occupied(const struct pool *pool)
{
    int count = 0;
    for (size_t i = 0; i < pool->count; i++) {
        const struct slot *slot = pool->slots[i];
        count += !slot->clerk && (slot->state != SLOT_ENDING || slot->count > 0);
    }
    return count;
}

/* False: not now. */
static bool add_child(struct pool *pool, bool clerk)
{
    struct error error;
    if (pool->count >= 2 * POOL_CHILDREN_MOST)
        return false;
    if (give_birth(pool, clerk, &error))
        return true;
    pool->next_birth = clock_monotonic() + BIRTH_PAUSE;
    if (error.code != ERROR_UNAVAILABLE)
        log_error("a child cannot be started: %s", error.message);
    return false;
}

void pool_populate(struct pool *pool)
{
    if (pool->broken || clock_monotonic() < pool->next_birth)
        return;
    if ((pool_wants_clerk(pool) && !add_child(pool, true)) || pool->closed)
        return;
    for (int count = occupied(pool); count < pool->target; count++) {
        if (!add_child(pool, false))
            return;
    }
}

/* ---- ending ---- */

void slot_signal(struct slot *slot, int signal)
{
    struct error error;
    slot->signal = fork_server_kill(slot->pool->server, slot->id, signal, &error) ? 0 : signal;
    if (signal != SIGKILL && slot->kill_at == 0)
        slot->kill_at = clock_monotonic() + POOL_KILL_AFTER;
}

void slot_dismiss(struct slot *slot)
{
    if (slot->state == SLOT_ENDING)
        return;
    slot->state = SLOT_ENDING;
    slot_take_back(slot);
    slot_write(slot);
}

void slot_break(struct slot *slot, const char *why)
{
    if (slot->broken)
        return;
    slot->broken = true;
    if (slot->state != SLOT_ENDING)
        slot->state = SLOT_ENDING;
    log_error("child %d is killed: %s", (int)slot->pid, why);
    ev_io_stop(slot->pool->loop, &slot->reader);
    ev_io_stop(slot->pool->loop, &slot->writer);
    slot_signal(slot, SIGKILL);
}

/* Whether the child had begun another request after this one: so that it did not die of this one. */
static bool began_another(const struct slot *slot, uint32_t serial)
{
    while (++serial != slot->next) {
        enum page_state state = page_state(slot->page, serial);
        if (state == PAGE_CLAIMED || state == PAGE_DONE || state == PAGE_CONDEMNED)
            return true;
    }
    return false;
}

/* What a dead child had: what it never claimed waits for another child, the rest is lost. */
static void settle(struct slot *slot, int status)
{
    struct pool *pool = slot->pool;
    slot_take_back(slot);
    for (uint32_t serial = slot->first; slot->count > 0; serial++) {
        struct held held = slot->held[serial % PAGE_ENTRIES];
        if (held.request == NULL)
            continue;
        enum loss_reason reason = held.condemned                ? held.reason
                                  : began_another(slot, serial) ? LOST_BESIDE
                                                                : LOST_CHILD;
        slot_note_started(slot, serial, slot_claimed_wall(slot, serial));
        slot_release(slot, serial);
        held.request->state = REQUEST_SETTLING;
        pool->events.lost(pool->context, held.request, reason, status);
    }
}

static void describe_end(const struct slot *slot, int status)
{
    bool meant = slot->kill_at > 0 || slot->broken || slot->shut;
    enum log_level level = meant || (WIFEXITED(status) && WEXITSTATUS(status) == 0) ? LOG_DEBUG : LOG_ERROR;
    if (WIFSIGNALED(status))
        log_write(level, NULL, "child %d was ended by signal %d (%s)", (int)slot->pid, WTERMSIG(status),
                  strsignal(WTERMSIG(status)));
    else
        log_write(level, NULL, "child %d ended with %d", (int)slot->pid, WEXITSTATUS(status));
}

static void bury(struct pool *pool, size_t index, int status)
{
    struct slot *slot = pool->slots[index];
    slot_read(slot); /* all that it wrote before its end is there, and fits in a socket's buffer */
    describe_end(slot, status);
    if (slot->state == SLOT_STARTING) {
        double pause = BIRTH_PAUSE * (double)(1 << (pool->failed_births < 7 ? pool->failed_births : 7));
        pool->failed_births++;
        pool->next_birth = clock_monotonic() + (pause < BIRTH_PAUSE_MOST ? pause : BIRTH_PAUSE_MOST);
    }
    slot->state = SLOT_ENDING;
    settle(slot, status);
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->slots[i] == slot)
            pool->slots[i] = pool->slots[--pool->count];
    }
    slot_free(slot);
}

static void note_fork_event(struct pool *pool, const struct fork_event *event)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct slot *slot = pool->slots[i];
        if (slot->id != event->id)
            continue;
        if (event->kind == FORK_STARTED) {
            slot->pid = event->pid;
            return;
        }
        if (event->kind == FORK_FAILED)
            log_error("a child cannot be forked: %s", strerror(event->status));
        bury(pool, i, event->status);
        return;
    }
}

void pool_fall(struct pool *pool, const char *why)
{
    if (pool->broken)
        return;
    log_error("%s", why);
    pool->broken = true;
    ev_io_stop(pool->loop, &pool->forks);
    while (pool->count > 0)
        bury(pool, 0, SIGKILL);
    pool_take_back(pool);
    pool_return_verdicts(pool);
    if (pool->events.broken != NULL)
        pool->events.broken(pool->context, why);
}

void pool_fork_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct pool *pool = watcher->data;
    struct fork_event event;
    enum fork_take take = fork_server_take(pool->server, &event);
    while (take == FORK_TAKEN) {
        note_fork_event(pool, &event);
        take = fork_server_take(pool->server, &event);
    }
    if (take == FORK_GONE) {
        pool_fall(pool, "the fork server is gone, and all children with it");
        return;
    }
    pool_populate(pool);
    pool_hand_waiting(pool);
    if (pool_room(pool) > 0)
        pool->events.room(pool->context);
    pool_flush(pool);
}
