/* What a run does when it is revoked with terminate (DELETE /download, Flower, `celery control terminate`).
 *
 * The worker sends SIGTERM to the task's process (celeryc/worker/pool.h). That would end it wherever it is
 * and leave a multipart upload in S3, which costs money and is seen by nobody until it is swept a week later.
 * So a run notes the signal, comes to its end early, aborts its upload, and only then lets the signal do its
 * work: the worker finds a process that died of what it sent, as it expects. Runs that take more than ten
 * seconds for it are killed.
 *
 * For a process that runs one task at a time, from the thread that runs it. Threads that shall not be
 * interrupted block signals (those of s3/ and celeryc do). */
#ifndef WORKER_TERMINATION_H
#define WORKER_TERMINATION_H

#include <stdbool.h>

/* From now on SIGTERM is noted. What came before is forgotten. */
void termination_catch(void);

/* Whether it has come. Any thread. */
bool termination_came(void);

/* Gives SIGTERM its meaning back; does not return when it has come. */
void termination_obey(void);

#endif
