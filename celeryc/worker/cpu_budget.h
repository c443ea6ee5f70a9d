/* How many processors this process may use: those of its affinity mask, and no more than the CPU quota of its
 * control group, which a container is limited by. `--concurrency auto` means as many children. Pure but for
 * reading /proc and /sys; any thread. Source: celery/utils/sysinfo.py cpu_budget. */
#ifndef CELERYC_WORKER_CPU_BUDGET_H
#define CELERYC_WORKER_CPU_BUDGET_H

#include <stddef.h>

struct cpu_budget {
    long count;     /* the processors to use: at least 1, at most `available` */
    long available; /* those of the affinity mask */
    double quota;   /* the control group's, in processors; 0: it has none */
};

struct cpu_budget cpu_budget(void);

/* The least quota of the control group that <root>/proc/self/cgroup names and of all above it, in processors;
 * 0: there is none. Version 2 of control groups first, then version 1. `root` is "" but in tests. */
double cpu_quota(const char *root);

#endif
