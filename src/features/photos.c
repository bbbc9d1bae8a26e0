/* From the names a user gives to the list of photos they mean. */
#include "features/photos.h"

#include "base/memory.h"
#include "base/walk.h"
#include "image/image.h"
#include "image/photo.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a walk passes over: kinds of files, and these. */
enum { HIDDEN = PIAA_KINDS, RESOURCE_FORK, DEAD_LINK, SYSTEM_FOLDER, KINDS };

static const char *noun(int kind, bool plural) {
    static const char *const own[][2] = {
        [HIDDEN - PIAA_KINDS] = {"hidden photo", "hidden photos"},
        [RESOURCE_FORK - PIAA_KINDS] = {"macOS side file (._*)", "macOS side files (._*)"},
        [DEAD_LINK - PIAA_KINDS] = {"link that leads nowhere", "links that lead nowhere"},
        [SYSTEM_FOLDER - PIAA_KINDS] = {"system folder", "system folders"},
    };
    return kind < PIAA_KINDS ? piaa_kind_noun((piaa_kind)kind, plural)
                             : own[kind - PIAA_KINDS][plural];
}

typedef struct found {
    char *path, *name;
} found;

typedef struct collecting {
    found *items;
    size_t count, capacity;
    size_t passed[KINDS];
    bool (*want)(void *user, const char *path); /* which of the files; NULL: all */
    void *user;
} collecting;

/* Takes over the two strings; either may be NULL after a failure. */
static bool add(collecting *c, char *path, char *name, piaa_error *error) {
    if (path && name && piaa_grow(&c->items, &c->capacity, c->count + 1, sizeof *c->items, error)) {
        c->items[c->count++] = (found){path, name};
        return true;
    }
    free(path);
    free(name);
    return false;
}

/* ------------------------------------------------------------------------------------- folders */

/* Folders in which systems and programs keep what is theirs, trash, snapshots, thumbnails and
   previews: patterns of fnmatch, in small letters. */
static const char *const system_folders[] = {
    /* Synology, QNAP */
    "@eadir",
    "@recycle",
    "@recently-snapshot",
    "@__thumb",
    ".@__thumb",
    "@tmp",
    "#recycle",
    "#snapshot",
    /* Windows */
    "$recycle.bin",
    "recycler",
    "recycled",
    "system volume information",
    "found.[0-9][0-9][0-9]",
    /* Linux, NetApp */
    "lost+found",
    ".trash-*",
    ".snapshot",
    ".snapshots",
    "~snapshot",
    /* thumbnails: freedesktop.org, GIMP, KDE, Picasa */
    ".thumbnails",
    ".xvpics",
    ".sh_thumbnails",
    ".picasaoriginals",
    /* macOS */
    ".trash",
    ".trashes",
    ".appledouble",
    "__macosx",
    /* Lightroom, Capture One, Sony's cameras */
    "*.lrdata",
    "captureone",
    "thmbnl",
    /* Nextcloud */
    "appdata_oc*",
    "files_trashbin",
    "files_versions",
};

/* Photo libraries of macOS are folders: the photos are in one of theirs, previews in the others. */
static const char *const libraries[] = {"*.photoslibrary", "*.photolibrary", "*.aplibrary",
                                        "*.migratedphotolibrary"};
static const char *const originals[] = {"originals", "masters"};

static bool matches(const char *name, size_t length, const char *const *patterns, size_t count) {
    char small[256]; /* no file system has longer names */
    if (length >= sizeof small) return false;
    for (size_t i = 0; i < length; i++) small[i] = (char)tolower((unsigned char)name[i]);
    small[length] = '\0';
    for (size_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], small, 0) == 0) return true;
    return false;
}

/* The folder that `path` is in. */
static bool is_in(const char *path, const char *name, const char *const *patterns, size_t count) {
    if (name - path < 2) return false;
    const char *end = name - 1, *start = end;
    while (start > path && start[-1] != '/') start--;
    return matches(start, (size_t)(end - start), patterns, count);
}

/* RUN/changed: copies that piaa probe --augment made of a data set's images. */
static bool is_of_a_run(const char *path, const char *name) {
    if (strcmp(name, "changed") != 0) return false;
    char *file = piaa_format(NULL, "%.*sprobe.json", (int)(name - path), path);
    bool there = file && piaa_file_exists(file);
    free(file);
    return there;
}

static bool enter(void *user, const char *path, const char *name) {
    collecting *c = user;
    size_t length = strlen(name);
    if (matches(name, length, system_folders, PIAA_COUNT(system_folders)) ||
        (is_in(path, name, libraries, PIAA_COUNT(libraries)) &&
         !matches(name, length, originals, PIAA_COUNT(originals))) ||
        is_of_a_run(path, name)) {
        c->passed[SYSTEM_FOLDER]++;
        return false;
    }
    return name[0] != '.';
}

