/* The fork server: a process that was forked before the program had a thread or a connection, and that forks
 * the worker's children from its small, clean memory.
 *
 *     program --fork--> fork server --fork--> child, child, ...
 *
 * The program asks for a child and passes the child's two descriptors (SCM_RIGHTS): its end of a socketpair
 * and its shared page. The fork server tells the pid, later the exit status. Each child leads a process group
 * of its own; when it ends, what is left of its group is killed.
 *
 * Nobody outlives the program: the fork server sees the end of the program's socket (also after kill -9),
 * kills all groups and ends; a child is killed by the kernel when the fork server is (PR_SET_PDEATHSIG, tied
 * to the fork server's only thread). One per process; used by one thread, the worker's event loop. */
#ifndef CELERYC_WORKER_FORK_SERVER_H
#define CELERYC_WORKER_FORK_SERVER_H

#include "common/error.h"

#include <stdint.h>
#include <sys/types.h>

/* What runs in each child, with default signal handling (SIGPIPE ignored) and nothing open but what the
 * program had open at fork_server_start(), `socket` and `page`, which are its own to close. Returns the exit
 * code. */
typedef int fork_server_main(const void *context, int socket, int page);

struct fork_server;

enum fork_event_kind {
    FORK_STARTED, /* child `id` runs as `pid` */
    FORK_FAILED,  /* child `id` could not be forked: `status` is errno */
    FORK_ENDED,   /* child `id`, `pid` is gone: `status` as waitpid() gives it */
};

struct fork_event {
    enum fork_event_kind kind;
    uint32_t id;
    pid_t pid;
    int status;
};

/* Forks the server. Call it before any thread or connection exists. `context` is handed to each child as it
 * is in memory now. */
struct fork_server *fork_server_start(fork_server_main *main, const void *context, struct error *error);

int fork_server_fd(const struct fork_server *server); /* readable: there are events, or the server is gone */
pid_t fork_server_pid(const struct fork_server *server);

/* Asks for child `id` (the caller's number). The descriptors stay the caller's. Never waits:
 * ERROR_UNAVAILABLE when the server is too busy to take it now, ERROR_SYSTEM when it is gone. */
bool fork_server_spawn(struct fork_server *server, uint32_t id, int socket, int page, struct error *error);

/* Sends `signal` to the process group of child `id`, unless it is gone already: only the fork server knows
 * that a pid is still the child's. Errors as above. */
bool fork_server_kill(struct fork_server *server, uint32_t id, int signal, struct error *error);

enum fork_take { FORK_TAKEN, FORK_NOTHING, FORK_GONE };
enum fork_take fork_server_take(struct fork_server *server, struct fork_event *event); /* never waits */

/* Ends the server and every child that is left, and waits for the server. NULL is allowed. */
void fork_server_stop(struct fork_server *server);

#endif
