/* Walking folders.
 *
 * A folder is known by its device and inode.  Folders that links lead to wait until all others are
 * walked: then what has a name of its own below the root is found under that name, whatever order
 * the file system lists things in, and of links to one folder the first in byte order counts.  A
 * list instead of recursion, so that depth costs no stack and only one folder is open at a time. */
#include "base/walk.h"

#include "base/hooks.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A folder to be walked: as it was found, and with all links followed. */
typedef struct place {
    char *path, *real;
    dev_t device;
    ino_t inode;
} place;

typedef struct places {
    place *items;
    size_t count, capacity;
} places;

/* Folders met so far: a hash table with open addressing, at most half full.  used false: free. */
typedef struct seen_folder {
    dev_t device;
    ino_t inode;
    bool used;
} seen_folder;

typedef struct walk {
    const piaa_walker *walker;
    const piaa_hooks *hooks;
    piaa_error *error;
    places folders; /* walked in this order */
    places linked;  /* behind links, for later */
    seen_folder *seen;
    size_t seen_count, seen_size; /* the size is 0 or a power of two */
} walk;

static void warn(const walk *w, int number, const char *path) {
    piaa_error why;
    piaa_error_set_errno(&why, number, "%s cannot be read and is left out", path);
    piaa_hooks_warn(w->hooks, "%s", why.message);
}

/* ----------------------------------------------------------------------------------- each once */

static seen_folder *look(seen_folder *table, size_t size, dev_t device, ino_t inode) {
    uint64_t hash = ((uint64_t)inode ^ (uint64_t)device << 32) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = (size_t)(hash >> 32) & (size - 1);; i = (i + 1) & (size - 1))
        if (!table[i].used || (table[i].device == device && table[i].inode == inode))
            return &table[i];
}

static bool make_room(walk *w) {
    enum { FIRST = 64 };
    if (w->seen_size && w->seen_count < w->seen_size / 2) return true;
    size_t size = w->seen_size ? 2 * w->seen_size : FIRST;
    seen_folder *table = piaa_alloc(size, sizeof *table, w->error);
    if (!table) return false;
    for (size_t i = 0; i < w->seen_size; i++)
        if (w->seen[i].used) *look(table, size, w->seen[i].device, w->seen[i].inode) = w->seen[i];
    free(w->seen);
    w->seen = table;
    w->seen_size = size;
    return true;
}

static void drop(place *p) {
    free(p->path);
    free(p->real);
    *p = (place){0};
}

/* Takes the place over (*p is then empty), unless the folder is on the list already. */
static bool add_folder(walk *w, place *p) {
    if (!make_room(w)) return false;
    seen_folder *slot = look(w->seen, w->seen_size, p->device, p->inode);
    if (slot->used) return true;
    if (!piaa_grow(&w->folders.items, &w->folders.capacity, w->folders.count + 1, sizeof *p,
                   w->error))
        return false;
    *slot = (seen_folder){p->device, p->inode, true};
    w->seen_count++;
    w->folders.items[w->folders.count++] = *p;
    *p = (place){0};
    return true;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const place *)a)->path, ((const place *)b)->path);
}

static bool add_linked(walk *w) {
    bool ok = true;
    if (w->linked.count) qsort(w->linked.items, w->linked.count, sizeof(place), by_path);
    for (size_t i = 0; i < w->linked.count; i++) {
        ok = ok && add_folder(w, &w->linked.items[i]);
        drop(&w->linked.items[i]);
    }
    w->linked.count = 0;
    return ok;
}

/* ------------------------------------------------------------------------------------- entries */

/* May take the place over. */
static bool meet_folder(walk *w, place *p, const char *name, bool link) {
    if (!w->walker->enter(w->walker->user, p->path, name)) return true;
    if (!link) return add_folder(w, p);
    if (!piaa_grow(&w->linked.items, &w->linked.capacity, w->linked.count + 1, sizeof *p, w->error))
        return false;
    w->linked.items[w->linked.count++] = *p;
    *p = (place){0};
    return true;
}

static bool leads_nowhere(int number) {
    return number == ENOENT || number == ELOOP || number == ENOTDIR;
}

