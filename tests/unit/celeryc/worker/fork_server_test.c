/* Children come from the fork server and nobody outlives the program. */
#include "celeryc/worker/fork_server.h"
#include "common/clock.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 120

/* Writes its pid and that of a child of its own, then does what it reads: exits with that code, or waits for
 * ever. */
static int child(const void *context, int socket, int page)
{
    (void)context;
    close(page);
    pid_t grandchild = fork();
    if (grandchild == 0) {
        for (;;)
            pause();
    }
    pid_t pids[3] = {getpid(), grandchild, getpgrp()};
    unsigned char code;
    if (write(socket, pids, sizeof pids) != (ssize_t)sizeof pids || read(socket, &code, 1) != 1)
        pause();
    return code;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static bool is_gone(pid_t pid)
{
    char name[64], state = 0;
    (void)snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return true;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    fclose(file);
    return state == 'Z' || state == 'X'; /* whoever inherits it may take his time to reap it */
}

static bool goes(pid_t pid)
{
    for (double deadline = clock_monotonic() + PATIENCE; clock_monotonic() < deadline; nap()) {
        if (is_gone(pid))
            return true;
    }
    return false;
}

static int spawn(struct fork_server *server, uint32_t id)
{
    struct error error;
    int pair[2], page = open("/dev/null", O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CU_ASSERT(fork_server_spawn(server, id, pair[1], page, &error));
    close(pair[1]);
    close(page);
    return pair[0];
}

static struct fork_event next_event(struct fork_server *server)
{
    struct fork_event event = {.kind = FORK_FAILED, .id = UINT32_MAX};
    struct pollfd watched = {.fd = fork_server_fd(server), .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&watched, 1, PATIENCE * 1000), 1);
    CU_ASSERT_EQUAL(fork_server_take(server, &event), FORK_TAKEN);
    return event;
}

static void read_pids(int socket, pid_t pids[3])
{
    struct pollfd watched = {.fd = socket, .events = POLLIN};
    CU_ASSERT_EQUAL_FATAL(poll(&watched, 1, PATIENCE * 1000), 1);
    CU_ASSERT_EQUAL_FATAL(read(socket, pids, 3 * sizeof *pids), (ssize_t)(3 * sizeof *pids));
}

static void a_childs_start_and_end_are_told_and_its_group_goes_with_it(void)
{
    struct error error;
    struct fork_event event;
    pid_t pids[3];
    struct fork_server *server = fork_server_start(child, NULL, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    CU_ASSERT_EQUAL(fork_server_take(server, &event), FORK_NOTHING);
    int socket = spawn(server, 7);
    event = next_event(server);
    CU_ASSERT(event.kind == FORK_STARTED && event.id == 7);
    read_pids(socket, pids);
    CU_ASSERT_EQUAL(event.pid, pids[0]);
    CU_ASSERT_EQUAL(pids[2], pids[0]); /* it leads a group */
    CU_ASSERT_EQUAL(write(socket, "\x05", 1), 1);
    event = next_event(server);
    CU_ASSERT(event.kind == FORK_ENDED && event.id == 7 && event.pid == pids[0]);
    CU_ASSERT(WIFEXITED(event.status) && WEXITSTATUS(event.status) == 5);
    CU_ASSERT(goes(pids[1]));
    close(socket);
    fork_server_stop(server);
}

static void a_signal_reaches_the_group(void)
{
    struct error error;
    pid_t pids[3];
    struct fork_server *server = fork_server_start(child, NULL, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    int socket = spawn(server, 1);
    CU_ASSERT_EQUAL(next_event(server).kind, FORK_STARTED);
    read_pids(socket, pids);
    CU_ASSERT(fork_server_kill(server, 99, SIGKILL, &error)); /* nobody: nothing happens */
    CU_ASSERT(fork_server_kill(server, 1, SIGTERM, &error));
    struct fork_event event = next_event(server);
    CU_ASSERT(event.kind == FORK_ENDED && WIFSIGNALED(event.status) && WTERMSIG(event.status) == SIGTERM);
    CU_ASSERT(goes(pids[1]));
    close(socket);
    fork_server_stop(server);
}

static void stopping_ends_all_that_is_left(void)
{
    struct error error;
    pid_t pids[3];
    struct fork_server *server = fork_server_start(child, NULL, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    int socket = spawn(server, 1);
    read_pids(socket, pids);
    fork_server_stop(server);
    CU_ASSERT(goes(pids[0]));
    CU_ASSERT(goes(pids[1]));
    close(socket);
}

/* The program in between is killed by SIGKILL: it cannot tell anybody. */
static void nobody_outlives_a_killed_program(void)
{
    int pair[2];
    CU_ASSERT_EQUAL_FATAL(pipe(pair), 0);
    pid_t program = fork();
    if (program == 0) {
        struct error error;
        pid_t pids[4];
        struct fork_server *server = fork_server_start(child, NULL, &error);
        int socket = spawn(server, 1);
        pids[3] = fork_server_pid(server);
        if (read(socket, pids, 3 * sizeof *pids) > 0 && write(pair[1], pids, sizeof pids) > 0)
            pause();
        _exit(1);
    }
    pid_t pids[4];
    CU_ASSERT_EQUAL_FATAL(read(pair[0], pids, sizeof pids), (ssize_t)sizeof pids);
    kill(program, SIGKILL);
    waitpid(program, NULL, 0);
    CU_ASSERT(goes(pids[3]));
    CU_ASSERT(goes(pids[0]));
    CU_ASSERT(goes(pids[1]));
    close(pair[0]);
    close(pair[1]);
}

static void a_killed_fork_server_is_noticed_and_takes_its_children_along(void)
{
    struct error error;
    struct fork_event event;
    pid_t pids[3];
    struct fork_server *server = fork_server_start(child, NULL, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    int socket = spawn(server, 1);
    CU_ASSERT_EQUAL(next_event(server).kind, FORK_STARTED);
    read_pids(socket, pids);
    kill(fork_server_pid(server), SIGKILL);
    struct pollfd watched = {.fd = fork_server_fd(server), .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&watched, 1, PATIENCE * 1000), 1);
    CU_ASSERT_EQUAL(fork_server_take(server, &event), FORK_GONE);
    CU_ASSERT_FALSE(fork_server_spawn(server, 2, socket, socket, &error));
    CU_ASSERT(goes(pids[0]));
    kill(pids[1], SIGKILL); /* a grandchild is out of everybody's reach then */
    close(socket);
    fork_server_stop(server);
}

UNIT_MAIN("fork server",
          {"a child's start and end are told, and its group goes with it",
           a_childs_start_and_end_are_told_and_its_group_goes_with_it},
          {"a signal reaches the group", a_signal_reaches_the_group},
          {"stopping ends all that is left", stopping_ends_all_that_is_left},
          {"nobody outlives a killed program", nobody_outlives_a_killed_program},
          {"a killed fork server is noticed and takes its children along",
           a_killed_fork_server_is_noticed_and_takes_its_children_along})
