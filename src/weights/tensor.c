/* A tensor's values as float32, whatever the type in the file.  Quantised blocks are read by ggml,
   which defines them. */
#include "weights/checkpoint.h"

#include "base/memory.h"
#include "base/narrow.h"

#include <ggml.h>
#include <math.h>
#include <string.h>

int64_t piaa_tensor_count(const piaa_tensor *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->dimensions; i++)
        if (tensor->shape[i] == 0)
            return 0; /* before multiplying: only the product that the reader checked is known to
                         fit */
    for (int i = 0; i < tensor->dimensions; i++) count *= tensor->shape[i];
    return count;
}

/* Four bits of exponent (bias 7), three of fraction; the highest code is no number. */
static float from_eight(unsigned char code) {
    const int exponent = code >> 3 & 15, fraction = code & 7;
    float value =
        exponent ? ldexpf(1.0f + (float)fraction / 8, exponent - 7) : ldexpf((float)fraction, -9);
    if (exponent == 15 && fraction == 7) value = NAN;
    return code & 0x80 ? -value : value;
}

static void read_eights(const unsigned char *codes, int64_t count, float *out) {
    float table[256];
    for (int i = 0; i < 256; i++) table[i] = from_eight((unsigned char)i);
    for (int64_t i = 0; i < count; i++) out[i] = table[codes[i]];
}

/* A file may have them at an odd place. */
static void read_halves(const unsigned char *bytes, size_t count, bool half, float *out) {
    uint16_t some[256];
    for (size_t n; count; count -= n, bytes += n * sizeof *some, out += n) {
        n = count < PIAA_COUNT(some) ? count : PIAA_COUNT(some);
        memcpy(some, bytes, n * sizeof *some);
        (half ? piaa_widen_half : piaa_widen_bfloat)(some, n, out);
    }
}

/* Of a run of the matrix's numbers, row by row. */
static void derive(const piaa_tensor *tensor, float *out) {
    const piaa_derived *d = tensor->derived;
    const int64_t count = piaa_tensor_count(tensor),
                  first =
                      (int64_t)((size_t)((const char *)tensor->data - (const char *)d->base.data) /
                                d->width);
    piaa_tensor stored = d->base;
    stored.dimensions = 1;
    stored.shape[0] = count;
    stored.data = tensor->data;
    if (d->scales)
        read_eights(stored.data, count, out);
    else
        piaa_tensor_to_float(&stored, out);
    for (int64_t i = 0, n; i < count; i += n) {
        const int64_t row = (first + i) / d->columns, column = (first + i) % d->columns;
        n = d->columns - column < count - i ? d->columns - column : count - i;
        const float *scales = d->scales ? d->scales + row / d->block_rows * d->scale_columns : NULL;
        for (int64_t k = 0; scales && k < n; k++)
            out[i + k] *= scales[(column + k) / d->block_columns];
        for (int64_t r = 0; r < d->rank; r++) {
            const float factor = d->strength * d->up[row * d->rank + r];
            const float *down = d->down + r * d->columns + column;
            for (int64_t k = 0; k < n; k++) out[i + k] += factor * down[k];
        }
    }
}

void piaa_tensor_to_float(const piaa_tensor *tensor, float *out) {
    if (tensor->derived) {
        derive(tensor, out);
        return;
    }
    int64_t count = piaa_tensor_count(tensor);
    const unsigned char *bytes = tensor->data;
    if (tensor->type == PIAA_F32) {
        if (count) memcpy(out, bytes, (size_t)count * sizeof *out);
        return;
    }
    if (tensor->type == PIAA_QUANTISED) {
        if (count)
            ggml_get_type_traits((enum ggml_type)tensor->ggml_type)->to_float(bytes, out, count);
        return;
    }
    if (tensor->type != PIAA_OTHER_TYPE) {
        read_halves(bytes, (size_t)count, tensor->type == PIAA_F16, out);
        return;
    }
    for (int64_t i = 0; i < count; i++) out[i] = NAN;
}

const piaa_tensor *piaa_tensor_find(const piaa_tensor *const *by_name, size_t count,
                                    const char *name) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, by_name[middle]->name);
        if (order == 0) return by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