/* p->path is there; p->real is found here.  `folder`: what p is in, links followed. */
static bool meet(walk *w, const char *folder, place *p) {
    const char *name = piaa_path_name(p->path);
    struct stat status;
    if (lstat(p->path, &status) != 0) {
        if (errno != ENOENT) warn(w, errno, p->path); /* else it was deleted a moment ago */
        return true;
    }
    bool link = S_ISLNK(status.st_mode);
    piaa_walk_entry entry = {.name = name, .path = p->path, .real = p->path};
    if (link && stat(p->path, &status) != 0) {
        entry.kind = PIAA_WALK_DEAD_LINK;
        if (leads_nowhere(errno)) return w->walker->meet(w->walker->user, &entry, w->error);
        warn(w, errno, p->path);
        return true;
    }
    if (!(p->real = link ? piaa_path_absolute(p->path, w->error)
                         : piaa_path_join(folder, name, w->error)))
        return false;
    p->device = status.st_dev;
    p->inode = status.st_ino;
    if (S_ISDIR(status.st_mode)) return meet_folder(w, p, name, link);
    entry.kind = S_ISREG(status.st_mode) ? PIAA_WALK_FILE : PIAA_WALK_OTHER;
    entry.real = p->real;
    return w->walker->meet(w->walker->user, &entry, w->error);
}

static bool read_folder(walk *w, size_t index) {
    const char *path = w->folders.items[index].path, *real = w->folders.items[index].real;
    DIR *folder = opendir(path);
    if (!folder) {
        if (index == 0) return piaa_error_set_errno(w->error, errno, "%s cannot be read", path);
        warn(w, errno, path);
        return true;
    }
    bool ok = true;
    while (ok) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (!entry) {
            if (errno) warn(w, errno, path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        place p = {.path = piaa_path_join(path, entry->d_name, w->error)};
        ok = p.path && meet(w, real, &p);
        drop(&p);
    }
    closedir(folder);
    return ok;
}

static bool begin(walk *w, const char *folder) {
    struct stat status;
    if (stat(folder, &status) != 0)
        return piaa_error_set_errno(w->error, errno, "%s cannot be read", folder);
    place root = {.path = piaa_strdup(folder, w->error),
                  .real = piaa_path_absolute(folder, w->error),
                  .device = status.st_dev,
                  .inode = status.st_ino};
    bool ok = root.path && root.real && add_folder(w, &root);
    drop(&root);
    return ok;
}

static bool read_folders(walk *w) {
    for (size_t next = 0; next < w->folders.count;) {
        while (next < w->folders.count)
            if (!read_folder(w, next++)) return false;
        if (!add_linked(w)) return false;
    }
    return true;
}

bool piaa_folder_visit(const char *folder, const piaa_walker *walker, const piaa_hooks *hooks,
                       piaa_error *error) {
    walk w = {.walker = walker, .hooks = hooks, .error = error};
    bool ok = begin(&w, folder) && read_folders(&w);
    for (size_t i = 0; i < w.folders.count; i++) drop(&w.folders.items[i]);
    for (size_t i = 0; i < w.linked.count; i++) drop(&w.linked.items[i]);
    free(w.folders.items);
    free(w.linked.items);
    free(w.seen);
    return ok;
}

/* ---------------------------------------------------------------------------- files of one kind */

typedef struct keeping {
    bool (*keep)(const char *name);
    piaa_paths found;
    const piaa_hooks *hooks;
} keeping;

static bool enter_shown(void *user, const char *path, const char *name) {
    PIAA_UNUSED(user), PIAA_UNUSED(path);
    return name[0] != '.';
}

static bool keep_file(void *user, const piaa_walk_entry *entry, piaa_error *error) {
    keeping *k = user;
    if (entry->name[0] == '.' || entry->kind == PIAA_WALK_OTHER || !k->keep(entry->name))
        return true;
    if (entry->kind == PIAA_WALK_FILE) return piaa_paths_add(&k->found, entry->path, error);
    warn(&(walk){.hooks = k->hooks}, ENOENT, entry->path);
    return true;
}

bool piaa_folder_walk(const char *folder, bool (*keep)(const char *name), piaa_paths *out,
                      const piaa_hooks *hooks, piaa_error *error) {
    keeping k = {.keep = keep, .hooks = hooks};
    const piaa_walker walker = {.user = &k, .enter = enter_shown, .meet = keep_file};
    bool ok = piaa_folder_visit(folder, &walker, hooks, error);
    piaa_paths_merge(&k.found);
    ok = ok && piaa_paths_add_all(out, &k.found, error);
    piaa_paths_free(&k.found);
    return ok;
}
