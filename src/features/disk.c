/* What the store asks of the disk.  The text of a locked file is the writer's process id, only for
   the message. */
#include "features/disk.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool piaa_disk_full(piaa_error *error, const char *path) {
    return piaa_error_set(error, PIAA_IO,
                          "the disk is full, %s cannot grow: nothing that was there is lost; free "
                          "some space and run the same command again",
                          path);
}

bool piaa_disk_error(piaa_error *error, int number, const char *path) {
    if (number == ENOSPC || number == EDQUOT) return piaa_disk_full(error, path);
    return piaa_error_set_errno(error, number, "cannot write %s", path);
}

bool piaa_disk_write(int file, const void *data, size_t size, int64_t offset, const char *path,
                     piaa_error *error) {
    const char *at = data;
    while (size) {
        ssize_t n = pwrite(file, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return piaa_disk_error(error, n < 0 ? errno : ENOSPC, path);
        at += n;
        offset += n;
        size -= (size_t)n;
    }
    return true;
}

bool piaa_disk_sync_folder(const char *folder, piaa_error *error) {
    int file = open(folder, O_RDONLY | O_CLOEXEC);
    if (file < 0) return piaa_disk_error(error, errno, folder);
    /* Some file systems cannot sync a folder (EINVAL); there is nothing more to do on those. */
    bool ok = fsync(file) == 0 || errno == EINVAL;
    if (!ok) piaa_disk_error(error, errno, folder);
    close(file);
    return ok;
}

/* The process id that the lock's holder left in the file; 0 where there is none (yet). */
static long read_holder(int lock) {
    char text[32] = "";
    ssize_t n = pread(lock, text, sizeof text - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

int piaa_disk_lock(const char *lock_path, const char *folder, piaa_error *error) {
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0) {
        piaa_disk_error(error, errno, folder);
        return -1;
    }
    while (piaa_lock_file(lock) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK)
            piaa_error_set_errno(error, errno, "cannot lock %s", lock_path);
        else if (read_holder(lock) > 0)
            piaa_error_set(error, PIAA_BUSY,
                           "%s is being written by process %ld: wait for it, or use another --out",
                           folder, read_holder(lock));
        else
            piaa_error_set(
                error, PIAA_BUSY,
                "%s is being written by another process: wait for it, or use another --out",
                folder);
        close(lock);
        return -1;
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(lock, 0) != 0 || !piaa_disk_write(lock, text, (size_t)n, 0, lock_path, NULL)) {
        /* The number is a courtesy: a full disk that cannot hold it is told of by the first write
           that matters. */
        PIAA_UNUSED(text);
    }
    return lock;
}

void piaa_disk_unlock(int lock) {
    if (lock < 0) return;
    if (ftruncate(lock, 0) != 0)
        PIAA_UNUSED(lock); /* the old number is never believed without the lock */
    close(lock);
}
