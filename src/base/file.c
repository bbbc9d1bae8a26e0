/* Files as the rooms need them: read whole, mapped, written atomically; and their names. */
#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_retry(const char *path, int flags, mode_t mode) {
    int fd;
    do fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ----------------------------------------------------------------------------------------- maps */

bool piaa_map_open(piaa_map *map, const char *path, piaa_error *error) {
    *map = (piaa_map){0};
    /* Non-blocking, so that a pipe is refused instead of waited for. */
    int fd = open_retry(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return piaa_error_set_errno(error, errno, "%s cannot be opened", path);
    struct stat status;
    bool ok = true;
    if (fstat(fd, &status) != 0)
        ok = piaa_error_set_errno(error, errno, "%s cannot be opened", path);
    else if (!S_ISREG(status.st_mode))
        ok = piaa_error_set(error, PIAA_IO, "%s is %s, not a file", path,
                            S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe");
    else if ((uintmax_t)status.st_size > SIZE_MAX)
        ok = piaa_error_set(error, PIAA_UNSUPPORTED,
                            "%s is too large for this machine's address space", path);
    else if (status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            ok = piaa_error_set_errno(error, errno, "%s cannot be mapped into memory", path);
        else
            *map = (piaa_map){data, (size_t)status.st_size};
    }
    close(fd);
    return ok;
}

void piaa_map_close(piaa_map *map) {
    if (map->data) munmap((void *)map->data, map->size);
    *map = (piaa_map){0};
}

/* Whole pages are dropped, edges included: a neighbour that still needs one faults it back in from
   the file. */
void piaa_map_forget(const piaa_map *map, const void *data, size_t size) {
    long page = sysconf(_SC_PAGESIZE);
    const unsigned char *first = data;
    if (page <= 0 || !map->data || first < map->data ||
        size > map->size - (size_t)(first - map->data))
        return;
    size_t start = (size_t)(first - map->data) / (size_t)page * (size_t)page;
    piaa_advise((void *)(map->data + start), (size_t)(first - map->data) + size - start,
                PIAA_FORGET_PAGES);
}

void piaa_map_scattered(const void *data, size_t size, bool scattered) {
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || !size) return;
    size_t before = (size_t)((uintptr_t)data % (uintptr_t)page);
    piaa_advise((void *)((uintptr_t)data - before), size + before,
                scattered ? PIAA_READ_HERE : PIAA_READ_AHEAD);
}

/* -------------------------------------------------------------------------- reading and writing */

static bool read_all(int fd, size_t limit, const char *name, piaa_text *out, piaa_error *error) {
    struct stat status;
    size_t guess = 1 << 14;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        (uintmax_t)status.st_size <= limit)
        guess = (size_t)status.st_size + 2; /* the NUL, and a byte in which to meet the end */
    for (;;) {
        size_t need = out->length + 2 > guess ? out->length + 2 : guess;
        if (!piaa_grow(&out->data, &out->capacity, need, 1, error)) return false;
        ssize_t got = read(fd, out->data + out->length, out->capacity - out->length - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return piaa_error_set_errno(error, errno, "%s cannot be read", name);
        out->length += (size_t)got;
        out->data[out->length] = '\0';
        if (out->length > limit)
            return piaa_error_set(
                error, PIAA_FORMAT,
                "%s is larger than %.4g MB, the most that is read of a file of this kind", name,
                (double)limit / 1e6);
        if (got == 0) return true;
    }
}

char *piaa_file_read(const char *path, size_t limit, size_t *size, piaa_error *error) {
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    int fd = standard ? STDIN_FILENO : open_retry(path, O_RDONLY, 0);
    if (fd < 0) {
        piaa_error_set_errno(error, errno, "%s cannot be opened", name);
        return NULL;
    }
    piaa_text text = {0};
    bool ok = read_all(fd, limit, name, &text, error);
    if (!standard) close(fd);
    if (!ok) {
        free(text.data);
        return NULL;
    }
    if (size) *size = text.length;
    return text.data;
}

bool piaa_file_is_whole(const void *bytes, size_t size, const char *where, piaa_error *error) {
    static const char pointer[] = "version https://git-lfs";
    if (size < sizeof pointer - 1 || memcmp(bytes, pointer, sizeof pointer - 1) != 0) return true;
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s is a Git LFS pointer, not the file itself: run git lfs pull in its folder", where);
}

/* Returns 0 or an errno. */
static int write_all(int fd, const unsigned char *data, size_t size) {
    while (size > 0) {
        /* Some systems refuse more than 2 GB at once. */
        size_t part = size < ((size_t)1 << 30) ? size : (size_t)1 << 30;
        ssize_t done = write(fd, data, part);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return errno;
        if (done == 0) return ENOSPC;
        data += done;
        size -= (size_t)done;
    }
    return 0;
}

/* A device or pipe cannot be replaced, so it is written in place. */
static bool write_device(const char *path, const void *data, size_t size, piaa_error *error) {
    int fd = open_retry(path, O_WRONLY, 0);
    if (fd < 0) return piaa_error_set_errno(error, errno, "%s cannot be written", path);
    int failed = write_all(fd, data, size);
    if (close(fd) != 0 && !failed) failed = errno;
    return failed ? piaa_error_set_errno(error, failed, "%s cannot be written", path) : true;
}

/* The rename itself reaches the disk with the folder; a system that cannot do that loses no data,
   so failures do not count. */
static void sync_folder(const char *folder) {
    int fd = open_retry(folder, O_RDONLY, 0);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

/* A new hidden file in `folder`; its allocated name goes to *temporary. Returns the descriptor or
   -1 with the error set. */
static int open_temporary(const char *folder, const char *path, char **temporary,
                          piaa_error *error) {
    enum { ATTEMPTS = 1000 };
    for (int i = 0; i < ATTEMPTS; i++) {
        char *name = piaa_format(error, "%s/.piaa-%ld-%d.tmp", folder, (long)getpid(), i);
        if (!name) return -1;
        int fd = open_retry(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (fd >= 0) {
            *temporary = name;
            return fd;
        }
        int failed = errno;
        free(name);
        if (failed != EEXIST) {
            piaa_error_set_errno(error, failed, "%s cannot be written", path);
            return -1;
        }
    }
    piaa_error_set(error, PIAA_IO, "%s cannot be written: remove the .piaa-*.tmp files beside it",
                   path);
    return -1;
}

/* Somebody else's file stays theirs, where this process may give it away; and its tags and access
   list stay, which may speak of more than its mode can. */
static int keep_as_it_was(int fd, const struct stat *old, const char *target) {
    const int given = fchown(fd, old->st_uid, old->st_gid);
    PIAA_UNUSED(given);
    if (fchmod(fd, old->st_mode & 07777) != 0) return errno;
    const int from = open_retry(target, O_RDONLY, 0);
    if (from < 0) return 0; /* a file that may be replaced and not read */
    piaa_copy_attributes(from, fd);
    close(from);
    return 0;
}

static bool replace_file(const char *target, const struct stat *old, const char *path,
                         const void *data, size_t size, bool lasting, piaa_error *error) {
    char *folder = piaa_path_folder(target, error), *temporary = NULL;
    int fd = folder ? open_temporary(folder, path, &temporary, error) : -1;
    if (fd < 0) {
        free(folder);
        return false;
    }
    int failed = write_all(fd, data, size);
    if (!failed && old) failed = keep_as_it_was(fd, old, target);
    if (!failed && lasting && fsync(fd) != 0 && errno != EINVAL && errno != EROFS) failed = errno;
    if (close(fd) != 0 && !failed && errno != EINTR) failed = errno;
    if (!failed && rename(temporary, target) != 0) failed = errno;
    if (failed)
        unlink(temporary);
    else if (lasting)
        sync_folder(folder);
    free(temporary);
    free(folder);
    return failed ? piaa_error_set_errno(error, failed, "%s cannot be written", path) : true;
}

bool piaa_file_write(const char *path, const void *data, size_t size, piaa_error *error) {
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
        return piaa_error_set_errno(error, EISDIR, "%s cannot be written", path);
    if (exists && !S_ISREG(status.st_mode)) return write_device(path, data, size, error);
    /* A link stays a link: what it points to is replaced. */
    char *target = exists ? realpath(path, NULL) : NULL;
    bool ok = replace_file(target ? target : path, exists ? &status : NULL, path, data, size, true,
                           error);
    free(target);
    return ok;
}

bool piaa_file_cache(const char *path, const void *data, size_t size) {
    return replace_file(path, NULL, path, data, size, false, NULL);
}

bool piaa_file_exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

bool piaa_file_exists_in(const char *folder, const char *name) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof path && piaa_file_exists(path);
}

bool piaa_file_is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool piaa_file_is_same(const char *path, const char *other) {
    struct stat a, b;
    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

bool piaa_file_is_gone(const char *path) {
    struct stat status;
    return stat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* ---------------------------------------------------------------------------------------- paths */

char *piaa_path_join(const char *folder, const char *name, piaa_error *error) {
    if (name[0] == '/' || !folder[0]) return piaa_strdup(name, error);
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    return piaa_format(error, "%s%s%s", folder, slash, name);
}

char *piaa_path_folder(const char *path, piaa_error *error) {
    const char *slash = strrchr(path, '/');
    if (!slash) return piaa_strdup(".", error);
    size_t n = (size_t)(slash - path);
    while (n > 0 && path[n - 1] == '/') n--;
    if (n == 0) return piaa_strdup("/", error);
    char *folder = piaa_alloc(n + 1, 1, error);
    if (folder) memcpy(folder, path, n);
    return folder;
}

bool piaa_folder_has_place(const char *path, piaa_error *error) {
    char *above = piaa_path_folder(path, error);
    const bool there = above && (piaa_file_is_folder(above) ||
                                 piaa_error_set(error, PIAA_IO, "%s: no such folder", above));
    free(above);
    return there;
}

const char *piaa_path_below(const char *path, const char *folder) {
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

const char *piaa_path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

size_t piaa_path_stem(const char *path) {
    const char *name = piaa_path_name(path), *dot = strrchr(name, '.');
    return dot && dot > name ? (size_t)(dot - path) : strlen(path);
}

bool piaa_path_ends(const char *path, const char *ending) {
    const size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcmp(path + n - m, ending) == 0;
}

bool piaa_path_ends_like(const char *path, const char *ending) {
    const size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcasecmp(path + n - m, ending) == 0;
}

static char *working_folder(piaa_error *error) {
    char *buffer = NULL;
    for (size_t capacity = 0, need = 256;; need = capacity * 2) {
        if (!piaa_grow(&buffer, &capacity, need, 1, error)) break;
        if (getcwd(buffer, capacity)) return buffer;
        if (errno == ERANGE) continue;
        if (errno == ENOENT)
            piaa_error_set(error, PIAA_IO,
                           "the working folder is gone: change to one that is there");
        else
            piaa_error_set_errno(error, errno, "the working folder cannot be found");
        break;
    }
    free(buffer);
    return NULL;
}

/* Takes "", "." and ".." out of an absolute path, in place. */
static void simplify(char *path) {
    char *out = path;
    for (const char *part = path; *part;) {
        while (*part == '/') part++;
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.') {
            while (out > path && *--out != '/') {
            }
        } else if (n > 0 && !(n == 1 && part[0] == '.')) {
            *out++ = '/';
            memmove(out, part, n);
            out += n;
        }
        part += n;
    }
    if (out == path) *out++ = '/';
    *out = '\0';
}

char *piaa_path_absolute(const char *path, piaa_error *error) {
    char *resolved = realpath(path, NULL);
    if (resolved) return resolved;
    char *here = path[0] == '/' ? piaa_strdup("/", error) : working_folder(error);
    if (!here) return NULL;
    char *whole = piaa_path_join(here, path, error);
    free(here);
    if (whole) simplify(whole);
    return whole;
}

char *piaa_path_named(const char *path, piaa_error *error) {
    const char *name = piaa_path_name(path);
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return piaa_path_absolute(path, error);
    char *folder = piaa_path_folder(path, error);
    char *absolute = folder ? piaa_path_absolute(folder, error) : NULL;
    char *whole = absolute ? piaa_path_join(absolute, name, error) : NULL;
    free(folder);
    free(absolute);
    return whole;
}

/* A relative XDG_CACHE_HOME is to be ignored, says the specification. */
static char *home_path(const char *variable, const char *usual, const char *rest, const char *what,
                       const char *mend, piaa_error *error) {
    const char *given = getenv(variable), *home = getenv("HOME");
    if (given && given[0] == '/') return piaa_path_join(given, rest, error);
    if (home && *home) return piaa_format(error, "%s/%s/%s", home, usual, rest);
    piaa_error_set(error, PIAA_IO, "there is no home folder to keep %s in (HOME is not set): %s",
                   what, mend);
    return NULL;
}

char *piaa_cache_path(const char *rest, const char *what, const char *mend, piaa_error *error) {
    return home_path("XDG_CACHE_HOME", ".cache", rest, what, mend, error);
}

char *piaa_data_path(const char *rest, const char *what, const char *mend, piaa_error *error) {
    return home_path("XDG_DATA_HOME", ".local/share", rest, what, mend, error);
}

bool piaa_folders_make(char *path) {
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) *slash = '\0';
        bool ok = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (slash) *slash = '/';
        if (!ok || !slash) return ok;
    }
}

bool piaa_paths_add(piaa_paths *paths, const char *path, piaa_error *error) {
    if (!piaa_grow(&paths->items, &paths->capacity, paths->count + 1, sizeof *paths->items, error))
        return false;
    char *copy = piaa_strdup(path, error);
    if (!copy) return false;
    paths->items[paths->count++] = copy;
    return true;
}

bool piaa_paths_add_all(piaa_paths *paths, const piaa_paths *more, piaa_error *error) {
    for (size_t i = 0; i < more->count; i++)
        if (!piaa_paths_add(paths, more->items[i], error)) return false;
    return true;
}

void piaa_paths_free(piaa_paths *paths) {
    for (size_t i = 0; i < paths->count; i++) free(paths->items[i]);
    free(paths->items);
    *paths = (piaa_paths){0};
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void piaa_paths_merge(piaa_paths *paths) {
    size_t kept = 0;
    if (paths->count) qsort(paths->items, paths->count, sizeof *paths->items, by_bytes);
    for (size_t i = 0; i < paths->count; i++) {
        if (kept && strcmp(paths->items[kept - 1], paths->items[i]) == 0)
            free(paths->items[i]);
        else
            paths->items[kept++] = paths->items[i];
    }
    paths->count = kept;
}
