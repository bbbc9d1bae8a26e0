/* The safetensors format (github.com/huggingface/safetensors): 8 bytes of little-endian length N, N
 * bytes of JSON, then the data.
 *
 *     {"NAME": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [BEGIN, END]}, …,
 *      "__metadata__": {…}}
 *
 * Offsets count from the first byte behind the header. The tensors must tile the data: no overlap,
 * no hole, nothing left over. That is checked by sorting them by offset, after which each has to
 * begin where the one before it ended. */
#include "weights/safetensors.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 8, HEADER_LIMIT = 100000000 }; /* the limit of the reference implementation */

struct piaa_safetensors {
    char *where;
    piaa_map map;  /* empty when the caller keeps the bytes */
    cJSON *header; /* owns the names and types that the tensors point to */
    piaa_tensor *tensors;
    const piaa_tensor **by_name;
    size_t count;
};

static const struct {
    const char *name;
    piaa_type type;
    unsigned bytes;
} types[] = {
    {"F32", PIAA_F32, 4},         {"F16", PIAA_F16, 2},
    {"BF16", PIAA_BF16, 2},       {"F64", PIAA_OTHER_TYPE, 8},
    {"I64", PIAA_OTHER_TYPE, 8},  {"U64", PIAA_OTHER_TYPE, 8},
    {"I32", PIAA_OTHER_TYPE, 4},  {"U32", PIAA_OTHER_TYPE, 4},
    {"I16", PIAA_OTHER_TYPE, 2},  {"U16", PIAA_OTHER_TYPE, 2},
    {"I8", PIAA_OTHER_TYPE, 1},   {"U8", PIAA_OTHER_TYPE, 1},
    {"BOOL", PIAA_OTHER_TYPE, 1}, {"F8_E4M3", PIAA_OTHER_TYPE, 1},
};

/* For every complaint about one tensor; long names are cut so that the complaint stays in sight. */
static bool refuse(const char *where, const char *name, const char *what, piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s: tensor %.200s %s: the file is damaged, fetch it again", where, name,
                          what);
}

/* The bytes that the shape asks for, or false if that is more than a machine can address. */
static bool count_bytes(const piaa_tensor *tensor, unsigned width, uint64_t *bytes) {
    *bytes = width;
    for (int i = 0; i < tensor->dimensions; i++)
        if (tensor->shape[i] == 0) {
            *bytes = 0;
            return true;
        }
    for (int i = 0; i < tensor->dimensions; i++) {
        if (*bytes > INT64_MAX / (uint64_t)tensor->shape[i]) return false;
        *bytes *= (uint64_t)tensor->shape[i];
    }
    return true;
}

static bool read_shape(const cJSON *item, const char *where, piaa_tensor *tensor,
                       piaa_error *error) {
    const cJSON *shape = piaa_json_find(item, "shape");
    if (cJSON_IsArray(shape) && cJSON_GetArraySize(shape) > PIAA_MAX_DIMENSIONS)
        return refuse(where, tensor->name, "has more dimensions than the 8 that are read", error);
    tensor->dimensions = piaa_json_ints(item, "shape", tensor->shape, PIAA_MAX_DIMENSIONS);
    bool ok = tensor->dimensions >= 0;
    for (int i = 0; i < tensor->dimensions; i++) ok = ok && tensor->shape[i] >= 0;
    return ok || refuse(where, tensor->name, "has no \"shape\" made of whole numbers", error);
}

static bool read_type(const cJSON *item, const char *where, piaa_tensor *tensor,
                      piaa_error *error) {
    tensor->dtype = piaa_json_string(item, "dtype");
    if (!tensor->dtype) return refuse(where, tensor->name, "has no \"dtype\"", error);
    tensor->type = PIAA_OTHER_TYPE;
    unsigned width = 0; /* of a type that is not in the table: not known */
    for (size_t i = 0; i < PIAA_COUNT(types); i++)
        if (strcmp(types[i].name, tensor->dtype) == 0) {
            tensor->type = types[i].type;
            width = types[i].bytes;
        }
    uint64_t bytes;
    if (!count_bytes(tensor, width ? width : 1, &bytes))
        return refuse(where, tensor->name, "has a shape too large for any machine", error);
    if (width && bytes != tensor->bytes)
        return refuse(where, tensor->name,
                      "has another number of bytes than its shape and type ask for", error);
    return true;
}

static bool read_tensor(const cJSON *item, const char *where, const unsigned char *data,
                        size_t size, piaa_tensor *tensor, piaa_error *error) {
    tensor->name = item->string;
    if (!cJSON_IsObject(item))
        return refuse(where, tensor->name, "is not described by a JSON object", error);
    int64_t offsets[2];
    if (piaa_json_ints(item, "data_offsets", offsets, 2) != 2 || offsets[0] < 0 ||
        offsets[1] < offsets[0])
        return refuse(where, tensor->name,
                      "has no \"data_offsets\" made of two rising whole numbers", error);
    if ((uint64_t)offsets[1] > size)
        return refuse(where, tensor->name, "runs past the end of the file", error);
    tensor->data = data + offsets[0];
    tensor->bytes = (size_t)(offsets[1] - offsets[0]);
    return read_shape(item, where, tensor, error) && read_type(item, where, tensor, error);
}

