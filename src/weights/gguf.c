/* GGUF (docs/gguf.md of ggml): all numbers little-endian, a string is a 64-bit length and its
 * bytes.
 *
 *     "GGUF", u32 version, u64 tensors, u64 keys
 *     keys x     { string key, u32 type, value }          an array's value: u32 type, u64 count,
 *                elements
 *     tensors x  { string name, u32 n, u64 shape[n] innermost first, u32 type, u64 offset }
 *     padding to the alignment, then the data; offsets count from there
 *
 * A key takes 13 bytes at least and a tensor 24, which bounds what the two counts may claim before
 * anything is allocated for them. */
#include "weights/gguf.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <ggml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_KEY = 13,
    LEAST_TENSOR = 24,
    MAX_RANK = 4,
    MAX_NAME = 1024,
    LEAST_ALIGNMENT = 8,
    MAX_ALIGNMENT = 1 << 20
};

typedef struct entry {
    char *key;
    uint32_t type; /* of the value; of the elements of an array */
    bool array;
    uint64_t count;            /* elements, 1 if it is no array */
    const unsigned char *data; /* the first element */
    char *text;                /* a string, copied */
} entry;

struct piaa_gguf {
    char *where;
    piaa_map map;   /* empty when the caller keeps the bytes */
    entry *entries; /* sorted by key */
    size_t entry_count;
    piaa_tensor *tensors;
    const piaa_tensor **by_name;
    size_t count;
    piaa_gguf **joined; /* whose tensors are among these */
    size_t joined_count;
};

/* What is left to read. */
typedef struct cursor {
    const unsigned char *at, *end;
} cursor;

static const unsigned type_bytes[PIAA_GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static uint64_t little(const unsigned char *bytes, unsigned count) {
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static bool cut(const piaa_gguf *file, const char *what, piaa_error *error) {
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s is cut off or damaged: %s would end past the end of the file: fetch it again",
        file->where, what);
}

static bool take_number(cursor *c, unsigned bytes, uint64_t *out) {
    if ((size_t)(c->end - c->at) < bytes) return false;
    *out = little(c->at, bytes);
    c->at += bytes;
    return true;
}

static bool take_string(cursor *c, const char **text, size_t *size) {
    uint64_t length;
    if (!take_number(c, 8, &length) || length > (size_t)(c->end - c->at)) return false;
    *text = (const char *)c->at;
    *size = (size_t)length;
    c->at += length;
    return true;
}

/* A name as a C string; NULL with an error if it cannot be one. */
static char *copy_name(const piaa_gguf *file, const char *text, size_t size, size_t limit,
                       const char *what, piaa_error *error) {
    if (size == 0 || size > limit || memchr(text, '\0', size) ||
        piaa_utf8_check(text, size) < size) {
        piaa_error_set(
            error, PIAA_FORMAT,
            "%s: %s is empty, too long or not UTF-8 text: the file is damaged, fetch it again",
            file->where, what);
        return NULL;
    }
    char *copy = piaa_alloc(size + 1, 1, error);
    if (copy) memcpy(copy, text, size);
    return copy;
}

/* ------------------------------------------------------------------------------------- metadata */

static bool skip_elements(const piaa_gguf *file, cursor *c, const entry *e, piaa_error *error) {
    if (e->type != PIAA_GGUF_STRING) {
        if (e->count > (size_t)(c->end - c->at) / type_bytes[e->type])
            return cut(file, e->key, error);
        c->at += e->count * type_bytes[e->type];
        return true;
    }
    const char *text;
    size_t size;
    for (uint64_t i = 0; i < e->count; i++)
        if (!take_string(c, &text, &size)) return cut(file, e->key, error);
    return true;
}

static bool read_entry(piaa_gguf *file, cursor *c, entry *e, piaa_error *error) {
    const char *text;
    size_t size;
    uint64_t type;
    if (!take_string(c, &text, &size)) return cut(file, "a key", error);
    e->key = copy_name(file, text, size, MAX_NAME, "a key", error);
    if (!e->key) return false;
    if (!take_number(c, 4, &type)) return cut(file, e->key, error);
    e->count = 1;
    e->array = type == PIAA_GGUF_ARRAY;
    if (e->array && (!take_number(c, 4, &type) || !take_number(c, 8, &e->count)))
        return cut(file, e->key, error);
    if (type >= PIAA_GGUF_TYPES || type == PIAA_GGUF_ARRAY)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the value of %s has type %llu, which is not read: the file is damaged or too new",
            file->where, e->key, (unsigned long long)type);
    e->type = (uint32_t)type;
    e->data = c->at;
    if (!skip_elements(file, c, e, error)) return false;
    if (e->array || e->type != PIAA_GGUF_STRING) return true;
    cursor again = {e->data, c->at};
    if (!take_string(&again, &text, &size)) return cut(file, e->key, error);
    /* Notes in other encodings stand in files that are whole; whoever needs this one misses it. */
    if (memchr(text, '\0', size) || piaa_utf8_check(text, size) < size) return true;
    e->text = piaa_alloc(size + 1, 1, error);
    if (e->text) memcpy(e->text, text, size);
    return e->text != NULL;
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(((const entry *)a)->key, ((const entry *)b)->key);
}

