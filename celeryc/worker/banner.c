#include "celeryc/worker/banner.h"

#include "common/clock.h"
#include "common/url.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

void banner_redact(const char *urls, char *buffer, size_t size)
{
    char first[1024];
    struct url url;
    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(urls, ";"), urls);
    if (url_parse(first, &url, NULL))
        url_redact(&url, buffer, size);
    else
        (void)snprintf(buffer, size, "?");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_tasks(const struct celery_task_type *tasks, FILE *to)
{
    size_t count = 0;
    while (tasks != NULL && tasks[count].name != NULL)
        count++;
    const char **names = calloc(count + 1, sizeof *names);
    if (names == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        names[i] = tasks[i].name;
    qsort(names, count, sizeof *names, compare_names);
    fprintf(to, "\n[tasks]\n");
    for (size_t i = 0; i < count; i++)
        fprintf(to, "  . %s\n", names[i]);
    free(names);
}

void banner_print(const struct worker_options *options, const struct celery_worker_program *program, FILE *to)
{
    char broker[1024], results[1024] = "disabled://", now[CLOCK_ISO_SIZE];
    struct utsname system;
    banner_redact(options->broker, broker, sizeof broker);
    if (options->result_backend != NULL && options->result_backend[0] != '\0')
        banner_redact(options->result_backend, results, sizeof results);
    clock_iso8601((double)(long)clock_wall(), now);
    if (uname(&system) != 0)
        memset(&system, 0, sizeof system);
    fprintf(to, "\n%s v%s\n\n%s-%s-%s %s\n\n[config]\n", options->hostname,
            program->version ? program->version : "0", system.sysname, system.release, system.machine, now);
    fprintf(to, ".> app:         %s\n.> transport:   %s\n.> results:     %s\n", program->app, broker,
            results);
    if (options->autoscale_most > 0)
        fprintf(to, ".> concurrency: {min=%ld, max=%ld} (prefork)\n", options->autoscale_least,
                options->autoscale_most);
    else
        fprintf(to, ".> concurrency: %ld (prefork)\n", options->concurrency);
    fprintf(to, ".> task events: %s\n\n[queues]\n",
            options->task_events ? "ON" : "OFF (enable -E to monitor tasks in this worker)");
    for (size_t i = 0; i < options->queue_count; i++)
        fprintf(to, ".> %-16s exchange=%s(direct) key=%s\n", options->queues[i], options->queues[i],
                options->queues[i]);
    if (options->level <= LOG_INFO)
        print_tasks(program->tasks, to);
    fputc('\n', to);
    fflush(to);
}
