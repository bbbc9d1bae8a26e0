/* How many threads are worth starting. */
#ifndef PIAA_BASE_PROCESSORS_H
#define PIAA_BASE_PROCESSORS_H

#include "base/portability.h"

/* The processors that this process may use, at least 1: those of its affinity mask (taskset, a
 * container's cpuset), and no more than the cgroups that it is in have time for (a container's
 * --cpus, a batch system's or systemd's CPUQuota), rounded up. */
int piaa_processors(void);

/* The second part by itself: the least quota of the process's cgroups, version 1 and 2, from its
 * own up to the root, in processors; 0: none is set or can be read.  `root` stands before
 * "/proc/self/cgroup", "/proc/self/mountinfo" and the mount points in it: "" but in tests. */
double piaa_processors_quota(const char *root);

#endif
