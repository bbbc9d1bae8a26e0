/* Faults of memory and of files: one call from now on fails, and (lasting) all after it.
 *
 * The linker puts these functions in place of the C library's (piaa_test's FAULTS), so that the
 * code under test needs no hook for it and what libraries call for themselves goes on as it is.
 * Where the linker cannot do that, the tests are not built. */
#ifndef PIAA_TEST_FAULTS_H
#define PIAA_TEST_FAULTS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum fault_kind { FAULT_NONE, FAULT_MEMORY, FAULT_FILES } fault_kind;

static struct {
    fault_kind kind;
    long after; /* calls that succeed before the one that fails */
    int error;  /* errno of it */
    bool lasting;
    bool failed;      /* it did */
    const char *only; /* of files: opening those whose path ends so, and nothing else */
} faults;

static inline void faults_arm(fault_kind kind, long after, int error, bool lasting) {
    faults.kind = kind;
    faults.after = after;
    faults.error = error;
    faults.lasting = lasting;
    faults.failed = false;
}

/* Returns whether the fault was met. */
static inline bool faults_disarm(void) {
    faults.kind = FAULT_NONE;
    return faults.failed;
}

static inline bool fault_due(fault_kind kind) {
    if (faults.kind != kind || faults.only || faults.after-- > 0) return false;
    faults.failed = true;
    faults.after = 0;
    if (!faults.lasting) faults.kind = FAULT_NONE;
    errno = faults.error;
    return true;
}

/* With _FILE_OFFSET_BITS=64 the GNU C library's functions have these names. */
#ifdef __GLIBC__
#define FAULT_REAL(name) __real_##name##64
#define FAULT_WRAP(name) __wrap_##name##64
#else
#define FAULT_REAL(name) __real_##name
#define FAULT_WRAP(name) __wrap_##name
#endif

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int FAULT_REAL(open)(const char *path, int flags, ...);
int FAULT_WRAP(open)(const char *path, int flags, ...);
ssize_t FAULT_REAL(pread)(int file, void *to, size_t size, off_t at);
ssize_t FAULT_WRAP(pread)(int file, void *to, size_t size, off_t at);
ssize_t FAULT_REAL(pwrite)(int file, const void *from, size_t size, off_t at);
ssize_t FAULT_WRAP(pwrite)(int file, const void *from, size_t size, off_t at);
int FAULT_REAL(fstat)(int file, struct stat *status);
int FAULT_WRAP(fstat)(int file, struct stat *status);
void *FAULT_REAL(mmap)(void *at, size_t size, int protection, int flags, int file, off_t from);
void *FAULT_WRAP(mmap)(void *at, size_t size, int protection, int flags, int file, off_t from);
int __wrap_fdatasync(int file);
int __wrap_fsync(int file);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);

void *__wrap_calloc(size_t count, size_t size) {
    return fault_due(FAULT_MEMORY) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return fault_due(FAULT_MEMORY) ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fault_due(FAULT_MEMORY) ? NULL : __real_aligned_alloc(alignment, size);
}

int FAULT_WRAP(open)(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? (mode_t)va_arg(arguments, int) : 0;
    va_end(arguments);
    size_t length = strlen(path), ending = faults.only ? strlen(faults.only) : 0;
    if (ending && length >= ending && strcmp(path + length - ending, faults.only) == 0)
        faults.only = NULL;
    return fault_due(FAULT_FILES) ? -1 : FAULT_REAL(open)(path, flags, mode);
}

ssize_t FAULT_WRAP(pread)(int file, void *to, size_t size, off_t at) {
    return fault_due(FAULT_FILES) ? -1 : FAULT_REAL(pread)(file, to, size, at);
}

ssize_t FAULT_WRAP(pwrite)(int file, const void *from, size_t size, off_t at) {
    return fault_due(FAULT_FILES) ? -1 : FAULT_REAL(pwrite)(file, from, size, at);
}

int FAULT_WRAP(fstat)(int file, struct stat *status) {
    return fault_due(FAULT_FILES) ? -1 : FAULT_REAL(fstat)(file, status);
}

void *FAULT_WRAP(mmap)(void *at, size_t size, int protection, int flags, int file, off_t from) {
    return fault_due(FAULT_FILES) ? MAP_FAILED
                                  : FAULT_REAL(mmap)(at, size, protection, flags, file, from);
}

/* The disk is not waited for: nobody pulls the plug here, and it takes most of the time. */
int __wrap_fdatasync(int file) {
    (void)file;
    return fault_due(FAULT_FILES) ? -1 : 0;
}

int __wrap_fsync(int file) {
    (void)file;
    return fault_due(FAULT_FILES) ? -1 : 0;
}

int __wrap_rename(const char *from, const char *to) {
    return fault_due(FAULT_FILES) ? -1 : __real_rename(from, to);
}

DIR *__wrap_opendir(const char *path) {
    return fault_due(FAULT_FILES) ? NULL : __real_opendir(path);
}

#endif