/* By place, an empty tensor before the one that begins at the same byte. */
static int compare_places(const void *a, const void *b) {
    const piaa_tensor *x = a, *y = b;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q) return p < q ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b) {
    return strcmp((*(const piaa_tensor *const *)a)->name, (*(const piaa_tensor *const *)b)->name);
}

static bool check_tiling(const piaa_safetensors *file, const unsigned char *data, size_t size,
                         piaa_error *error) {
    const unsigned char *end = data;
    for (size_t i = 0; i < file->count; i++) {
        const piaa_tensor *tensor = &file->tensors[i];
        const unsigned char *begin = tensor->data;
        if (begin < end) return refuse(file->where, tensor->name, "overlaps another tensor", error);
        if (begin > end)
            return refuse(file->where, tensor->name,
                          "begins behind a hole that belongs to no tensor", error);
        end = begin + tensor->bytes;
    }
    if (end == data + size) return true;
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s: the last %zu bytes belong to no tensor: the file is damaged, fetch it again",
        file->where, (size_t)(data + size - end));
}

static bool index_names(piaa_safetensors *file, piaa_error *error) {
    file->by_name = piaa_alloc(file->count, sizeof(piaa_tensor *), error);
    if (!file->by_name) return false;
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = &file->tensors[i];
    if (file->count) qsort(file->by_name, file->count, sizeof(piaa_tensor *), compare_names);
    for (size_t i = 1; i < file->count; i++)
        if (strcmp(file->by_name[i - 1]->name, file->by_name[i]->name) == 0)
            return refuse(file->where, file->by_name[i]->name, "occurs twice", error);
    return true;
}

static bool read_header(piaa_safetensors *file, const unsigned char *data, size_t size,
                        piaa_error *error) {
    const cJSON *item;
    size_t items = 0;
    cJSON_ArrayForEach(item, file->header) items++;
    file->tensors = piaa_alloc(items, sizeof *file->tensors, error);
    if (!file->tensors) return false;
    cJSON_ArrayForEach(item, file->header) {
        if (strcmp(item->string, "__metadata__") == 0) continue;
        if (!read_tensor(item, file->where, data, size, &file->tensors[file->count], error))
            return false;
        file->count++;
    }
    if (file->count) qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
    return check_tiling(file, data, size, error) && index_names(file, error);
}

static bool read_file(piaa_safetensors *file, const unsigned char *bytes, size_t size,
                      piaa_error *error) {
    if (!piaa_file_is_whole(bytes, size, file->where, error)) return false;
    uint64_t length = 0;
    for (size_t i = 0; i < LENGTH_SIZE && i < size; i++) length |= (uint64_t)bytes[i] << 8 * i;
    if (size < LENGTH_SIZE || length > size - LENGTH_SIZE)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s is cut off or not a safetensors file: its header would end past "
                              "the end of the file",
                              file->where);
    if (length > HEADER_LIMIT)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s is not a safetensors file: its header would be larger than 100 MB", file->where);
    char *where = piaa_format(error, "%s, header", file->where);
    if (!where) return false;
    file->header = piaa_json_parse((const char *)bytes + LENGTH_SIZE, (size_t)length, where, error);
    free(where);
    if (!file->header) return false;
    if (!cJSON_IsObject(file->header))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s is not a safetensors file: its header is not a JSON object",
                              file->where);
    return read_header(file, bytes + LENGTH_SIZE + length, size - LENGTH_SIZE - (size_t)length,
                       error);
}

piaa_safetensors *piaa_safetensors_parse(const void *bytes, size_t size, const char *where,
                                         piaa_error *error) {
    piaa_safetensors *file = piaa_alloc(1, sizeof *file, error);
    if (!file) return NULL;
    file->where = piaa_strdup(where, error);
    if (file->where && read_file(file, bytes, size, error)) return file;
    piaa_safetensors_close(file);
    return NULL;
}

piaa_safetensors *piaa_safetensors_open(const char *path, piaa_error *error) {
    piaa_map map;
    if (!piaa_map_open(&map, path, error)) return NULL;
    piaa_safetensors *file = piaa_safetensors_parse(map.data, map.size, path, error);
    if (file)
        file->map = map;
    else
        piaa_map_close(&map);
    return file;
}

void piaa_safetensors_close(piaa_safetensors *file) {
    if (!file) return;
    free(file->by_name);
    free(file->tensors);
    cJSON_Delete(file->header);
    piaa_map_close(&file->map);
    free(file->where);
    free(file);
}

const char *piaa_safetensors_where(const piaa_safetensors *file) {
    return file->where;
}

void piaa_safetensors_forget(const piaa_safetensors *file, const piaa_tensor *tensor) {
    piaa_map_forget(&file->map, tensor->data, tensor->bytes);
}

size_t piaa_safetensors_count(const piaa_safetensors *file) {
    return file->count;
}

const piaa_tensor *piaa_safetensors_at(const piaa_safetensors *file, size_t index) {
    return index < file->count ? &file->tensors[index] : NULL;
}

const piaa_tensor *piaa_safetensors_find(const piaa_safetensors *file, const char *name) {
    return piaa_tensor_find(file->by_name, file->count, name);
}