static bool read_entries(piaa_gguf *file, cursor *c, uint64_t count, piaa_error *error) {
    if (count > (size_t)(c->end - c->at) / LEAST_KEY) return cut(file, "the metadata", error);
    file->entries = piaa_alloc((size_t)count, sizeof *file->entries, error);
    if (!file->entries) return false;
    while (file->entry_count < count)
        if (!read_entry(file, c, &file->entries[file->entry_count++], error)) return false;
    if (count) qsort(file->entries, (size_t)count, sizeof *file->entries, compare_keys);
    for (size_t i = 1; i < count; i++)
        if (strcmp(file->entries[i - 1].key, file->entries[i].key) == 0)
            return piaa_error_set(
                error, PIAA_FORMAT,
                "%s: the key %s occurs twice: the file is damaged, fetch it again", file->where,
                file->entries[i].key);
    return true;
}

static const entry *find_entry(const piaa_gguf *file, const char *key, bool array) {
    size_t low = 0, high = file->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, file->entries[middle].key);
        if (order == 0) return file->entries[middle].array == array ? &file->entries[middle] : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Not for strings. */
static double element(uint32_t type, const unsigned char *data) {
    uint64_t bits = little(data, type_bytes[type]);
    uint32_t low = (uint32_t)bits;
    float narrow;
    double wide;
    switch (type) {
    case PIAA_GGUF_INT8:
        return (double)(int8_t)bits;
    case PIAA_GGUF_INT16:
        return (double)(int16_t)bits;
    case PIAA_GGUF_INT32:
        return (double)(int32_t)bits;
    case PIAA_GGUF_INT64:
        return (double)(int64_t)bits;
    case PIAA_GGUF_FLOAT32:
        memcpy(&narrow, &low, sizeof narrow);
        return (double)narrow;
    case PIAA_GGUF_FLOAT64:
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    default:
        return (double)bits;
    }
}

bool piaa_gguf_number(const piaa_gguf *file, const char *key, double *out) {
    const entry *e = find_entry(file, key, false);
    if (!e || e->type == PIAA_GGUF_STRING || e->type == PIAA_GGUF_BOOL) return false;
    double value = element(e->type, e->data);
    if (!isfinite(value)) return false;
    *out = value;
    return true;
}

bool piaa_gguf_int(const piaa_gguf *file, const char *key, int64_t *out) {
    double value;
    if (!piaa_gguf_number(file, key, &value) || fabs(value) > 0x1p53 || value != floor(value))
        return false;
    *out = (int64_t)value;
    return true;
}

bool piaa_gguf_bool(const piaa_gguf *file, const char *key, bool *out) {
    const entry *e = find_entry(file, key, false);
    if (!e || e->type != PIAA_GGUF_BOOL) return false;
    *out = e->data[0] != 0;
    return true;
}

const char *piaa_gguf_string(const piaa_gguf *file, const char *key) {
    const entry *e = find_entry(file, key, false);
    return e ? e->text : NULL;
}

bool piaa_gguf_get_array(const piaa_gguf *file, const char *key, piaa_gguf_array *out) {
    const entry *e = find_entry(file, key, true);
    if (!e) return false;
    *out = (piaa_gguf_array){.count = e->count, .type = e->type, .next = e->data};
    return true;
}

