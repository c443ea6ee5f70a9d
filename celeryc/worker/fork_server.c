#include "celeryc/worker/fork_server.h"

#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fork_server {
    int socket;
    pid_t pid;
};

struct wish { /* what the program asks for */
    uint32_t id;
    int signal; /* 0: fork this child; else signal it */
};

/* The server's own state, in its process. */
struct nursery {
    fork_server_main *main;
    const void *context;
    int socket; /* to the program */
    int signals;
    struct newborn {
        uint32_t id;
        pid_t pid;
    } * children;
    size_t count, capacity;
};

/* ---- in the fork server's process ---- */

static void become_child(const struct nursery *nursery, pid_t parent, int socket, int page)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it died before the line above took effect */
    close(nursery->socket);
    close(nursery->signals);
    for (int number = 1; number < NSIG; number++)
        signal(number, number == SIGPIPE ? SIG_IGN : SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    exit(nursery->main(nursery->context, socket, page));
}

/* False: the program is gone. It reads without ever waiting for us, so waiting for it cannot deadlock. */
static bool tell(const struct nursery *nursery, const struct fork_event *event)
{
    for (;;) {
        ssize_t sent = send(nursery->socket, event, sizeof *event, MSG_NOSIGNAL);
        if (sent >= 0)
            return true;
        if (errno != EINTR)
            return false;
    }
}

static bool remember(struct nursery *nursery, uint32_t id, pid_t pid)
{
    nursery->children[nursery->count++] = (struct newborn){.id = id, .pid = pid};
    return tell(nursery, &(struct fork_event){.kind = FORK_STARTED, .id = id, .pid = pid});
}

static bool give_birth(struct nursery *nursery, uint32_t id, int socket, int page)
{
    struct fork_event failed = {.kind = FORK_FAILED, .id = id};
    if (nursery->count == nursery->capacity) {
        size_t capacity = nursery->capacity * 2 + 16;
        struct newborn *children = realloc(nursery->children, capacity * sizeof *children);
        if (children == NULL) {
            failed.status = ENOMEM;
            return tell(nursery, &failed);
        }
        nursery->children = children;
        nursery->capacity = capacity;
    }
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_child(nursery, self, socket, page);
    if (pid < 0) {
        failed.status = errno;
        return tell(nursery, &failed);
    }
    setpgid(pid, pid); /* here too: whoever learns the pid may signal the group at once */
    return remember(nursery, id, pid);
}

/* Takes the descriptors out of a message; others than the two are closed. */
static size_t received_descriptors(struct msghdr *message, int descriptors[2])
{
    size_t count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
            if (count < 2)
                descriptors[count++] = descriptor;
            else
                close(descriptor);
        }
    }
    return count;
}

static void signal_child(const struct nursery *nursery, const struct wish *wish)
{
    for (size_t i = 0; i < nursery->count; i++) {
        if (nursery->children[i].id == wish->id)
            kill(-nursery->children[i].pid, wish->signal);
    }
}

