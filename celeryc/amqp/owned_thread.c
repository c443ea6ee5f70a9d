#include "celeryc/amqp/owned_thread.h"

#include "common/clock.h"
#include "common/condition.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define INTERRUPT_GRACE 0.5 /* seconds for a thread whose connection was interrupted to notice */

bool owned_thread_init(struct owned_thread *thread, struct error *error)
{
    memset(thread, 0, sizeof *thread);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->wake_fd < 0)
        return error_set_errno(error, "eventfd");
    pthread_mutex_init(&thread->mutex, NULL);
    condition_init(&thread->changed);
    return true;
}

static void *thread_main(void *argument)
{
    struct owned_thread *thread = argument;
    thread->run(thread->context);
    pthread_mutex_lock(&thread->mutex);
    thread->ended = true;
    bool alone = thread->left_alone;
    pthread_cond_signal(&thread->changed);
    pthread_mutex_unlock(&thread->mutex);
    if (alone)
        thread->dispose(thread->context);
    return NULL;
}

bool owned_thread_start(struct owned_thread *thread, const char *name, void (*run)(void *),
                        void (*dispose)(void *), void *context, struct error *error)
{
    sigset_t all, before;
    thread->run = run;
    thread->dispose = dispose;
    thread->context = context;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's business */
    int failed = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        errno = failed;
        return error_set_errno(error, "starting the thread %s", name);
    }
    pthread_setname_np(thread->id, name);
    return true;
}

void owned_thread_wake(struct owned_thread *thread)
{
    uint64_t one = 1;
    if (!atomic_exchange(&thread->asleep, false))
        return;
    while (write(thread->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void owned_thread_will_sleep(struct owned_thread *thread)
{
    atomic_store(&thread->asleep, true);
}

void owned_thread_slept(struct owned_thread *thread)
{
    uint64_t count;
    atomic_store(&thread->asleep, false);
    while (read(thread->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

bool owned_thread_is_stopping(const struct owned_thread *thread)
{
    return atomic_load(&thread->stopping);
}

double owned_thread_stop_time(const struct owned_thread *thread)
{
    double left = atomic_load(&thread->stop_by) - clock_monotonic();
    return left > 0 ? left : 0;
}

static bool wait_for_end(struct owned_thread *thread, double until)
{
    pthread_mutex_lock(&thread->mutex);
    while (!thread->ended && condition_wait_until(&thread->changed, &thread->mutex, until))
        continue;
    bool ended = thread->ended;
    pthread_mutex_unlock(&thread->mutex);
    return ended;
}

bool owned_thread_stop(struct owned_thread *thread, double timeout, void (*interrupt)(void *context))
{
    double until = clock_monotonic() + (timeout > 0 ? timeout : 0);
    atomic_store(&thread->stop_by, until);
    atomic_store(&thread->stopping, true);
    atomic_store(&thread->asleep, true); /* whatever it does, the next wait ends at once */
    owned_thread_wake(thread);
    if (!wait_for_end(thread, until)) {
        interrupt(thread->context);
        wait_for_end(thread, clock_monotonic() + INTERRUPT_GRACE);
    }
    pthread_mutex_lock(&thread->mutex);
    pthread_t id = thread->id; /* left alone, it may free `thread` as soon as the mutex is unlocked */
    bool ended = thread->ended;
    thread->left_alone = !ended;
    pthread_mutex_unlock(&thread->mutex);
    if (ended)
        pthread_join(id, NULL);
    else
        pthread_detach(id);
    return ended;
}

void owned_thread_clear(struct owned_thread *thread)
{
    close(thread->wake_fd);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->mutex);
}
