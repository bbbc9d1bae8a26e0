/* A tensor's values as float32, whatever the type in the file.
 *
 * bfloat16 is the upper half of a float32. float16 has 5 exponent bits (bias 15) and 10 of
 * fraction: shifted into float32's places the exponent is short by 127 - 15 = 112, which is added;
 * what has exponent 0 (zero and subnormals) is fraction x 2^-24. Quantised blocks are read by ggml,
 * which defines them. */
#include "weights/checkpoint.h"

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

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1f,
             fraction = half & 0x3ff;
    if (exponent == 0) return from_bits(sign | 0x3f800000) * (float)fraction * 0x1p-24f;
    if (exponent == 31) return from_bits(sign | 0x7f800000 | fraction << 13);
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
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
    for (int64_t i = 0; i < count; i++) {
        uint16_t half = 0;
        if (tensor->type != PIAA_OTHER_TYPE) memcpy(&half, bytes + 2 * i, sizeof half);
        switch (tensor->type) {
        case PIAA_F16:
            out[i] = from_half(half);
            break;
        case PIAA_BF16:
            out[i] = from_bits((uint32_t)half << 16);
            break;
        default:
            out[i] = NAN;
            break;
        }
    }
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
