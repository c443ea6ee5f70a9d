#include "s3/loop.h"

#include "common/clock.h"
#include "s3/client_state.h"
#include "s3/outcome.h"
#include "s3/request.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum command {
    COMMAND_SUBMIT = 1,
    COMMAND_RESUME = 2,
    COMMAND_HURRY = 4,
    COMMAND_CANCEL = 8,
};

/* ---- commands: how other threads speak to this one ---- */

static void command(struct s3_loop *loop, struct s3_request *request, unsigned what)
{
    (void)pthread_mutex_lock(&loop->mutex);
    if (what == COMMAND_SUBMIT)
        request->active = true;
    bool queued = request->commands != 0;
    if (request->active)
        request->commands |= what;
    if (request->active && !queued) {
        request->command_next = NULL;
        request->command_previous = loop->command_last;
        if (loop->command_last == NULL)
            loop->command_first = request;
        else
            loop->command_last->command_next = request;
        loop->command_last = request;
    }
    bool first = loop->command_first == request && !queued;
    (void)pthread_mutex_unlock(&loop->mutex);
    if (first) /* else the thread has been woken already, and not taken that command yet */
        s3_poll_wake(&loop->poll);
}

/* Under the lock. */
static void drop_commands(struct s3_loop *loop, struct s3_request *request)
{
    if (request->commands == 0)
        return;
    if (request->command_previous == NULL)
        loop->command_first = request->command_next;
    else
        request->command_previous->command_next = request->command_next;
    if (request->command_next == NULL)
        loop->command_last = request->command_previous;
    else
        request->command_next->command_previous = request->command_previous;
    request->commands = 0;
}

void s3_loop_submit(struct s3_loop *loop, struct s3_request *request)
{
    request->error = (struct error){0};
    request->attempts = 0;
    request->clock_fixed = request->region_fixed = false;
    request->response.body.limit = request->answer_limit;
    command(loop, request, COMMAND_SUBMIT);
}

void s3_loop_resume(struct s3_loop *loop, struct s3_request *request)
{
    command(loop, request, COMMAND_RESUME);
}

void s3_loop_hurry(struct s3_loop *loop, struct s3_request *request)
{
    command(loop, request, COMMAND_HURRY);
}

void s3_loop_cancel(struct s3_loop *loop, struct s3_request *request)
{
    command(loop, request, COMMAND_CANCEL);
}

double s3_loop_clock(struct s3_loop *loop)
{
    (void)pthread_mutex_lock(&loop->mutex);
    double offset = loop->clock_offset;
    (void)pthread_mutex_unlock(&loop->mutex);
    return clock_wall() + offset;
}

/* ---- the states of a request ---- */

static struct s3_group *group_of(struct s3_loop *loop, struct s3_request *request)
{
    return request->group == NULL ? &loop->own : request->group;
}

static void insert(struct s3_request **first, struct s3_request *request)
{
    request->previous = NULL;
    request->next = *first;
    if (*first != NULL)
        (*first)->previous = request;
    *first = request;
}

static void take_out(struct s3_request **first, struct s3_request **last, struct s3_request *request)
{
    if (request->previous == NULL)
        *first = request->next;
    else
        request->previous->next = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    else if (last != NULL)
        *last = request->previous;
    request->previous = request->next = NULL;
}

static void list_group(struct s3_loop *loop, struct s3_group *group)
{
    if (group->listed)
        return;
    group->listed = true;
    group->next = loop->groups;
    loop->groups = group;
}

static void unlist_group(struct s3_loop *loop, struct s3_group *group)
{
    struct s3_group **link = &loop->groups;
    while (*link != NULL && *link != group)
        link = &(*link)->next;
    if (*link == group)
        *link = group->next;
    group->listed = false;
}

static void line_up(struct s3_loop *loop, struct s3_request *request, bool front)
{
    struct s3_group *group = group_of(loop, request);
    request->state = S3_REQUEST_PENDING;
    if (front || group->first == NULL) {
        insert(&group->first, request);
        if (group->last == NULL)
            group->last = request;
    } else {
        request->next = NULL;
        request->previous = group->last;
        group->last->next = request;
        group->last = request;
    }
    list_group(loop, group);
}

/* Takes the request out of whatever it is in. */
static void leave_state(struct s3_loop *loop, struct s3_request *request)
{
    struct s3_group *group = group_of(loop, request);
    switch (request->state) {
    case S3_REQUEST_PENDING:
        take_out(&group->first, &group->last, request);
        if (group->first == NULL)
            unlist_group(loop, group);
        break;
    case S3_REQUEST_RUNNING:
        take_out(&loop->running_first, NULL, request);
        if (request->transfer.easy != NULL)
            (void)curl_multi_remove_handle(loop->poll.multi, request->transfer.easy);
        s3_transfer_end(request);
        group->running--;
        break;
    case S3_REQUEST_WAITING:
        take_out(&loop->waiting_first, NULL, request);
        break;
    case S3_REQUEST_IDLE:
        break;
    }
    request->state = S3_REQUEST_IDLE;
}

static void finish(struct s3_loop *loop, struct s3_request *request, const struct error *error)
{
    leave_state(loop, request);
    request->error = error == NULL ? (struct error){0} : *error;
    (void)pthread_mutex_lock(&loop->mutex);
    drop_commands(loop, request);
    request->active = false;
    (void)pthread_mutex_unlock(&loop->mutex);
    request->finished(request);
}

static void wait_for(struct s3_loop *loop, struct s3_request *request, double seconds)
{
    leave_state(loop, request);
    request->state = S3_REQUEST_WAITING;
    request->due = clock_monotonic() + seconds;
    insert(&loop->waiting_first, request);
}