static bool meet(void *user, const piaa_walk_entry *entry, piaa_error *error) {
    collecting *c = user;
    bool named = piaa_kind_is_photo(piaa_kind_of_name(entry->name));
    if (entry->name[0] == '.') {
        if (named) c->passed[entry->name[1] == '_' ? RESOURCE_FORK : HIDDEN]++;
        return true;
    }
    if (entry->kind == PIAA_WALK_DEAD_LINK) {
        c->passed[named ? DEAD_LINK : PIAA_KIND_NONE]++;
        return true;
    }
    if (c->want && (entry->kind != PIAA_WALK_FILE || !c->want(c->user, entry->real))) return true;
    piaa_kind kind = entry->kind == PIAA_WALK_FILE ? piaa_photo_kind(entry->path) : PIAA_KIND_NONE;
    if (piaa_image_reads(kind))
        return add(c, piaa_strdup(entry->real, error), piaa_strdup(entry->path, error), error);
    c->passed[kind]++;
    return true;
}

/* "31 raw files, 4 videos, 1 other file": files of no known kind come last. */
static void tell_passed(const collecting *c, char *out, size_t size) {
    size_t used = 0;
    *out = '\0';
    for (int i = 1; i <= KINDS && used < size; i++) {
        int kind = i % KINDS;
        if (c->passed[kind])
            used += (size_t)snprintf(out + used, size - used, "%s%zu %s", used ? ", " : "",
                                     c->passed[kind], noun(kind, c->passed[kind] != 1));
    }
}

/* ---------------------------------------------------------------------------------------- names */

static bool remember_folder(piaa_photos *photos, const char *name, const char *root,
                            piaa_error *error) {
    char *folder = piaa_path_absolute(name, error);
    bool ok = folder && piaa_paths_add(&photos->folders, folder, error) &&
              piaa_paths_add(&photos->roots, root, error);
    free(folder);
    return ok;
}

static bool take_name(collecting *c, const char *name, const piaa_hooks *hooks, piaa_photos *out,
                      piaa_error *error) {
    char *shown = piaa_path_named(name, error); /* also finds that the working folder is gone */
    if (!shown) return false;
    struct stat status;
    if (stat(name, &status) != 0) {
        int number = errno;
        free(shown);
        return number == ENOENT
                   ? piaa_error_set(error, PIAA_IO,
                                    "%s does not exist: name photos, or folders that hold some",
                                    name)
                   : piaa_error_set_errno(error, number, "%s", name);
    }
    if (!S_ISDIR(status.st_mode)) return add(c, piaa_path_absolute(name, error), shown, error);
    bool ok = remember_folder(out, name, shown, error) &&
              piaa_folder_visit(shown, &(piaa_walker){.user = c, .enter = enter, .meet = meet},
                                hooks, error);
    free(shown);
    return ok;
}

/* By path; of the names of one photo, its own first. */
static int by_path(const void *left, const void *right) {
    const found *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    if (order) return order;
    int linked = (strcmp(a->name, a->path) != 0) - (strcmp(b->name, b->path) != 0);
    return linked ? linked : strcmp(a->name, b->name);
}

static bool hand_over(collecting *c, piaa_photos *out, piaa_error *error) {
    if (c->count) qsort(c->items, c->count, sizeof *c->items, by_path);
    for (size_t i = 0; i < c->count; i++) {
        if (i && strcmp(c->items[i].path, c->items[i - 1].path) == 0) continue;
        if (!piaa_paths_add(&out->paths, c->items[i].path, error) ||
            !piaa_paths_add(&out->names, c->items[i].name, error))
            return false;
    }
    return true;
}

static bool found_none(const char *const *names, size_t count, const char *passed,
                       piaa_error *error) {
    const char *but = *passed ? "; passed over: " : "";
    if (count == 1)
        return piaa_error_set(error, PIAA_USAGE,
                              "%s holds no photos (JPEG, PNG, WebP, TIFF, HEIF, raw, …)%s%s",
                              names[0], but, passed);
    if (!count) return piaa_error_set(error, PIAA_USAGE, "no photos were given");
    return piaa_error_set(error, PIAA_USAGE, "none of the %zu folders holds a photo%s%s", count,
                          but, passed);
}

static bool collect(collecting *c, const char *const *names, size_t count, const piaa_hooks *hooks,
                    piaa_photos *out, piaa_error *error) {
    for (size_t i = 0; i < count; i++)
        if (!take_name(c, names[i], hooks, out, error)) return false;
    tell_passed(c, out->passed, sizeof out->passed);
    return hand_over(c, out, error) &&
           (out->paths.count || found_none(names, count, out->passed, error));
}

piaa_photos *piaa_photos_new(piaa_error *error) {
    return piaa_alloc(1, sizeof(piaa_photos), error);
}

static void forget_found(collecting *c) {
    for (size_t i = 0; i < c->count; i++) {
        free(c->items[i].path);
        free(c->items[i].name);
    }
    free(c->items);
}

piaa_photos *piaa_photos_collect(const char *const *names, size_t count, const piaa_hooks *hooks,
                                 piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    collecting c = {0};
    piaa_photos *photos = piaa_photos_new(error);
    bool ok = photos && collect(&c, names, count, hooks, photos, error);
    forget_found(&c);
    if (ok) return photos;
    piaa_photos_free(photos);
    return NULL;
}

