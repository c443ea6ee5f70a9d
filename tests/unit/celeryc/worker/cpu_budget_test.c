#include "celeryc/worker/cpu_budget.h"
#include "tests/unit/unit.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder that stands for the root ---- */

static char root[64];

static void make_root(void)
{
    (void)snprintf(root, sizeof root, "/tmp/cpu-budget-test-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_root(void)
{
    CU_ASSERT_EQUAL(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Writes a file below the root, and makes its folders. */
static void put(const char *name, const char *text)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

#define CGROUP "/proc/self/cgroup"
#define FS "/sys/fs/cgroup"

/* ---- quotas ---- */

static void the_least_quota_on_the_way_to_the_root_counts(void)
{
    make_root();
    put(CGROUP, "0::/pod/container\n");
    put(FS "/pod/container/cpu.max", "max 100000\n");
    put(FS "/pod/cpu.max", "150000 100000\n");
    put(FS "/cpu.max", "400000 100000\n");
    CU_ASSERT_DOUBLE_EQUAL(cpu_quota(root), 1.5, 0);
    put(FS "/pod/container/cpu.max", "50000 100000\n");
    CU_ASSERT_DOUBLE_EQUAL(cpu_quota(root), 0.5, 0);
    remove_root();
}

static void a_container_that_sees_itself_as_the_root_finds_its_quota(void)
{
    const char *const paths[] = {"/", "/../..", "/docker/0123456789abcdef"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char line[PATH_MAX];
        make_root();
        (void)snprintf(line, sizeof line, "0::%s\n", paths[i]);
        put(CGROUP, line);
        put(FS "/cpu.max", "200000 100000\n");
        CU_ASSERT_DOUBLE_EQUAL(cpu_quota(root), 2, 0);
        remove_root();
    }
}

static void version_1_is_read_where_version_2_has_no_quota(void)
{
    make_root();
    put(CGROUP, "5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n");
    put(FS "/cpu,cpuacct/a/cpu.cfs_quota_us", "300000\n");
    put(FS "/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put(FS "/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put(FS "/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    CU_ASSERT_DOUBLE_EQUAL(cpu_quota(root), 3, 0);
    remove_root();
}

static void version_1_is_also_looked_for_where_it_is_usually_mounted(void)
{
    make_root();
    put(CGROUP, "4:cpuacct,cpu:/\n");
    put(FS "/cpu/cpu.cfs_quota_us", "100000\n");
    put(FS "/cpu/cpu.cfs_period_us", "200000\n");
    CU_ASSERT_DOUBLE_EQUAL(cpu_quota(root), 0.5, 0);
    remove_root();
}

static void what_is_no_quota_is_none(void)
{
    const char *const texts[] = {"max 100000\n", "0 100000\n", "-1 100000\n", "100000\n",
                                 "100000 0\n",   "",           "much more\n"};
    make_root();
    CU_ASSERT_DOUBLE_EQUAL(cpu_quota(root), 0, 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(CGROUP, "not a line\n0:\n::\n0::relative\n0::/\n");
        put(FS "/cpu.max", texts[i]);
        CU_ASSERT_DOUBLE_EQUAL(cpu_quota(root), 0, 0);
    }
    remove_root();
}

/* ---- processors ---- */

static void at_least_one_processor_is_used_and_no_more_than_there_are(void)
{
    struct cpu_budget budget = cpu_budget();
    CU_ASSERT_TRUE(budget.count >= 1);
    CU_ASSERT_TRUE(budget.count <= budget.available);
    CU_ASSERT_TRUE(budget.available <= sysconf(_SC_NPROCESSORS_CONF));
}

UNIT_MAIN("cpu budget",
          {"the least quota on the way to the root counts", the_least_quota_on_the_way_to_the_root_counts},
          {"a container that sees itself as the root finds its quota",
           a_container_that_sees_itself_as_the_root_finds_its_quota},
          {"version 1 is read where version 2 has no quota", version_1_is_read_where_version_2_has_no_quota},
          {"version 1 is also looked for where it is usually mounted",
           version_1_is_also_looked_for_where_it_is_usually_mounted},
          {"what is no quota is none", what_is_no_quota_is_none},
          {"at least one processor is used, and no more than there are",
           at_least_one_processor_is_used_and_no_more_than_there_are})
