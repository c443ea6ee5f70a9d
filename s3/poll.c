#include "s3/poll.h"

#include "common/clock.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LONGEST_SLEEP 60.0 /* seconds; nothing is due then, but clocks are clocks */

/* ---- what curl tells ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    (void)easy;
    struct s3_poll *poll = user;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(poll->epoll, EPOLL_CTL_DEL, fd, NULL);
        (void)curl_multi_assign(poll->multi, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    int done = epoll_ctl(poll->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    if (done != 0 && errno == EEXIST)
        done = epoll_ctl(poll->epoll, EPOLL_CTL_MOD, fd, &event);
    (void)curl_multi_assign(poll->multi, fd, poll);
    return done == 0 ? 0 : -1;
}

static int on_timer(CURLM *multi, long milliseconds, void *user)
{
    (void)multi;
    struct s3_poll *poll = user;
    poll->curl_due = milliseconds < 0 ? -1 : clock_monotonic() + (double)milliseconds / 1000;
    return 0;
}

static void drain_wake(struct s3_poll *poll)
{
    uint64_t count;
    ssize_t got = read(poll->wake, &count, sizeof count);
    (void)got;
}

static void act(struct s3_poll *poll, const struct epoll_event *event)
{
    int running, mask = 0;
    if (event->data.fd == poll->wake) {
        drain_wake(poll);
        return;
    }
    if (event->events & EPOLLIN)
        mask |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP))
        mask |= CURL_CSELECT_ERR;
    (void)curl_multi_socket_action(poll->multi, event->data.fd, mask, &running);
}

static int sleep_time(const struct s3_poll *poll, double earliest)
{
    double until = poll->curl_due >= 0 ? fmin(earliest, poll->curl_due) : earliest;
    double seconds = fmin(until - clock_monotonic(), LONGEST_SLEEP);
    return seconds <= 0 ? 0 : (int)ceil(seconds * 1000);
}

void s3_poll_run(struct s3_poll *poll, double until)
{
    struct epoll_event events[64];
    int running, count = epoll_wait(poll->epoll, events, 64, sleep_time(poll, until));
    for (int i = 0; i < count; i++)
        act(poll, &events[i]);
    if (poll->curl_due >= 0 && poll->curl_due <= clock_monotonic()) {
        poll->curl_due = -1;
        (void)curl_multi_socket_action(poll->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

void s3_poll_wake(struct s3_poll *poll)
{
    uint64_t one = 1;
    ssize_t written = write(poll->wake, &one, sizeof one);
    (void)written; /* fails only when the counter is full, and then it wakes too */
}

/* ---- life ---- */

static void set_multi(struct s3_poll *poll, unsigned connections)
{
    (void)curl_multi_setopt(poll->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(poll->multi, CURLMOPT_SOCKETDATA, poll);
    (void)curl_multi_setopt(poll->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(poll->multi, CURLMOPT_TIMERDATA, poll);
    (void)curl_multi_setopt(poll->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    (void)curl_multi_setopt(poll->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

static bool make(struct s3_poll *poll, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN};
    poll->epoll = epoll_create1(EPOLL_CLOEXEC);
    poll->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = poll->wake;
    if (poll->epoll < 0 || poll->wake < 0 || epoll_ctl(poll->epoll, EPOLL_CTL_ADD, poll->wake, &event) != 0)
        return error_set_errno(error, "epoll for S3");
    poll->multi = curl_multi_init();
    return poll->multi != NULL || error_set(error, ERROR_MEMORY, "no memory for curl");
}

bool s3_poll_init(struct s3_poll *poll, unsigned connections, struct error *error)
{
    *poll = (struct s3_poll){.curl_due = -1};
    if (!make(poll, error)) {
        s3_poll_clear(poll);
        return false;
    }
    set_multi(poll, connections);
    return true;
}

void s3_poll_clear(struct s3_poll *poll)
{
    if (poll->multi != NULL)
        (void)curl_multi_cleanup(poll->multi);
    if (poll->epoll >= 0)
        (void)close(poll->epoll);
    if (poll->wake >= 0)
        (void)close(poll->wake);
}
