/* Named tensors in safetensors files. */
#include "train/named.h"

#include "base/file.h"
#include "base/memory.h"
#include "weights/safetensors.h"
#include "weights/safetensors_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t piaa_named_values(const piaa_named *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->dimensions; i++) count *= tensor->shape[i];
    return count;
}

static bool same_shape(const piaa_named *own, const piaa_tensor *there) {
    bool same = own->dimensions == there->dimensions;
    for (int i = 0; same && i < own->dimensions; i++) same = own->shape[i] == there->shape[i];
    return same;
}

static bool read_one(const piaa_named *own, const char *prefix, const piaa_safetensors *file,
                     piaa_error *error) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", prefix, own->name);
    const piaa_tensor *there = piaa_safetensors_find(file, name);
    if (!there)
        return piaa_error_set(error, PIAA_FORMAT, "%.700s has no tensor %s",
                              piaa_safetensors_where(file), name);
    if (!same_shape(own, there) || there->type == PIAA_OTHER_TYPE)
        return piaa_error_set(error, PIAA_FORMAT, "%.700s: tensor %s has another shape or type",
                              piaa_safetensors_where(file), name);
    piaa_tensor_to_float(there, own->data);
    for (int64_t i = 0; i < piaa_named_values(own); i++)
        if (!isfinite(own->data[i]))
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%.700s: tensor %s holds a value that is not finite",
                                  piaa_safetensors_where(file), name);
    return true;
}

bool piaa_named_read(const piaa_named *list, size_t count, const char *prefix, const char *path,
                     piaa_error *error) {
    piaa_safetensors *file = piaa_safetensors_open(path, error);
    bool ok = file != NULL;
    for (size_t i = 0; ok && i < count; i++) ok = read_one(&list[i], prefix, file, error);
    piaa_safetensors_close(file);
    return ok;
}

static void free_names(piaa_written *tensors, size_t count) {
    for (size_t i = 0; tensors && i < count; i++) {
        char *name;
        memcpy(&name, &tensors[i].name, sizeof name);
        free(name);
    }
    free(tensors);
}

static bool write_all(const piaa_written *tensors, size_t count, const char *path,
                      piaa_error *error) {
    piaa_text out = {0};
    const bool ok = piaa_safetensors_write(tensors, count, &out, error) &&
                    piaa_file_write(path, out.data, out.length, error);
    free(out.data);
    return ok;
}

bool piaa_named_write(const piaa_named_part *parts, size_t count, const char *path,
                      piaa_error *error) {
    size_t all = 0, n = 0;
    for (size_t p = 0; p < count; p++) all += parts[p].count;
    piaa_written *tensors = piaa_alloc(all, sizeof *tensors, error);
    bool ok = tensors != NULL;
    for (size_t p = 0; ok && p < count; p++)
        for (size_t i = 0; ok && i < parts[p].count; i++) {
            const piaa_named *one = &parts[p].list[i];
            tensors[n] =
                (piaa_written){.name = piaa_format(error, "%s%s", parts[p].prefix, one->name),
                               .dimensions = one->dimensions,
                               .shape = one->shape,
                               .data = one->data};
            ok = tensors[n++].name != NULL;
        }
    ok = ok && write_all(tensors, all, path, error);
    free_names(tensors, all);
    return ok;
}
