/* SQLite's files made to fail, as disks and file systems do: a VFS around the usual one, the
 * default for as long as it is installed. */
#ifndef PIAA_TEST_VFS_HELPER_H
#define PIAA_TEST_VFS_HELPER_H

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

static struct {
    bool no_shared_memory; /* as a VFS that knows of none */
    int mapping;           /* the error of mapping shared memory; 0: it works */
    long after; /* calls that still succeed before those that fail with `code`; negative: no end */
    int code;
    bool once;   /* one of them alone */
    bool failed; /* one did */
} vfs_faults = {.after = -1};

static sqlite3_vfs *vfs_usual;

/* The usual file lies behind this. */
typedef struct vfs_file {
    sqlite3_file base;
    sqlite3_io_methods methods;
} vfs_file;

static inline sqlite3_file *vfs_real(sqlite3_file *file) {
    return (sqlite3_file *)(void *)((vfs_file *)(void *)file + 1);
}

static inline int vfs_fault(void) {
    if (vfs_faults.after < 0 || vfs_faults.after-- > 0) return SQLITE_OK;
    vfs_faults.after = vfs_faults.once ? -1 : 0;
    vfs_faults.failed = true;
    errno = vfs_faults.code == SQLITE_FULL ? ENOSPC : EIO;
    return vfs_faults.code;
}

static inline int vfs_read(sqlite3_file *file, void *to, int size, sqlite3_int64 at) {
    int fault = vfs_fault();
    return fault ? SQLITE_IOERR_READ
                 : vfs_real(file)->pMethods->xRead(vfs_real(file), to, size, at);
}

static inline int vfs_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 at) {
    int fault = vfs_fault();
    return fault ? fault : vfs_real(file)->pMethods->xWrite(vfs_real(file), from, size, at);
}

static inline int vfs_sync(sqlite3_file *file, int flags) {
    (void)file, (void)flags; /* the disk is not waited for: nobody pulls the plug here */
    return vfs_fault();
}

static inline int vfs_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int fault = vfs_fault();
    return fault ? fault : vfs_real(file)->pMethods->xTruncate(vfs_real(file), size);
}

static inline int vfs_close(sqlite3_file *file) {
    return vfs_real(file)->pMethods->xClose(vfs_real(file));
}

static inline int vfs_size(sqlite3_file *file, sqlite3_int64 *size) {
    return vfs_real(file)->pMethods->xFileSize(vfs_real(file), size);
}

static inline int vfs_lock(sqlite3_file *file, int lock) {
    return vfs_real(file)->pMethods->xLock(vfs_real(file), lock);
}

static inline int vfs_unlock(sqlite3_file *file, int lock) {
    return vfs_real(file)->pMethods->xUnlock(vfs_real(file), lock);
}

static inline int vfs_is_reserved(sqlite3_file *file, int *reserved) {
    return vfs_real(file)->pMethods->xCheckReservedLock(vfs_real(file), reserved);
}

static inline int vfs_control(sqlite3_file *file, int what, void *value) {
    return vfs_real(file)->pMethods->xFileControl(vfs_real(file), what, value);
}

static inline int vfs_sector(sqlite3_file *file) {
    return vfs_real(file)->pMethods->xSectorSize(vfs_real(file));
}

static inline int vfs_traits(sqlite3_file *file) {
    return vfs_real(file)->pMethods->xDeviceCharacteristics(vfs_real(file));
}

static inline int vfs_map(sqlite3_file *file, int page, int size, int extend, void volatile **to) {
    if (vfs_faults.mapping) return vfs_faults.mapping;
    return vfs_real(file)->pMethods->xShmMap(vfs_real(file), page, size, extend, to);
}

static inline int vfs_shared_lock(sqlite3_file *file, int offset, int n, int flags) {
    return vfs_real(file)->pMethods->xShmLock(vfs_real(file), offset, n, flags);
}

static inline void vfs_barrier(sqlite3_file *file) {
    vfs_real(file)->pMethods->xShmBarrier(vfs_real(file));
}

static inline int vfs_unmap(sqlite3_file *file, int delete) {
    return vfs_real(file)->pMethods->xShmUnmap(vfs_real(file), delete);
}

static inline int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                           int *out_flags) {
    (void)vfs;
    vfs_file *opened = (vfs_file *)(void *)file;
    file->pMethods = NULL;
    int fault = vfs_fault();
    if (fault) return SQLITE_CANTOPEN;
    int code = vfs_usual->xOpen(vfs_usual, name, vfs_real(file), flags, out_flags);
    opened->methods = (sqlite3_io_methods){.iVersion = vfs_faults.no_shared_memory ? 1 : 2,
                                           .xClose = vfs_close,
                                           .xRead = vfs_read,
                                           .xWrite = vfs_write,
                                           .xTruncate = vfs_truncate,
                                           .xSync = vfs_sync,
                                           .xFileSize = vfs_size,
                                           .xLock = vfs_lock,
                                           .xUnlock = vfs_unlock,
                                           .xCheckReservedLock = vfs_is_reserved,
                                           .xFileControl = vfs_control,
                                           .xSectorSize = vfs_sector,
                                           .xDeviceCharacteristics = vfs_traits,
                                           .xShmMap = vfs_map,
                                           .xShmLock = vfs_shared_lock,
                                           .xShmBarrier = vfs_barrier,
                                           .xShmUnmap = vfs_unmap};
    if (vfs_real(file)->pMethods) file->pMethods = &opened->methods;
    return code;
}

static inline void vfs_install(void) {
    static sqlite3_vfs around;
    vfs_usual = sqlite3_vfs_find(NULL);
    around = *vfs_usual;
    around.zName = "faulty";
    around.szOsFile += (int)sizeof(vfs_file);
    around.xOpen = vfs_open;
    sqlite3_vfs_register(&around, 1);
}

static inline void vfs_remove(void) {
    sqlite3_vfs_unregister(sqlite3_vfs_find("faulty"));
    vfs_faults.no_shared_memory = vfs_faults.failed = false;
    vfs_faults.mapping = 0;
    vfs_faults.once = false;
    vfs_faults.after = -1;
}

#endif