static void start(struct s3_loop *loop, struct s3_request *request)
{
    struct error error = {0};
    leave_state(loop, request);
    request->state = S3_REQUEST_RUNNING;
    insert(&loop->running_first, request);
    group_of(loop, request)->running++;
    bool started = s3_transfer_start(loop->client, request, &error);
    if (started && curl_multi_add_handle(loop->poll.multi, request->transfer.easy) != CURLM_OK)
        started = error_set(&error, ERROR_MEMORY, "curl takes no further transfer");
    if (!started) {
        request->error = error;
        request->unstarted = true;
        loop->unstarted++;
        return;
    }
    (void)pthread_mutex_lock(&loop->mutex);
    loop->requests++;
    if (request->attempts > 0)
        loop->retries++;
    (void)pthread_mutex_unlock(&loop->mutex);
}

/* Not within start(): a group may be gone as soon as its last request is finished. */
static void finish_unstarted(struct s3_loop *loop)
{
    while (loop->unstarted > 0) {
        struct s3_request *request = loop->running_first;
        while (!request->unstarted)
            request = request->next;
        request->unstarted = false;
        loop->unstarted--;
        struct error error = request->error;
        finish(loop, request, error.code == ERROR_NONE ? NULL : &error);
    }
}

static void start_pending(struct s3_loop *loop)
{
    struct s3_group *next;
    for (struct s3_group *group = loop->groups; group != NULL; group = next) {
        next = group->next; /* this group leaves the list when its last one starts */
        while (group->first != NULL && group->running < group->limit)
            start(loop, group->first);
    }
    finish_unstarted(loop);
}

static double start_due(struct s3_loop *loop)
{
    double now = clock_monotonic(), earliest = INFINITY;
    struct s3_request *next;
    for (struct s3_request *request = loop->waiting_first; request != NULL; request = next) {
        next = request->next;
        if (request->due <= now) {
            leave_state(loop, request);
            line_up(loop, request, true);
        } else {
            earliest = fmin(earliest, request->due);
        }
    }
    return earliest;
}

/* ---- the end of an attempt ---- */

static void settle(struct s3_loop *loop, struct s3_request *request, CURLcode result)
{
    struct s3_outcome outcome;
    s3_outcome_read(loop->client, request, result, &outcome);
    switch (outcome.action) {
    case S3_OUTCOME_DONE:
        finish(loop, request, NULL);
        return;
    case S3_OUTCOME_AGAIN:
        wait_for(loop, request, outcome.wait);
        return;
    case S3_OUTCOME_FAILED:
        finish(loop, request, &outcome.error);
        return;
    }
}

static void settle_all(struct s3_loop *loop)
{
    int left;
    for (;;) {
        CURLMsg *message = curl_multi_info_read(loop->poll.multi, &left);
        if (message == NULL)
            return;
        if (message->msg != CURLMSG_DONE)
            continue;
        char *private = NULL;
        CURLcode result = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        settle(loop, (struct s3_request *)(void *)private, result);
    }
}

/* ---- obeying commands ---- */

static void obey(struct s3_loop *loop, struct s3_request *request, unsigned commands)
{
    if (commands & COMMAND_CANCEL) {
        struct error error;
        (void)error_set(&error, ERROR_CANCELLED, "cancelled");
        finish(loop, request, &error);
        return;
    }
    if (commands & COMMAND_SUBMIT)
        line_up(loop, request, (commands & COMMAND_HURRY) != 0);
    else if ((commands & COMMAND_HURRY) && request->state == S3_REQUEST_PENDING) {
        leave_state(loop, request);
        line_up(loop, request, true);
    }
    if ((commands & COMMAND_RESUME) && request->state == S3_REQUEST_RUNNING)
        (void)curl_easy_pause(request->transfer.easy, CURLPAUSE_CONT);
}

static bool obey_all(struct s3_loop *loop)
{
    for (;;) {
        (void)pthread_mutex_lock(&loop->mutex);
        struct s3_request *request = loop->command_first;
        unsigned commands = request == NULL ? 0 : request->commands;
        if (request != NULL)
            drop_commands(loop, request);
        bool stopping = loop->stopping;
        (void)pthread_mutex_unlock(&loop->mutex);
        if (request == NULL)
            return !stopping;
        obey(loop, request, commands);
    }
}

/* ---- life ---- */

static void *run(void *user)
{
    struct s3_loop *loop = user;
    while (obey_all(loop)) {
        double earliest = start_due(loop);
        start_pending(loop);
        s3_poll_run(&loop->poll, earliest);
        settle_all(loop);
    }
    return NULL;
}

static bool start_thread(struct s3_loop *loop, struct error *error)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the threads that the program made */
    int failure = pthread_create(&loop->thread, NULL, run, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    return failure == 0 || error_set_errno(error, "a thread for S3");
}

static void release(struct s3_loop *loop)
{
    s3_poll_clear(&loop->poll);
    (void)pthread_mutex_destroy(&loop->mutex);
}

bool s3_loop_start(struct s3_loop *loop, struct s3_client *client, unsigned connections, struct error *error)
{
    *loop = (struct s3_loop){.client = client,
                             .own.limit = connections,
                             .seed = (unsigned)(clock_wall() * 1000) ^ (unsigned)getpid()};
    if (!s3_poll_init(&loop->poll, 2 * connections, error))
        return false;
    (void)pthread_mutex_init(&loop->mutex, NULL);
    if (start_thread(loop, error))
        return true;
    release(loop);
    return false;
}

void s3_loop_stop(struct s3_loop *loop)
{
    (void)pthread_mutex_lock(&loop->mutex);
    loop->stopping = true;
    (void)pthread_mutex_unlock(&loop->mutex);
    s3_poll_wake(&loop->poll);
    (void)pthread_join(loop->thread, NULL);
    release(loop);
}
