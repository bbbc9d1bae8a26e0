/* What the store asks of the disk: whole writes, folders that keep their names, one writer at a
 * time, and one plain line when it is full. */
#ifndef PIAA_FEATURES_DISK_H
#define PIAA_FEATURES_DISK_H

#include "base/error.h"

/* "cannot write PATH: …" from errno; a full disk (or quota) gets a line that says how to go on.
   Returns false. */
bool piaa_disk_error(piaa_error *error, int number, const char *path);
bool piaa_disk_full(piaa_error *error, const char *path);

/* Writes all of `data` at `offset`; `path` is for the message. */
bool piaa_disk_write(int file, const void *data, size_t size, int64_t offset, const char *path,
                     piaa_error *error) PIAA_MUST_USE;

/* Makes new and renamed files in the folder survive a power cut. */
bool piaa_disk_sync_folder(const char *folder, piaa_error *error) PIAA_MUST_USE;

/* Takes the lock file, made if it is not there, for as long as the descriptor stays open, also
 * against other handles of this process. Returns the descriptor, or -1: PIAA_BUSY with the other's
 * process id ("FOLDER is being written by process 1234: …"). */
int piaa_disk_lock(const char *lock_path, const char *folder, piaa_error *error) PIAA_MUST_USE;
void piaa_disk_unlock(int lock); /* accepts -1 */

#endif
