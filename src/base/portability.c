/* What POSIX 2008 has no word for, or what systems that are POSIX otherwise call something else.
   The macros that make the C library show it are set here alone. */
#if defined(__linux__)
#define _GNU_SOURCE
#else
#define _DEFAULT_SOURCE
#endif
#include "base/portability.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/xattr.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__APPLE__)
#include <copyfile.h>
#include <crt_externs.h>
#include <dlfcn.h>
#include <mach-o/dyld.h>
#endif

/* ---------------------------------------------------------------------------------------- files */

#if defined(__APPLE__)
struct timespec piaa_stat_written(const struct stat *status) {
    return status->st_mtimespec;
}

struct timespec piaa_stat_changed(const struct stat *status) {
    return status->st_ctimespec;
}

int piaa_sync_data(int file) {
    /* There fsync hands the data to the drive, which may keep it; not all file systems know the
       other. */
    return fcntl(file, F_FULLFSYNC) != -1 ? 0 : fsync(file);
}
#else
struct timespec piaa_stat_written(const struct stat *status) {
    return status->st_mtim;
}

struct timespec piaa_stat_changed(const struct stat *status) {
    return status->st_ctim;
}

int piaa_sync_data(int file) {
    return fdatasync(file);
}
#endif

void piaa_copy_attributes(int from, int to) {
#if defined(__linux__)
    enum { NAMES = 1 << 16, VALUE = 1 << 16 }; /* the most that Linux lets there be */
    char *names = malloc(NAMES), *value = malloc(VALUE);
    const ssize_t size = names && value ? flistxattr(from, names, NAMES) : 0;
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        const ssize_t length = fgetxattr(from, names + at, value, VALUE);
        if (length >= 0 && fsetxattr(to, names + at, value, (size_t)length, 0) != 0)
            continue; /* the system's own */
    }
    free(names);
    free(value);
#elif defined(__APPLE__)
    if (fcopyfile(from, to, NULL, COPYFILE_ACL | COPYFILE_XATTR) != 0) return;
#else
    PIAA_UNUSED(from);
    PIAA_UNUSED(to);
#endif
}

int piaa_lock_file(int file) {
    return flock(file, LOCK_EX | LOCK_NB);
}

/* --------------------------------------------------------------------------------------- memory */

/* madvise, since POSIX's own posix_madvise forgets nothing in glibc. */
void piaa_advise(void *start, size_t size, piaa_advice advice) {
    static const int named[] = {[PIAA_READ_AHEAD] = MADV_NORMAL,
                                [PIAA_READ_HERE] = MADV_RANDOM,
                                [PIAA_FORGET_PAGES] = MADV_DONTNEED};
    madvise(start, size, named[advice]);
}

int piaa_forget_file(int file) {
#if defined(POSIX_FADV_DONTNEED)
    return posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0 ? 0 : -1;
#else
    PIAA_UNUSED(file);
    return -1;
#endif
}

void piaa_trim_memory(void) {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

/* ------------------------------------------------------------------------------- other processes
 */

ssize_t piaa_send(int handle, const void *bytes, size_t size) {
#if defined(MSG_NOSIGNAL)
    return send(handle, bytes, size, MSG_NOSIGNAL);
#else
    const int yes = 1;
    if (setsockopt(handle, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes) != 0) return -1;
    return send(handle, bytes, size, 0);
#endif
}

const char *piaa_own_program(char *path, size_t room) {
#if defined(__APPLE__)
    uint32_t size = (uint32_t)room;
    return _NSGetExecutablePath(path, &size) == 0 ? path : NULL;
#else
    const ssize_t length = readlink(PIAA_PROC "/exe", path, room);
    if (length <= 0 || (size_t)length >= room) return NULL;
    path[length] = '\0';
    return path;
#endif
}

char **piaa_environment(void) {
#if defined(__APPLE__) /* where a shared library has no `environ` */
    return *_NSGetEnviron();
#else
    return environ;
#endif
}

/* ---------------------------------------------------------------------------------- the machine */

int piaa_processors_allowed(void) {
#if defined(__linux__)
    enum { MOST = 1 << 16 };
    /* The call fails where the machine has more processors than the set has room for. */
    for (int room = CPU_SETSIZE; room <= MOST; room *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)room);
        if (!set) break;
        const size_t size = CPU_ALLOC_SIZE((size_t)room);
        const int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count) return count;
    }
#endif
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 0 : count > INT_MAX ? INT_MAX : (int)count;
}

int piaa_terminal_columns(int file) {
    struct winsize size;
    return ioctl(file, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* --------------------------------------------------------------------------------- mapped files */

#if defined(__APPLE__)
/* Only of programs and libraries. */
const char *piaa_mapped_file(const void *where, char *line, size_t room) {
    Dl_info found;
    if (!dladdr(where, &found) || !found.dli_fname || strlen(found.dli_fname) >= room) return NULL;
    return strcpy(line, found.dli_fname);
}
#else
static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uintptr_t read_hex(const char **at) {
    uintptr_t value = 0;
    for (; hex(**at) >= 0; ++*at) value = value * 16 + (uintptr_t)hex(**at);
    return value;
}

/* The file in a line of /proc/self/maps, "BEGIN-END RIGHTS OFFSET DEVICE INODE    /PATH", if the
   address is in it; "" where no file is behind it. */
static const char *file_at(const char *line, uintptr_t address) {
    const uintptr_t begin = read_hex(&line);
    if (*line++ != '-') return NULL;
    const uintptr_t end = read_hex(&line);
    if (address < begin || address >= end) return NULL;
    const char *slash = strchr(line, '/');
    return slash ? slash : "";
}

const char *piaa_mapped_file(const void *where, char *line, size_t room) {
    const int file = open(PIAA_PROC "/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0) return NULL;
    const uintptr_t address = (uintptr_t)where;
    char block[4096];
    size_t used = 0;
    const char *found = NULL;
    for (ssize_t got; !found && (got = read(file, block, sizeof block)) > 0;)
        for (ssize_t i = 0; !found && i < got; i++)
            if (block[i] == '\n') {
                line[used] = '\0';
                used = 0;
                found = file_at(line, address);
            } else if (used + 1 < room) {
                line[used++] = block[i];
            }
    close(file);
    return found && *found ? found : NULL;
}
#endif
