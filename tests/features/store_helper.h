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
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
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

/* --------------------------------------------------------------------------------------- shards */

static piaa_slot LT3_V1_items[] = {{PIAA_LT, 3, DIM}, {PIAA_V, 1, DIM / 2}};
static const piaa_slots LT3_V1 = {.items = LT3_V1_items, .count = 2};

enum { PHOTOS = 40 };

/* Of PHOTOS photos those of one part, and all of one of one part: 7 has the content of 30, and 11
   cannot be read. */
static inline void make_part(const char *path, int part, int parts) {
    piaa_store *store = must_write(path, &LT3_V1, NULL);
    for (int i = 0; i < PHOTOS; i++) {
        if (i * 7 % parts != part) continue;
        const piaa_photo line = {.path = path_of(i), .size = 1000 + i, .mtime_ns = 7};
        if (i == 11)
            assert_true(piaa_store_put_failure(store, &line, "broken", NULL));
        else
            assert_true(put_as(store, &LT3_V1, i, i == 7 ? 30 : i, 7, NULL));
    }
    must_finish(store);
}

static inline void expect_same_file(const char *a, const char *b, const char *name) {
    size_t size[2];
    char *bytes[] = {piaa_file_read(in(a, name), 1 << 24, &size[0], NULL),
                     piaa_file_read(in(b, name), 1 << 24, &size[1], NULL)};
    assert_true(bytes[0] && bytes[1]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static inline bool same_text(const char *a, const char *b) {
    return a && b ? !strcmp(a, b) : a == b;
}

/* What two stores say of their photos. */
static inline void expect_same_photos(const piaa_store *one, const piaa_store *other) {
    assert_int_equal(piaa_store_photos(one), piaa_store_photos(other));
    for (size_t i = 0; i < piaa_store_photos(one); i++) {
        const piaa_photo p = piaa_store_photo(one, i), q = piaa_store_photo(other, i);
        assert_string_equal(p.path, q.path);
        assert_int_equal(p.row, q.row);
        assert_int_equal(p.size, q.size);
        assert_int_equal(p.mtime_ns, q.mtime_ns);
        assert_true(same_text(p.hash, q.hash) && same_text(p.error, q.error));
        assert_true(same_text(p.damage, q.damage) && same_text(p.note, q.note));
    }
}

/* ---------------------------------------------------------------------------------------- kills */

/* xorshift: the moments of kills should not be the same every time, and be told when one of them
   fails. */
static uint64_t seed;

static inline void seed_kills(void) {
    seed = (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
    print_message("seed %llu\n", (unsigned long long)seed);
}

static inline uint64_t draw(uint64_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Does `work` in a process that is killed at some moment of the first `nanoseconds`, if it has not
   ended before. */
static inline void do_and_kill(bool (*work)(void), long nanoseconds) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(!work());
    nanosleep(&(struct timespec){0, (long)draw((uint64_t)nanoseconds)}, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

/* Kills `work` in the middle, asks `check` what is there, and `end` to bring it to its end, as
   often as PIAA_KILLS says (else 20 times), each time from nothing: `out` is removed. */
static inline void kill_and_end(bool (*work)(void), void (*check)(void), void (*end)(void),
                                const char *out) {
    const char *rounds = getenv("PIAA_KILLS");
    struct timespec begun, ended;
    seed_kills();
    clock_gettime(CLOCK_MONOTONIC, &begun);
    assert_true(work());
    clock_gettime(CLOCK_MONOTONIC, &ended);
    const int64_t took =
        (int64_t)(ended.tv_sec - begun.tv_sec) * 1000000000 + (ended.tv_nsec - begun.tv_nsec);
    for (int left = rounds ? atoi(rounds) : 20; left > 0; left--) {
        remove_tree(out);
        do_and_kill(work, took < 900000000 ? (long)took + 1000000 : 900000000);
        check();
        end();
    }
}

#define SLOTS(...)                                                                                 \
    {                                                                                              \
        .items = (piaa_slot[]){__VA_ARGS__},                                                       \
        .count = sizeof((piaa_slot[]){__VA_ARGS__}) / sizeof(piaa_slot)                            \
    }

#endif
