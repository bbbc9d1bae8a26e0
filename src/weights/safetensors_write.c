/* A header whose offsets are counted as it is written, then the numbers, little-endian whatever the
   machine. */
#include "weights/safetensors_write.h"

#include <string.h>

enum { LENGTH = 8 };

static size_t count_values(const piaa_written *tensor) {
    size_t count = 1;
    for (int i = 0; i < tensor->dimensions; i++) count *= (size_t)tensor->shape[i];
    return count;
}

static void add_tensor(piaa_text *out, const piaa_written *tensor, size_t at, piaa_error *error) {
    piaa_text_format(out, error, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", tensor->name);
    for (int i = 0; i < tensor->dimensions; i++)
        piaa_text_format(out, error, "%s%lld", i ? "," : "", (long long)tensor->shape[i]);
    piaa_text_format(out, error, "],\"data_offsets\":[%zu,%zu]}", at,
                     at + count_values(tensor) * sizeof(float));
}

/* The length stands before the header, which is padded to whole words. */
static void add_header(piaa_text *out, const piaa_written *tensors, size_t count,
                       piaa_error *error) {
    static const unsigned char length[LENGTH] = {0};
    const size_t begin = out->length;
    piaa_text_add(out, length, LENGTH, error);
    piaa_text_format(out, error, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0, at = 0; i < count; i++) {
        add_tensor(out, &tensors[i], at, error);
        at += count_values(&tensors[i]) * sizeof(float);
    }
    piaa_text_format(out, error, "}");
    while (!out->failed && (out->length - begin) % LENGTH) piaa_text_add(out, " ", 1, error);
    if (out->failed) return;
    const uint64_t bytes = out->length - begin - LENGTH;
    for (size_t i = 0; i < LENGTH; i++) out->data[begin + i] = (char)(bytes >> 8 * i);
}

static void add_values(piaa_text *out, const piaa_written *tensor, piaa_error *error) {
    const size_t count = count_values(tensor);
    for (size_t i = 0; i < count && !out->failed; i++) {
        uint32_t bits;
        memcpy(&bits, &tensor->data[i], sizeof bits);
        const unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                        (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        piaa_text_add(out, bytes, sizeof bytes, error);
    }
}

bool piaa_safetensors_write(const piaa_written *tensors, size_t count, piaa_text *out,
                            piaa_error *error) {
    add_header(out, tensors, count, error);
    for (size_t i = 0; i < count; i++) add_values(out, &tensors[i], error);
    return !out->failed;
}
