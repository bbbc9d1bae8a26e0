/* llama.cpp's choice of types (its src/llama-quant.cpp), for the mixtures that we write. */
#include "weights/mixture.h"

#include "base/memory.h"
#include "weights/checkpoint_parts.h"
#include "weights/gguf_names.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum ggml_type text, vision;
} kinds[] = {
    [PIAA_GGUF_KIND_F32] = {"f32", GGML_TYPE_F32, GGML_TYPE_F32},
    [PIAA_GGUF_KIND_F16] = {"f16", GGML_TYPE_F16, GGML_TYPE_F16},
    [PIAA_GGUF_KIND_BF16] = {"bf16", GGML_TYPE_BF16, GGML_TYPE_BF16},
    [PIAA_GGUF_KIND_Q8_0] = {"q8_0", GGML_TYPE_Q8_0, GGML_TYPE_Q8_0},
    [PIAA_GGUF_KIND_Q6_K] = {"q6_K", GGML_TYPE_Q6_K, GGML_TYPE_Q8_0},
    [PIAA_GGUF_KIND_Q5_K] = {"q5_K", GGML_TYPE_Q5_K, GGML_TYPE_Q8_0},
    [PIAA_GGUF_KIND_Q4_K] = {"q4_K", GGML_TYPE_Q4_K, GGML_TYPE_Q8_0},
};

bool piaa_gguf_kind_parse(const char *name, piaa_gguf_kind *out) {
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (piaa_gguf_kind)i;
            return true;
        }
    return false;
}

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

/* Of a weight that llama.cpp has a name for. */
static enum ggml_type named_type(const piaa_checkpoint *c, const piaa_tensor *tensor,
                                 const piaa_gguf_name *row, int block, const char *rest,
                                 piaa_gguf_kind kind) {
    char name[128];
    int64_t blocks = 0;
    snprintf(name, sizeof name, "%s%s", row->theirs, rest);
    if (strstr(name, ".patch_embd.weight"))
        return kind == PIAA_GGUF_KIND_F16 ? GGML_TYPE_F16 : GGML_TYPE_F32;
    if (tensor->dimensions <= 1 || strstr(name, "_norm.weight") || strstr(name, ".position_embd") ||
        strstr(name, ".bias"))
        return GGML_TYPE_F32;
    if (strcmp(name, "mm.input_projection.weight") == 0)
        return GGML_TYPE_F16; /* its product is transposed, for which quantised rows do not serve */
    piaa_json_int(c->config, "text_config.num_hidden_layers", &blocks);
    const bool tied = !piaa_checkpoint_tensor(c, "lm_head.weight");
    return piaa_type_for_rows(
        piaa_gguf_is_vision(row->theirs)
            ? kinds[kind].vision
            : piaa_type_in_mixture(kinds[kind].text, name, block, (int)blocks, tied),
        tensor->shape[tensor->dimensions - 1], GGML_TYPE_F16);
}

enum ggml_type piaa_gguf_type(const piaa_checkpoint *c, const piaa_tensor *tensor,
                              piaa_gguf_kind kind) {
    const piaa_gguf_family *family =
        piaa_gguf_family_find(piaa_json_string(c->config, "model_type"));
    int block;
    const char *rest;
    const piaa_gguf_name *row =
        family ? piaa_gguf_name_find(family, true, tensor->name, &block, &rest) : NULL;
    if (row) return named_type(c, tensor, row, block, rest, kind);
    if (tensor->dimensions != 2) return GGML_TYPE_F32;
    return piaa_type_for_rows(kinds[kind].text, tensor->shape[1], GGML_TYPE_F16);
}