void piaa_photos_free(piaa_photos *photos) {
    if (!photos) return;
    piaa_paths_free(&photos->paths);
    piaa_paths_free(&photos->names);
    piaa_paths_free(&photos->beside);
    piaa_paths_free(&photos->folders);
    piaa_paths_free(&photos->roots);
    free(photos);
}

size_t piaa_photos_count(const piaa_photos *photos) {
    return photos ? photos->paths.count : 0;
}

const char *const *piaa_photos_paths(const piaa_photos *photos) {
    return (const char *const *)photos->paths.items;
}

const char *const *piaa_photos_names(const piaa_photos *photos) {
    return (const char *const *)photos->names.items;
}

const char *piaa_photos_passed(const piaa_photos *photos) {
    return photos->passed;
}

/* --------------------------------------------------------------------------------- look again */

static bool copy_paths(piaa_paths *to, const piaa_paths *from, piaa_error *error) {
    for (size_t i = 0; i < from->count; i++)
        if (!piaa_paths_add(to, from->items[i], error)) return false;
    return true;
}

static bool copy_photos(piaa_photos *to, const piaa_photos *from, piaa_error *error) {
    memcpy(to->passed, from->passed, sizeof to->passed);
    return copy_paths(&to->paths, &from->paths, error) &&
           copy_paths(&to->names, &from->names, error) &&
           copy_paths(&to->beside, &from->beside, error) &&
           copy_paths(&to->folders, &from->folders, error) &&
           copy_paths(&to->roots, &from->roots, error);
}

piaa_photos *piaa_photos_copy(const piaa_photos *photos, piaa_error *error) {
    piaa_photos *out = piaa_photos_new(error);
    if (out && copy_photos(out, photos, error)) return out;
    piaa_photos_free(out);
    return NULL;
}

static bool look_again(collecting *c, const piaa_photos *photos, piaa_photos **out,
                       piaa_error *error) {
    for (size_t i = 0; i < photos->roots.count; i++) {
        const piaa_walker walker = {.user = c, .enter = enter, .meet = meet};
        piaa_error why = {0};
        if (!piaa_folder_visit(photos->roots.items[i], &walker, NULL, &why) &&
            why.code == PIAA_MEMORY)
            return piaa_error_set(error, why.code, "%s", why.message);
    }
    if (!c->count) return true;
    return (*out = piaa_photos_copy(photos, error)) && hand_over(c, *out, error);
}

bool piaa_photos_look_again(const piaa_photos *photos, bool (*want)(void *user, const char *path),
                            void *user, piaa_photos **out, piaa_error *error) {
    collecting c = {.want = want, .user = user};
    *out = NULL;
    const bool ok = look_again(&c, photos, out, error);
    forget_found(&c);
    if (ok) return true;
    piaa_photos_free(*out);
    *out = NULL;
    return false;
}

/* --------------------------------------------------------------------------------- other photos */

bool piaa_photos_add(piaa_photos *photos, const char *name, piaa_error *error) {
    char *path = piaa_path_absolute(name, error);
    bool ok = path && piaa_paths_add(&photos->paths, path, error) &&
              piaa_paths_add(&photos->names, name, error);
    free(path);
    return ok;
}

bool piaa_photos_read_also(piaa_photos *photos, const char *path, piaa_error *error) {
    if (!photos) return piaa_error_missing(error, "photos");
    return piaa_paths_add(&photos->beside, path, error);
}

static bool take_stored(piaa_photos *photos, const piaa_store *store, size_t *gone,
                        piaa_error *error) {
    for (size_t i = 0; i < piaa_store_photos(store); i++) {
        const char *path = piaa_store_photo(store, i).path;
        if (gone && piaa_file_is_gone(path))
            ++*gone;
        else if (!piaa_paths_add(&photos->paths, path, error) ||
                 !piaa_paths_add(&photos->names, path, error))
            return false;
    }
    return true;
}

piaa_photos *piaa_photos_of_store(const piaa_store *store, size_t *gone, piaa_error *error) {
    if (gone) *gone = 0;
    if (!store) {
        piaa_error_missing(error, "store");
        return NULL;
    }
    piaa_photos *photos = piaa_photos_new(error);
    if (photos && take_stored(photos, store, gone, error)) return photos;
    piaa_photos_free(photos);
    return NULL;
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **piaa_photos_to_read(const piaa_photos *photos, size_t *count, piaa_error *error) {
    const piaa_paths *lists[] = {&photos->paths, &photos->beside};
    const char **paths =
        piaa_alloc(photos->paths.count + photos->beside.count, sizeof *paths, error);
    size_t all = 0;
    *count = 0;
    if (!paths) return NULL;
    for (size_t l = 0; l < PIAA_COUNT(lists); l++)
        for (size_t i = 0; i < lists[l]->count; i++) paths[all++] = lists[l]->items[i];
    if (all) qsort(paths, all, sizeof *paths, compare_paths);
    for (size_t i = 0; i < all; i++)
        if (!*count || strcmp(paths[*count - 1], paths[i]) != 0) paths[(*count)++] = paths[i];
    return paths;
}