bool piaa_gguf_array_is_text(const piaa_gguf_array *array) {
    return array->type == PIAA_GGUF_STRING;
}

double piaa_gguf_next_number(piaa_gguf_array *array) {
    double value = element(array->type, array->next);
    array->next += type_bytes[array->type];
    return value;
}

const char *piaa_gguf_next_text(piaa_gguf_array *array, size_t *size) {
    *size = (size_t)little(array->next, 8);
    const char *text = (const char *)array->next + 8;
    array->next += 8 + *size;
    return text;
}

/* -------------------------------------------------------------------------------------- tensors */

static bool refuse(const piaa_gguf *file, const piaa_tensor *tensor, const char *what,
                   piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s: tensor %.200s %s: the file is damaged, fetch it again", file->where,
                          tensor->name, what);
}

/* Sets type, dtype and bytes from ggml's number for the type and the shape. */
static bool read_type(const piaa_gguf *file, uint64_t number, piaa_tensor *tensor,
                      piaa_error *error) {
    const struct ggml_type_traits *traits =
        number < GGML_TYPE_COUNT ? ggml_get_type_traits((enum ggml_type)number) : NULL;
    if (!traits || !traits->type_size || traits->blck_size <= 0)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: tensor %.200s is stored as ggml's type %llu, which is not read: "
                              "use another quantisation of the model",
                              file->where, tensor->name, (unsigned long long)number);
    tensor->ggml_type = (int)number;
    tensor->dtype = traits->type_name;
    tensor->type = traits->is_quantized && traits->to_float ? PIAA_QUANTISED : PIAA_OTHER_TYPE;
    if (number == GGML_TYPE_F32) tensor->type = PIAA_F32, tensor->dtype = "F32";
    if (number == GGML_TYPE_F16) tensor->type = PIAA_F16, tensor->dtype = "F16";
    if (number == GGML_TYPE_BF16) tensor->type = PIAA_BF16, tensor->dtype = "BF16";
    int64_t row = tensor->dimensions ? tensor->shape[tensor->dimensions - 1] : 1;
    if (row % traits->blck_size)
        return refuse(file, tensor, "has rows that are no whole blocks of its type", error);
    uint64_t bytes = (uint64_t)(row / traits->blck_size);
    if (bytes > INT64_MAX / traits->type_size)
        return refuse(file, tensor, "has a shape too large for any machine", error);
    bytes *= traits->type_size;
    /* Values and bytes both have to fit: a block of many values can be smaller than one of them
       would be as a float. */
    uint64_t values = (uint64_t)row;
    for (int i = 0; i + 1 < tensor->dimensions; i++) {
        uint64_t n = (uint64_t)tensor->shape[i];
        if (n && (bytes > INT64_MAX / n || values > INT64_MAX / n / 4))
            return refuse(file, tensor, "has a shape too large for any machine", error);
        bytes *= n;
        values *= n;
    }
    tensor->bytes = (size_t)bytes;
    return true;
}

/* *offset: from the beginning of the data, which is not known yet. */
static bool read_tensor(const piaa_gguf *file, cursor *c, piaa_tensor *tensor, uint64_t *offset,
                        piaa_error *error) {
    const char *text;
    size_t size;
    uint64_t rank, type;
    if (!take_string(c, &text, &size)) return cut(file, "a tensor's name", error);
    tensor->name = copy_name(file, text, size, MAX_NAME, "a tensor's name", error);
    if (!tensor->name) return false;
    if (!take_number(c, 4, &rank)) return cut(file, tensor->name, error);
    if (rank > MAX_RANK)
        return refuse(file, tensor, "has more dimensions than the 4 that GGUF allows", error);
    tensor->dimensions = (int)rank;
    for (int i = tensor->dimensions - 1; i >= 0; i--) {
        uint64_t length;
        if (!take_number(c, 8, &length)) return cut(file, tensor->name, error);
        if (length > INT64_MAX / 8)
            return refuse(file, tensor, "has a shape too large for any machine", error);
        tensor->shape[i] = (int64_t)length;
    }
    if (!take_number(c, 4, &type) || !take_number(c, 8, offset))
        return cut(file, tensor->name, error);
    return read_type(file, type, tensor, error);
}

