#include "celeryc/worker/cpu_budget.h"

#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one control group ---- */

/* The first line of a file, without its end. False: there is no such file, or it is empty. */
static bool read_line(const char *folder, const char *name, char *line, size_t size)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool read = fgets(line, (int)size, file) != NULL;
    fclose(file);
    line[read ? strcspn(line, "\n") : 0] = '\0';
    return read;
}

/* "max" (version 2) and -1 (version 1) are no quota. */
static double quota_of(const char *quota, const char *period)
{
    double microseconds = strtod(quota, NULL), of = strtod(period, NULL);
    return microseconds > 0 && of > 0 ? microseconds / of : 0;
}

static double read_version_2(const char *folder)
{
    char line[128], quota[64], period[64];
    if (!read_line(folder, "cpu.max", line, sizeof line) || sscanf(line, "%63s %63s", quota, period) != 2)
        return 0;
    return quota_of(quota, period);
}

static double read_version_1(const char *folder)
{
    char quota[64], period[64];
    if (!read_line(folder, "cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_line(folder, "cpu.cfs_period_us", period, sizeof period))
        return 0;
    return quota_of(quota, period);
}

/* The least quota of `group` ("/a/b") and of all above it, below the folder `base`/`mount`; 0: none. */
static double least_quota(const char *base, const char *mount, const char *group,
                          double (*read)(const char *folder))
{
    char folder[PATH_MAX];
    double least = 0;
    if ((size_t)snprintf(folder, sizeof folder, "%s%s%s", base, mount, group) >= sizeof folder)
        return 0;
    size_t root = strlen(base) + strlen(mount);
    while (true) {
        double quota = read(folder);
        if (quota > 0 && (least <= 0 || quota < least))
            least = quota;
        if (strlen(folder) <= root)
            return least;
        *strrchr(folder + root, '/') = '\0';
    }
}

/* ---- which control group ---- */

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (*list != '\0') {
        size_t here = strcspn(list, ",");
        if (here == length && strncmp(list, word, length) == 0)
            return true;
        list += here + (list[here] == ',');
    }
    return false;
}

/* This process's control groups, a line each: "<number>:<controllers>:/<path>". Version 2 has number 0 and no
 * controllers. */
struct groups {
    char version_2[PATH_MAX], version_1[PATH_MAX]; /* paths; empty: there is none */
    char mount[128];                               /* where version 1's is mounted: "/cpu,cpuacct" */
};

static void read_group(struct groups *groups, char *line)
{
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL || path[1] != '/')
        return;
    *controllers++ = '\0';
    *path++ = '\0';
    if (strstr(path, "/..") != NULL) /* outside what a container sees */
        path = "/";
    if (strcmp(line, "0") == 0 && *controllers == '\0')
        (void)snprintf(groups->version_2, sizeof groups->version_2, "%s", path);
    else if (has_word(controllers, "cpu") && strlen(controllers) < sizeof groups->mount - 1) {
        (void)snprintf(groups->version_1, sizeof groups->version_1, "%s", path);
        (void)snprintf(groups->mount, sizeof groups->mount, "/%s", controllers);
    }
}

static void read_groups(struct groups *groups, const char *root)
{
    char path[PATH_MAX], line[PATH_MAX];
    *groups = (struct groups){.mount = "/cpu"};
    if ((size_t)snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= sizeof path)
        return;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_group(groups, line);
    }
    fclose(file);
}

/* ---- the sum of it ---- */

double cpu_quota(const char *root)
{
    struct groups groups;
    char base[PATH_MAX];
    if ((size_t)snprintf(base, sizeof base, "%s/sys/fs/cgroup", root) >= sizeof base)
        return 0;
    read_groups(&groups, root);
    double quota = least_quota(base, "", groups.version_2, read_version_2);
    if (quota <= 0)
        quota = least_quota(base, groups.mount, groups.version_1, read_version_1);
    if (quota <= 0)
        quota = least_quota(base, "/cpu", groups.version_1, read_version_1);
    return quota;
}

struct cpu_budget cpu_budget(void)
{
    cpu_set_t cpus;
    struct cpu_budget budget = {.quota = cpu_quota("")};
    budget.available =
        sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : sysconf(_SC_NPROCESSORS_ONLN);
    if (budget.available < 1)
        budget.available = 1;
    budget.count = budget.available;
    if (budget.quota > 0 && budget.quota < (double)budget.available)
        budget.count = (long)ceil(budget.quota);
    return budget;
}
