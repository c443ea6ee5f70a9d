/* The task merge_s3_files(start_date, end_date): merges the log files of a range of dates into one object.
 *
 * Reads the objects YYYY-MM-DD_N of the source bucket between both dates, inclusive; writes the object <task
 * id> of the merged bucket. Its result is
 *
 *     {"bucket", "key", "bytes", "lines", "files_total", "files_ignored", "start_date", "end_date",
 * "seconds"}
 *
 * and while it runs the state PROGRESS tells how far it is (progress.h). It fails as failures.h lists. The
 * same task run twice writes the same object; a run that does not end leaves nothing but an unfinished
 * upload, which the next run of the same task aborts. Memory: see docs/design-merge.md. */
#ifndef WORKER_MERGE_S3_FILES_H
#define WORKER_MERGE_S3_FILES_H

#include "celeryc/include/celeryc/task.h"

celery_task_function merge_s3_files;

/* The names of its parameters, for `inspect registered`. */
extern const char *const merge_s3_files_parameters[];

#endif