static int compare_names(const void *a, const void *b) {
    return strcmp((*(const piaa_tensor *const *)a)->name, (*(const piaa_tensor *const *)b)->name);
}

static int compare_places(const void *a, const void *b) {
    const piaa_tensor *x = *(const piaa_tensor *const *)a, *y = *(const piaa_tensor *const *)b;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q) return p < q ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* No two tensors share a byte, and no two a name; leaves by_name sorted by name. */
static bool check_tensors(piaa_gguf *file, piaa_error *error) {
    free(file->by_name);
    file->by_name = piaa_alloc(file->count, sizeof(piaa_tensor *), error);
    if (!file->by_name) return false;
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = &file->tensors[i];
    if (file->count) qsort(file->by_name, file->count, sizeof(piaa_tensor *), compare_places);
    for (size_t i = 1; i < file->count; i++)
        if ((const unsigned char *)file->by_name[i - 1]->data + file->by_name[i - 1]->bytes >
            (const unsigned char *)file->by_name[i]->data)
            return refuse(file, file->by_name[i], "overlaps another tensor", error);
    if (file->count) qsort(file->by_name, file->count, sizeof(piaa_tensor *), compare_names);
    for (size_t i = 1; i < file->count; i++)
        if (strcmp(file->by_name[i - 1]->name, file->by_name[i]->name) == 0)
            return refuse(file, file->by_name[i], "occurs twice", error);
    return true;
}

static bool read_alignment(const piaa_gguf *file, size_t *out, piaa_error *error) {
    int64_t alignment = PIAA_GGUF_ALIGNMENT;
    piaa_gguf_int(file, "general.alignment", &alignment);
    if (alignment < LEAST_ALIGNMENT || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)))
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: general.alignment is %lld, not a power of two from %d on: the file is damaged",
            file->where, (long long)alignment, LEAST_ALIGNMENT);
    *out = (size_t)alignment;
    return true;
}

static bool read_tensors(piaa_gguf *file, cursor *c, const unsigned char *begin, uint64_t count,
                         piaa_error *error) {
    size_t alignment = PIAA_GGUF_ALIGNMENT;
    if (count > (size_t)(c->end - c->at) / LEAST_TENSOR)
        return cut(file, "the list of tensors", error);
    if (!read_alignment(file, &alignment, error)) return false;
    file->tensors = piaa_alloc((size_t)count, sizeof *file->tensors, error);
    uint64_t *offsets = piaa_alloc((size_t)count, sizeof *offsets, error);
    bool ok = file->tensors && offsets;
    while (ok && file->count < count) {
        ok = read_tensor(file, c, &file->tensors[file->count], &offsets[file->count], error);
        file->count++; /* even so: its name may have to be freed */
    }
    size_t head = (size_t)(c->at - begin), size = (size_t)(c->end - begin);
    size_t start = (head + alignment - 1) / alignment * alignment;
    for (size_t i = 0; ok && i < count; i++) {
        piaa_tensor *tensor = &file->tensors[i];
        if (offsets[i] % alignment)
            ok = refuse(file, tensor, "does not begin at a multiple of the alignment", error);
        else if (start > size || offsets[i] > size - start ||
                 tensor->bytes > size - start - offsets[i])
            ok = piaa_error_set(error, PIAA_FORMAT,
                                "%s is cut off or damaged: tensor %.200s would end past the end of "
                                "the file: fetch it again",
                                file->where, tensor->name);
        else
            tensor->data = begin + start + offsets[i];
    }
    free(offsets);
    return ok && check_tensors(file, error);
}

/* ---------------------------------------------------------------------------------------- files */

