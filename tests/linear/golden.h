/* Tensors of a golden safetensors file as float64 arrays, for tests of rooms that know nothing of checkpoints. */
#ifndef PIAA_TESTS_LINEAR_GOLDEN_H
#define PIAA_TESTS_LINEAR_GOLDEN_H

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct golden_file {
    char *bytes;
    cJSON *header;
    size_t start;
} golden_file;

static golden_file golden_open(const char *path) {
    golden_file file = {0};
    FILE *stream = fopen(path, "rb");
    if (!stream) return file;
    fseek(stream, 0, SEEK_END);
    size_t size = (size_t)ftell(stream);
    rewind(stream);
    file.bytes = malloc(size);
    if (file.bytes && fread(file.bytes, 1, size, stream) == size) {
        uint64_t length;
        memcpy(&length, file.bytes, sizeof length);
        file.header = cJSON_ParseWithLength(file.bytes + 8, (size_t)length);
        file.start = 8 + (size_t)length;
    }
    fclose(stream);
    return file;
}

static void golden_close(golden_file *file) {
    cJSON_Delete(file->header);
    free(file->bytes);
}

/* "CASE|NAME" as float64; shape[2] gets rows and columns (columns 1 for a vector).  NULL if absent.  Freed by the caller. */
static double *golden_get(const golden_file *file, const char *group, const char *name, size_t shape[2]) {
    char key[128];
    snprintf(key, sizeof key, "%s|%s", group, name);
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(file->header, key);
    if (!entry) return NULL;
    const cJSON *dimensions = cJSON_GetObjectItemCaseSensitive(entry, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
    int wide = strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "dtype")), "F64") == 0;
    shape[0] = (size_t)cJSON_GetArrayItem(dimensions, 0)->valuedouble;
    shape[1] = cJSON_GetArraySize(dimensions) > 1 ? (size_t)cJSON_GetArrayItem(dimensions, 1)->valuedouble : 1;
    const char *data = file->bytes + file->start + (size_t)cJSON_GetArrayItem(offsets, 0)->valuedouble;
    double *out = malloc(shape[0] * shape[1] * sizeof *out);
    for (size_t i = 0; out && i < shape[0] * shape[1]; i++) {
        float narrow;
        if (wide)
            memcpy(&out[i], data + 8 * i, 8);
        else {
            memcpy(&narrow, data + 4 * i, 4);
            out[i] = (double)narrow;
        }
    }
    return out;
}

#endif
