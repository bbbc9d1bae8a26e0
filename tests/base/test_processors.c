/* Processors: quotas as the kernel's documents spell them, in trees made here. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_setaffinity */
#include <sched.h>
#endif

#include "support.h"

#include "base/processors.h"

static char *root;

static void put(const char *path, const char *text) {
    char folder[256];
    snprintf(folder, sizeof folder, "%s/%s", root, path);
    for (char *slash = folder + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(folder, 0777);
        *slash = '/';
    }
    support_write(root, path, text, strlen(text));
}

static void begin(const char *groups, const char *mounts) {
    root = support_folder();
    put("proc/self/cgroup", groups);
    put("proc/self/mountinfo", mounts);
}

static void expect(double quota) {
    const double found = piaa_processors_quota(root);
    if (found != quota) fail_msg("%g processors instead of %g", found, quota);
    support_remove(root);
}

static const char two_mounted[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static void version_two(void **state) {
    PIAA_UNUSED(state);
    begin("0::/user.slice/job\n", two_mounted);
    put("sys/fs/cgroup/user.slice/job/cpu.max", "150000 100000\n");
    expect(1.5);

    begin("0::/user.slice/job\n", two_mounted);
    put("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    expect(0);

    begin("0::/user.slice/job\n", two_mounted); /* the slice's quota holds for the job as well */
    put("sys/fs/cgroup/user.slice/job/cpu.max", "400000 100000\n");
    put("sys/fs/cgroup/user.slice/cpu.max", "20000 10000\n");
    expect(2);

    begin("0::/\n", two_mounted); /* a container with a namespace of its own */
    put("sys/fs/cgroup/cpu.max", "300000 100000\n");
    expect(3);

    begin("0::/../outside\n", two_mounted); /* above the namespace: what can be seen has to do */
    put("sys/fs/cgroup/cpu.max", "300000 100000\n");
    expect(3);
}

static const char one_mounted[] =
    "30 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 25 0:28 /docker/c1 /sys/fs/cg\\040roup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 25 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n";

static void version_one(void **state) {
    PIAA_UNUSED(state);
    static const char groups[] = "9:memory:/docker/c1\n4:cpuset:/x\n3:cpu,cpuacct:/docker/c1/in\n"
                                 "1:name=systemd:/docker/c1\n";
    begin(groups, one_mounted);
    put("sys/fs/cg roup/cpu,cpuacct/in/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cg roup/cpu,cpuacct/in/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cg roup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
    put("sys/fs/cg roup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    expect(2.5);

    begin(groups, one_mounted);
    put("sys/fs/cg roup/cpu,cpuacct/in/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cg roup/cpu,cpuacct/in/cpu.cfs_period_us", "100000\n");
    expect(0);
}

static void nonsense_is_no_quota(void **state) {
    PIAA_UNUSED(state);
    begin("0::/a\n:\n::\n7\n\n", "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n1 2\n - \n");
    put("sys/fs/cgroup/a/cpu.max", "\n");
    put("sys/fs/cgroup/cpu.max", "0 100000\n");
    expect(0);
    root = support_folder(); /* no /proc at all */
    expect(0);
}

static void at_least_one(void **state) {
    PIAA_UNUSED(state);
    assert_in_range(piaa_processors(), 1, 1 << 16);
}

/* What taskset, a batch system or a container does. */
static void follows_the_affinity_mask(void **state) {
    PIAA_UNUSED(state);
#if defined(__linux__)
    cpu_set_t before, one;
    if (sched_getaffinity(0, sizeof before, &before) != 0) skip();
    int first = 0;
    while (!CPU_ISSET(first, &before)) first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(piaa_processors(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_two),
        cmocka_unit_test(version_one),
        cmocka_unit_test(nonsense_is_no_quota),
        cmocka_unit_test(at_least_one),
        cmocka_unit_test(follows_the_affinity_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