static bool read_file(piaa_gguf *file, const unsigned char *bytes, size_t size, piaa_error *error) {
    uint64_t version = 0, tensors = 0, keys = 0;
    if (!piaa_file_is_whole(bytes, size, file->where, error)) return false;
    if (size < 4 || memcmp(bytes, "GGUF", 4) != 0)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s is not a GGUF file: it does not begin with the letters GGUF",
                              file->where);
    cursor c = {bytes + 4, bytes + size};
    if (!take_number(&c, 4, &version)) return cut(file, "the version", error);
    if (version && !(version & 0xffff))
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s is a big-endian GGUF file, which is not read: use the little-endian one",
            file->where);
    if (version != 2 && version != 3)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s is a GGUF file of version %llu, and versions 2 and 3 are read: convert it anew",
            file->where, (unsigned long long)version);
    if (!take_number(&c, 8, &tensors) || !take_number(&c, 8, &keys))
        return cut(file, "the header", error);
    return read_entries(file, &c, keys, error) && read_tensors(file, &c, bytes, tensors, error);
}

piaa_gguf *piaa_gguf_parse(const void *bytes, size_t size, const char *where, piaa_error *error) {
    piaa_gguf *file = piaa_alloc(1, sizeof *file, error);
    if (!file) return NULL;
    file->where = piaa_strdup(where, error);
    if (file->where && read_file(file, bytes, size, error)) return file;
    piaa_gguf_close(file);
    return NULL;
}

piaa_gguf *piaa_gguf_open(const char *path, piaa_error *error) {
    piaa_map map;
    if (!piaa_map_open(&map, path, error)) return NULL;
    piaa_gguf *file = piaa_gguf_parse(map.data, map.size, path, error);
    if (file)
        file->map = map;
    else
        piaa_map_close(&map);
    return file;
}

void piaa_gguf_close(piaa_gguf *file) {
    if (!file) return;
    for (size_t i = 0; i < file->entry_count; i++) {
        free(file->entries[i].key);
        free(file->entries[i].text);
    }
    for (size_t i = 0; i < file->count; i++) free((char *)(uintptr_t)file->tensors[i].name);
    free(file->entries);
    free(file->by_name);
    free(file->tensors);
    for (size_t i = 0; i < file->joined_count; i++) piaa_gguf_close(file->joined[i]);
    free(file->joined);
    piaa_map_close(&file->map);
    free(file->where);
    free(file);
}

bool piaa_gguf_join(piaa_gguf *file, piaa_gguf **others, size_t count, piaa_error *error) {
    size_t capacity = file->count, total = file->count;
    for (size_t i = 0; i < count; i++) total += others[i]->count;
    file->joined = piaa_alloc(count, sizeof(piaa_gguf *), error);
    if (!file->joined || !piaa_grow(&file->tensors, &capacity, total, sizeof *file->tensors, error))
        return false;
    for (; file->joined_count < count; file->joined_count++) {
        piaa_gguf *other = others[file->joined_count];
        if (other->count)
            memcpy(file->tensors + file->count, other->tensors,
                   other->count * sizeof *other->tensors);
        file->count += other->count;
        other->count = 0; /* the names are this file's now */
        file->joined[file->joined_count] = other;
        others[file->joined_count] = NULL;
    }
    return check_tensors(file, error);
}

bool piaa_gguf_is(const char *path) {
    piaa_map map; /* which no pipe keeps waiting */
    bool is = piaa_map_open(&map, path, NULL) && map.size >= 4 && memcmp(map.data, "GGUF", 4) == 0;
    piaa_map_close(&map);
    return is;
}

const char *piaa_gguf_where(const piaa_gguf *file) {
    return file->where;
}

void piaa_gguf_forget(const piaa_gguf *file, const piaa_tensor *tensor) {
    piaa_map_forget(&file->map, tensor->data, tensor->bytes); /* of another's data, nothing */
    for (size_t i = 0; i < file->joined_count; i++) piaa_gguf_forget(file->joined[i], tensor);
}

size_t piaa_gguf_count(const piaa_gguf *file) {
    return file->count;
}

const piaa_tensor *piaa_gguf_at(const piaa_gguf *file, size_t index) {
    return index < file->count ? &file->tensors[index] : NULL;
}

const piaa_tensor *piaa_gguf_find(const piaa_gguf *file, const char *name) {
    return piaa_tensor_find(file->by_name, file->count, name);
}

bool piaa_gguf_has(const piaa_gguf *file, const char *key) {
    return find_entry(file, key, false) || find_entry(file, key, true);
}

const char *piaa_gguf_key(const piaa_gguf *file, size_t index) {
    return index < file->entry_count ? file->entries[index].key : NULL;
}