/* False: the program is gone. */
static bool serve_wish(struct nursery *nursery)
{
    struct wish wish;
    union {
        char buffer[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec vector = {.iov_base = &wish, .iov_len = sizeof wish};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.buffer,
                             .msg_controllen = sizeof control.buffer};
    ssize_t size = recvmsg(nursery->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    if (size == 0)
        return false;
    int descriptors[2] = {-1, -1};
    size_t count = received_descriptors(&message, descriptors);
    bool alive = true;
    if (size == sizeof wish && wish.signal != 0)
        signal_child(nursery, &wish);
    else if (size == sizeof wish && count == 2)
        alive = give_birth(nursery, wish.id, descriptors[0], descriptors[1]);
    for (size_t i = 0; i < count; i++)
        close(descriptors[i]);
    return alive;
}

static size_t find_child(const struct nursery *nursery, pid_t pid)
{
    size_t index = 0;
    while (index < nursery->count && nursery->children[index].pid != pid)
        index++;
    return index;
}

/* Looks before it reaps: as long as the zombie is there, its pid, and with it its group's number, is nobody
 * else's. What is no child of ours was one's child, left to us (we are a subreaper), and is only reaped. */
static bool bury_one(struct nursery *nursery, bool *more)
{
    siginfo_t info = {0};
    *more = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
    if (!*more)
        return true;
    pid_t pid = info.si_pid;
    size_t index = find_child(nursery, pid);
    if (index < nursery->count)
        kill(-pid, SIGKILL);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || index == nursery->count)
        return true;
    struct fork_event event = {
        .kind = FORK_ENDED, .id = nursery->children[index].id, .pid = pid, .status = status};
    nursery->children[index] = nursery->children[--nursery->count];
    return tell(nursery, &event);
}

static bool bury(struct nursery *nursery)
{
    struct signalfd_siginfo info;
    while (read(nursery->signals, &info, sizeof info) > 0)
        continue;
    bool more = true;
    while (more) {
        if (!bury_one(nursery, &more))
            return false;
    }
    return true;
}

static void end_all(struct nursery *nursery)
{
    for (size_t i = 0; i < nursery->count; i++)
        kill(-nursery->children[i].pid, SIGKILL);
    for (size_t i = 0; i < nursery->count; i++)
        waitpid(nursery->children[i].pid, NULL, 0);
    free(nursery->children);
}

/* SIGCHLD and SIGTERM come through a descriptor. SIGTERM is also what the kernel sends when the program's
 * main thread ends; it means nothing by itself, the end of the socket does. */
static int open_signals(void)
{
    signal(SIGINT, SIG_IGN); /* a terminal sends these to the whole foreground group; the program decides */
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int serve(struct nursery *nursery, pid_t program)
{
    nursery->signals = open_signals();
    if (nursery->signals < 0)
        return 1;
    prctl(PR_SET_NAME, "celery-forks");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct pollfd watched[2] = {{.fd = nursery->socket, .events = POLLIN},
                                {.fd = nursery->signals, .events = POLLIN}};
    bool alive = getppid() == program;
    while (alive) {
        if (poll(watched, 2, -1) < 0)
            continue;
        if (watched[1].revents != 0)
            alive = bury(nursery);
        if (alive && watched[0].revents != 0)
            alive = serve_wish(nursery);
    }
    end_all(nursery);
    close(nursery->signals);
    close(nursery->socket);
    return 0;
}

/* ---- in the program ---- */

struct fork_server *fork_server_start(fork_server_main *main, const void *context, struct error *error)
{
    struct fork_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the fork server");
        return NULL;
    }
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        error_set_errno(error, "cannot make a socket pair for the fork server");
        free(server);
        return NULL;
    }
    fflush(NULL); /* what is buffered would be written by every child again */
    pid_t program = getpid();
    server->pid = fork();
    if (server->pid == 0) {
        free(server);
        close(pair[0]);
        struct nursery nursery = {.main = main, .context = context, .socket = pair[1]};
        exit(serve(&nursery, program));
    }
    close(pair[1]);
    if (server->pid < 0) {
        error_set_errno(error, "cannot fork the fork server");
        close(pair[0]);
        free(server);
        return NULL;
    }
    server->socket = pair[0];
    return server;
}

int fork_server_fd(const struct fork_server *server)
{
    return server->socket;
}

pid_t fork_server_pid(const struct fork_server *server)
{
    return server->pid;
}

static bool send_wish(struct fork_server *server, struct msghdr *message, struct error *error)
{
    if (sendmsg(server->socket, message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(struct wish))
        return true;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS)
        return error_set(error, ERROR_UNAVAILABLE, "the fork server is busy");
    return error_set_errno(error, "the fork server (pid %d) is gone", (int)server->pid);
}

bool fork_server_spawn(struct fork_server *server, uint32_t id, int socket, int page, struct error *error)
{
    struct wish wish = {.id = id};
    int descriptors[2] = {socket, page};
    union {
        char buffer[CMSG_SPACE(sizeof descriptors)];
        struct cmsghdr align;
    } control = {0};
    struct iovec vector = {.iov_base = &wish, .iov_len = sizeof wish};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.buffer,
                             .msg_controllen = sizeof control.buffer};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(part), descriptors, sizeof descriptors);
    return send_wish(server, &message, error);
}

bool fork_server_kill(struct fork_server *server, uint32_t id, int signal, struct error *error)
{
    struct wish wish = {.id = id, .signal = signal};
    struct iovec vector = {.iov_base = &wish, .iov_len = sizeof wish};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return send_wish(server, &message, error);
}

enum fork_take fork_server_take(struct fork_server *server, struct fork_event *event)
{
    ssize_t size = recv(server->socket, event, sizeof *event, MSG_DONTWAIT);
    if (size == (ssize_t)sizeof *event)
        return FORK_TAKEN;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return FORK_NOTHING;
    return FORK_GONE;
}

void fork_server_stop(struct fork_server *server)
{
    if (server == NULL)
        return;
    close(server->socket);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(server);
}
