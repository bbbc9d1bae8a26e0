/* What several tests need: a temporary folder, paths, distances between arrays, and golden
   tensors. */
#ifndef PIAA_TESTS_SUPPORT_H
#define PIAA_TESTS_SUPPORT_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "weights/safetensors.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new empty folder; ends with support_remove, which also frees the name. */
static inline char *support_folder(void) {
    const char *base = getenv("TMPDIR");
    char *path = piaa_format(NULL, "%s/piaa-test-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void support_clear(const char *path) {
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        chmod(path, 0700);
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
            char *child = piaa_path_join(path, entry->d_name, NULL);
            if (child) support_clear(child);
            free(child);
        }
        if (folder) closedir(folder);
    }
    remove(path);
}

static inline void support_remove(char *folder) {
    support_clear(folder);
    free(folder);
}

static inline char *support_join(const char *folder, const char *name) {
    char *path = piaa_path_join(folder, name, NULL);
    assert_non_null(path);
    return path;
}

/* Writes `size` bytes to folder/name. */
static inline void support_write(const char *folder, const char *name, const void *data,
                                 size_t size) {
    char *path = support_join(folder, name);
    piaa_error error = {0};
    if (!piaa_file_write(path, data, size, &error)) fail_msg("%s", error.message);
    free(path);
}

static inline void support_make_folder(const char *folder, const char *name) {
    char *path = support_join(folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static inline void support_make_link(const char *folder, const char *name, const char *target) {
    char *path = support_join(folder, name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

/* |a - b| / |b| in the Euclidean norm, b the reference; infinite where a is not a number. */
static inline double support_relative_error(const float *a, const float *b, size_t count) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(a[i])) return HUGE_VAL;
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return difference == 0 ? 0 : sqrt(difference / norm);
}

static inline double support_max_difference(const float *a, const float *b, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= most)) most = isnan(d) ? HUGE_VAL : d;
    }
    return most;
}

static inline piaa_safetensors *support_golden(const char *path) {
    piaa_error error = {0};
    piaa_safetensors *golden = piaa_safetensors_open(path, &error);
    if (!golden) fail_msg("%s", error.message);
    return golden;
}

static inline const piaa_tensor *support_tensor(const piaa_safetensors *golden, const char *name) {
    const piaa_tensor *tensor = piaa_safetensors_find(golden, name);
    if (!tensor) fail_msg("%s holds no %s", piaa_safetensors_where(golden), name);
    return tensor;
}

/* Any golden tensor (F64, F32, F16, BF16, I64, I32, U8) as doubles; freed by the caller. */
static inline double *support_doubles(const piaa_safetensors *golden, const char *name,
                                      size_t *count) {
    const piaa_tensor *tensor = support_tensor(golden, name);
    size_t n = (size_t)piaa_tensor_count(tensor);
    const unsigned char *data = tensor->data;
    double *out = piaa_alloc(n, sizeof *out, NULL);
    float *floats = piaa_alloc(n, sizeof *floats, NULL);
    assert_true(out && floats);
    if (tensor->type != PIAA_OTHER_TYPE) piaa_tensor_to_float(tensor, floats);
    for (size_t i = 0; i < n; i++) {
        int64_t wide;
        int32_t narrow;
        if (tensor->type != PIAA_OTHER_TYPE)
            out[i] = (double)floats[i];
        else if (strcmp(tensor->dtype, "F64") == 0)
            memcpy(&out[i], data + 8 * i, 8);
        else if (strcmp(tensor->dtype, "I64") == 0)
            memcpy(&wide, data + 8 * i, 8), out[i] = (double)wide;
        else if (strcmp(tensor->dtype, "I32") == 0)
            memcpy(&narrow, data + 4 * i, 4), out[i] = narrow;
        else if (strcmp(tensor->dtype, "U8") == 0)
            out[i] = data[i];
        else
            fail_msg("%s has type %s", name, tensor->dtype);
    }
    free(floats);
    if (count) *count = n;
    return out;
}

static inline float *support_floats(const piaa_safetensors *golden, const char *name,
                                    size_t *count) {
    size_t n;
    double *wide = support_doubles(golden, name, &n);
    float *out = piaa_alloc(n, sizeof *out, NULL);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) out[i] = (float)wide[i];
    free(wide);
    if (count) *count = n;
    return out;
}

static inline int32_t *support_ints(const piaa_safetensors *golden, const char *name,
                                    size_t *count) {
    size_t n;
    double *wide = support_doubles(golden, name, &n);
    int32_t *out = piaa_alloc(n, sizeof *out, NULL);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)wide[i];
    free(wide);
    if (count) *count = n;
    return out;
}

#endif
