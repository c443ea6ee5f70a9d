/* A thread that owns a connection: how its owner wakes it and ends it within a bounded time.
 *
 * Ending has three steps: it is told (owned_thread_is_stopping()) and woken; after `timeout` its connection
 * is interrupted; should it still wait in a name look-up or a TLS handshake, it is left alone and ends its
 * own state later. */
#ifndef CELERYC_AMQP_OWNED_THREAD_H
#define CELERYC_AMQP_OWNED_THREAD_H

#include "common/error.h"

#include <pthread.h>
#include <stdatomic.h>

struct owned_thread {
    pthread_t id;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool ended, left_alone; /* under the mutex */
    atomic_bool stopping, asleep;
    _Atomic double stop_by; /* on clock_monotonic(), valid once `stopping` */
    int wake_fd;
    void (*run)(void *context);
    void (*dispose)(void *context); /* called by the thread when it was left alone */
    void *context;
};

/* Two steps, so that `context` may be complete before the thread runs. All signals are blocked in the thread.
 */
bool owned_thread_init(struct owned_thread *thread, struct error *error);
bool owned_thread_start(struct owned_thread *thread, const char *name, void (*run)(void *),
                        void (*dispose)(void *), void *context, struct error *error);

/* For the owner's side, after it has put something where the thread will look. */
void owned_thread_wake(struct owned_thread *thread); /* a system call only when the thread sleeps */
/* For the thread: before it waits it says so, then looks once more whether there is work; after the wait it
 * takes back the wake-ups. */
void owned_thread_will_sleep(struct owned_thread *thread);
void owned_thread_slept(struct owned_thread *thread);

bool owned_thread_is_stopping(const struct owned_thread *thread);
/* Seconds left to stop in an orderly way. */
double owned_thread_stop_time(const struct owned_thread *thread);

/* True: the thread has ended, and the caller disposes of the context. False: the thread will do so. */
bool owned_thread_stop(struct owned_thread *thread, double timeout, void (*interrupt)(void *context));
void owned_thread_clear(struct owned_thread *thread);

#endif
