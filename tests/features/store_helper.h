/* A small store for tests: photos are numbers, and every vector follows from the photo's content
   and the slot. */
#ifndef PIAA_TEST_STORE_HELPER_H
#define PIAA_TEST_STORE_HELPER_H

#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "features/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIM = 48 };

static const piaa_slot LT3 = {PIAA_LT, 3, DIM}, LV3 = {PIAA_LV, 3, DIM}, V1 = {PIAA_V, 1, DIM / 2};

static const piaa_identity usual = {
    .fingerprint = "3f2a9c01d4b87e6655aa77c0ffee00112233445566778899aabbccddeeff0011",
    .model = "tiny-1",
    .family = "Qwen3-VL",
    .prompt = "Assess the aesthetics of this image.",
    .preprocessing = "at most 1003520 pixels, EXIF applied",
    .dtype = "f32",
    .library = "0.1.0",
};

/* ---------------------------------------------------------------------------- temporary folders */

static inline char *scratch_new(void) {
    const char *base = getenv("TMPDIR");
    char *path = piaa_format(NULL, "%s/piaa-store-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void remove_tree(const char *path) {
    DIR *list = opendir(path);
    if (!list) {
        unlink(path);
        return;
    }
    for (const struct dirent *e; (e = readdir(list));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *inner = piaa_path_join(path, e->d_name, NULL);
        remove_tree(inner);
        free(inner);
    }
    closedir(list);
    rmdir(path);
}

/* "FOLDER/NAME", which lives until scratch_drop. */
static char *kept_names[4096];
static size_t kept_count;

static inline const char *in(const char *folder, const char *name) {
    assert_true(kept_count < sizeof kept_names / sizeof *kept_names);
    char *path = piaa_path_join(folder, name, NULL);
    assert_non_null(path);
    return kept_names[kept_count++] = path;
}

static inline void scratch_drop(char *path) {
    remove_tree(path);
    free(path);
    while (kept_count) free(kept_names[--kept_count]);
}

static inline int64_t file_size(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

static inline int count_files(const char *folder) {
    int n = 0;
    DIR *list = opendir(folder);
    if (!list) return -1;
    for (const struct dirent *e; (e = readdir(list));) n += e->d_name[0] != '.';
    closedir(list);
    return n;
}

/* ----------------------------------------------------------------------------- photos by number */

static inline const char *path_of(int photo) {
    static char ring[4][64];
    static int next;
    char *out = ring[next++ % 4];
    snprintf(out, sizeof ring[0], "/photos/%06d.jpg", photo);
    return out;
}

static inline const char *hash_of(int content) {
    static char ring[4][65];
    static int next;
    char *out = ring[next++ % 4];
    snprintf(out, sizeof ring[0], "%064d", content);
    return out;
}

static inline void fill_vector(float *out, int content, const piaa_slot *slot) {
    for (int i = 0; i < slot->dim; i++)
        out[i] = (float)content + 0.25f * (float)i + 1000.0f * (float)(slot->pool + 1);
}

static inline bool holds(const float *vector, int content, const piaa_slot *slot) {
    float wanted[DIM];
    fill_vector(wanted, content, slot);
    return vector && !memcmp(vector, wanted, (size_t)slot->dim * sizeof *wanted);
}

/* Puts `content` under the path of `photo`, with time `mtime`, for the slots asked for. */
static inline bool put_as(piaa_store *store, const piaa_slots *slots, int photo, int content,
                          int64_t mtime, piaa_error *error) {
    float values[8][DIM];
    const float *vectors[8];
    assert_true(slots->count <= 8);
    for (size_t i = 0; i < slots->count; i++) {
        fill_vector(values[i], content, &slots->items[i]);
        vectors[i] = values[i];
    }
    const piaa_photo line = {.path = path_of(photo),
                             .size = 1000 + content,
                             .mtime_ns = mtime,
                             .hash = hash_of(content)};
    return piaa_store_put(store, &line, vectors, error);
}

static inline bool put(piaa_store *store, const piaa_slots *slots, int photo, piaa_error *error) {
    return put_as(store, slots, photo, photo, 7, error);
}

static inline piaa_photo_state look(piaa_store *store, int photo, bool *missing) {
    piaa_photo_state state;
    piaa_error error = {0};
    if (!piaa_store_lookup(
            store, &(piaa_photo){.path = path_of(photo), .size = 1000 + photo, .mtime_ns = 7},
            &state, missing, &error))
        fail_msg("%s", error.message);
    return state;
}

/* -------------------------------------------------------------------------------------- opening */

typedef struct heard {
    int count;
    char last[2048];
} heard;

static inline void hear(void *user, const char *line) {
    heard *h = user;
    h->count++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

static inline piaa_store *must_write(const char *path, const piaa_slots *slots, heard *warnings) {
    piaa_error error = {0};
    piaa_hooks hooks = {.user = warnings, .warn = warnings ? hear : NULL};
    piaa_store *store = piaa_store_open_write(path, &usual, slots, &hooks, &error);
    if (!store) fail_msg("%s", error.message);
    return store;
}

static inline piaa_store *must_read(const char *path, heard *warnings) {
    piaa_error error = {0};
    piaa_hooks hooks = {.user = warnings, .warn = warnings ? hear : NULL};
    piaa_store *store = piaa_store_open_read(path, &hooks, &error);
    if (!store) fail_msg("%s", error.message);
    return store;
}

static inline void must_finish(piaa_store *store) {
    piaa_error error = {0};
    if (!piaa_store_finish(store, &error)) fail_msg("%s", error.message);
    piaa_store_close(store);
}

/* A finished store with photos 0..count-1. */
static inline void make_store(const char *path, const piaa_slots *slots, int count) {
    piaa_store *store = must_write(path, slots, NULL);
    for (int i = 0; i < count; i++) assert_true(put(store, slots, i, NULL));
    must_finish(store);
}

#define SLOTS(...)                                                                                 \
    {                                                                                              \
        .items = (piaa_slot[]){__VA_ARGS__},                                                       \
        .count = sizeof((piaa_slot[]){__VA_ARGS__}) / sizeof(piaa_slot)                            \
    }

#endif
