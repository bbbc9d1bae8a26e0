/* How many threads are worth starting.
 *
 * /proc/self/cgroup says in which cgroup the process is ("0::/user.slice/a" for version 2,
 * "4:cpu,cpuacct:/user.slice/a" for version 1), /proc/self/mountinfo where the tree of cgroups can
 * be seen and from which of them on ("… ROOT MOUNT-POINT … - cgroup2 …").  A quota of any cgroup on
 * the way to the root holds for all below it. */
#include "base/processors.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16, FILE_LIMIT = 1 << 24 };

/* --------------------------------------------------------------------------------------- quotas */

static char *read_file(const char *folder, const char *name) {
    char *path = piaa_format(NULL, "%s/%s", folder, name);
    char *text = path ? piaa_file_read(path, FILE_LIMIT, NULL, NULL) : NULL;
    free(path);
    return text;
}

/* The next number of a text, 0 where there is none ("max"). */
static double next_number(const char **text) {
    char word[32];
    const char *from = *text + strspn(*text, " \n");
    const size_t n = strcspn(from, " \n");
    double value;
    *text = from + n;
    snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : 0, from);
    return piaa_parse_number(word, &value) ? value : 0;
}

/* The quota of one cgroup, in processors; infinite where there is none. */
static double quota_at(const char *folder, bool two) {
    /* "max" and -1: none. */
    char *allowed = read_file(folder, two ? "cpu.max" : "cpu.cfs_quota_us");
    char *of = two ? NULL : read_file(folder, "cpu.cfs_period_us");
    const char *rest = allowed ? allowed : "", *second = of ? of : "";
    const double quota = next_number(&rest), period = next_number(two ? &rest : &second);
    free(allowed);
    free(of);
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/* The least quota from `folder`/`inside` up to `folder` itself. */
static double least_quota(const char *folder, const char *inside, bool two) {
    char *path = piaa_format(NULL, "%s%s", folder, inside);
    double least = INFINITY;
    const size_t top = strlen(folder);
    for (size_t n = path ? strlen(path) : 0; path && n >= top;) {
        least = fmin(least, quota_at(path, two));
        while (n > top && path[n - 1] != '/') n--;
        if (n == top) break;
        path[--n] = '\0';
    }
    free(path);
    return least;
}

/* Whether `word` is in a list with commas. */
static bool in_list(const char *list, const char *word) {
    const size_t n = strlen(word);
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",") == n && strncmp(list, word, n) == 0) return true;
    return false;
}

/* Cuts the next word off a line, its "\040" for a space and the like put right. */
static char *next_word(char **line) {
    char *word = *line + strspn(*line, " "), *to = word, *from = word;
    for (; *from && *from != ' '; from++)
        if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
            *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 3;
        } else {
            *to++ = *from;
        }
    *line = from + (*from != '\0');
    *to = '\0';
    return word;
}

/* What one line of /proc/self/cgroup says: the path in the tree of version 2, or of version 1's cpu
   controller.  NULL: neither. */
static const char *path_in_tree(char *line, bool *two) {
    char *controllers = strchr(line, ':'),
         *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return NULL;
    *path++ = '\0';
    *two = controllers[1] == '\0';
    return *two || in_list(controllers + 1, "cpu") ? path : NULL;
}

/* Where the mount that a line of /proc/self/mountinfo tells of shows the cgroup `path`: the mount
 * point, and the path from there.  False: it is not the tree that is looked for. */
static bool mounted_at(char *line, const char *path, bool two, const char **point,
                       const char **inside) {
    for (int i = 0; i < 3; i++) next_word(&line); /* number, parent's number, device */
    const char *root = next_word(&line);
    *point = next_word(&line);
    char *rest = strstr(line, " - ");
    if (!rest) return false;
    rest += 3;
    const char *kind = next_word(&rest);
    next_word(&rest); /* its source */
    if (strcmp(kind, two ? "cgroup2" : "cgroup") != 0 ||
        (!two && !in_list(next_word(&rest), "cpu")))
        return false;
    /* A container sees its own cgroup as the root, or its part of the tree under the whole path. */
    const size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
    const bool below = strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0');
    *inside = !below || strstr(path, "/..") || strcmp(path + n, "/") == 0 ? "" : path + n;
    return true;
}

static double quota_of(const char *root, const char *path, bool two) {
    double least = INFINITY;
    char *mounts = read_file(root, PIAA_PROC "/mountinfo");
    for (char *line = mounts, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        const char *point, *inside;
        if (!mounted_at(line, path, two, &point, &inside)) continue;
        char *folder = piaa_format(NULL, "%s%s", root, point);
        if (folder) least = fmin(least, least_quota(folder, inside, two));
        free(folder);
    }
    free(mounts);
    return least;
}

double piaa_processors_quota(const char *root) {
    double least = INFINITY;
    char *groups = read_file(root, PIAA_PROC "/cgroup");
    for (char *line = groups, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        bool two;
        const char *path = path_in_tree(line, &two);
        if (path) least = fmin(least, quota_of(root, path, two));
    }
    free(groups);
    return isfinite(least) ? least : 0;
}

int piaa_processors(void) {
    int count = piaa_processors_allowed();
    const double quota = piaa_processors_quota("");
    if (quota > 0 && ceil(quota) < count) count = (int)ceil(quota);
    return count < 1 ? 1 : count > MOST ? MOST : count;
}
