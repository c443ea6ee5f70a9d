/* merge-files: merges sorted local files to standard output, as the worker merges objects. For tests and
 * benchmarks.
 *
 *     merge-files [--memory 8M] [--memory-limit 256M] [--line-limit 16M] [--from LIST] [FILE...] > merged */
#include "common/setting.h"
#include "merge/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct merge_options options;
static const char *list_path;

static const struct setting settings[] = {
    {.name = "memory",
     .kind = SETTING_SIZE,
     .value = &options.memory,
     .initial = "8M",
     .metavar = "SIZE",
     .help = "For all windows together."},
    {.name = "memory-limit",
     .kind = SETTING_SIZE,
     .value = &options.memory_limit,
     .initial = "256M",
     .metavar = "SIZE",
     .help = "For all windows together, when lines are long."},
    {.name = "line-limit",
     .kind = SETTING_SIZE,
     .value = &options.line_limit,
     .initial = "16M",
     .metavar = "SIZE",
     .help = "The longest line."},
    {.name = "from",
     .kind = SETTING_TEXT,
     .value = &list_path,
     .metavar = "FILE",
     .help = "Names of inputs, one a line, instead of arguments."},
    {0},
};

/* Reads the names of inputs; they live as long as the process does. */
static bool read_list(const char *path, char ***names, size_t *count, struct error *error)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return error_set_errno(error, "%s", path);
    char *line = NULL;
    size_t size = 0;
    for (ssize_t length = getline(&line, &size, file); length > 0; length = getline(&line, &size, file)) {
        line[strcspn(line, "\n")] = '\0';
        char **more = realloc(*names, (*count + 1) * sizeof **names);
        if (more == NULL)
            abort();
        *names = more;
        (*names)[(*count)++] = strdup(line);
    }
    free(line);
    fclose(file);
    return true;
}

static bool merge_names(char **names, size_t count, struct error *error)
{
    struct file_source *files = calloc(count + 1, sizeof *files);
    struct merge_source **sources = calloc(count + 1, sizeof *sources);
    if (files == NULL || sources == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        file_source_init(&files[i], names[i]);
        sources[i] = &files[i].source;
    }
    options.storage = file_storage_new(NULL, error);
    struct file_sink sink;
    file_sink_init(&sink, STDOUT_FILENO, "standard output");
    bool ok = options.storage != NULL && merge_run(sources, count, &sink.sink, &options, NULL, error);
    for (size_t i = 0; i < count; i++)
        file_source_clear(&files[i]);
    file_storage_free(options.storage);
    free(files);
    free(sources);
    return ok;
}

/* Thousands of files are open at once. */
static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    allow_many_files();
    struct error error = {0};
    int positional = 0;
    bool ok = setting_read(settings, argc, argv, &positional, &error);
    char **names = NULL;
    size_t count = 0;
    if (ok && list_path != NULL)
        ok = read_list(list_path, &names, &count, &error) && merge_names(names, count, &error);
    else if (ok)
        ok = merge_names(argv + 1, (size_t)positional, &error);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    if (!ok)
        fprintf(stderr, "merge-files: %s: %s\n", error_code_name(error.code), error.message);
    return ok ? 0 : 1;
}
