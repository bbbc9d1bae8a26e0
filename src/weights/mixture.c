/* llama.cpp's choice of types (its src/llama-quant.cpp), for the mixtures that we write. */
#include "weights/mixture.h"

#include <string.h>

enum ggml_type piaa_type_for_rows(enum ggml_type type, int64_t columns, enum ggml_type plain) {
    if (columns % ggml_blck_size(type) == 0) return type;
    enum ggml_type smaller = type == GGML_TYPE_Q4_K   ? GGML_TYPE_Q5_0
                             : type == GGML_TYPE_Q5_K ? GGML_TYPE_Q5_1
                             : type == GGML_TYPE_Q6_K ? GGML_TYPE_Q8_0
                                                      : type;
    return columns % ggml_blck_size(smaller) == 0 ? smaller : plain;
}

/* The first and the last eighth of the blocks, and every third between. */
static bool more_bits(int block, int blocks) {
    return block < blocks / 8 || block >= 7 * blocks / 8 || (block - blocks / 8) % 3 == 2;
}

enum ggml_type piaa_type_in_mixture(enum ggml_type type, const char *name, int block, int blocks,
                                    bool tied) {
    if (type != GGML_TYPE_Q4_K && type != GGML_TYPE_Q5_K) return type;
    bool output = strcmp(name, tied ? "token_embd.weight" : "output.weight") == 0;
    bool favoured = strstr(name, ".attn_v.weight") || strstr(name, ".ffn_down.weight");
    return output || (favoured && more_bits(block, blocks)) ? GGML_TYPE_Q6_K : type;
}
