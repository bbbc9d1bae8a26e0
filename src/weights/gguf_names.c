/* The names, family by family.  A family that llama.cpp converts is one table here. */
#include "weights/gguf_names.h"

#include "base/memory.h"

#include <string.h>

#define TEXT "model.language_model."
#define LAYER TEXT "layers.#."
#define QWEN "model.visual."
#define TOWER "model.vision_tower."
#define PROJECTOR "model.multi_modal_projector."

/* Of every decoder. */
#define DECODER(norms)                                                                             \
    {"token_embd", TEXT "embed_tokens", PIAA_GGUF_SAME}, {"output_norm", TEXT "norm", norms},      \
        {"output", "lm_head", PIAA_GGUF_SAME},                                                     \
        {"blk.#.attn_norm", LAYER "input_layernorm", norms},                                       \
        {"blk.#.attn_q", LAYER "self_attn.q_proj", PIAA_GGUF_SAME},                                \
        {"blk.#.attn_k", LAYER "self_attn.k_proj", PIAA_GGUF_SAME},                                \
        {"blk.#.attn_v", LAYER "self_attn.v_proj", PIAA_GGUF_SAME},                                \
        {"blk.#.attn_output", LAYER "self_attn.o_proj", PIAA_GGUF_SAME},                           \
        {"blk.#.attn_q_norm", LAYER "self_attn.q_norm", norms},                                    \
        {"blk.#.attn_k_norm", LAYER "self_attn.k_norm", norms},                                    \
        {"blk.#.ffn_gate", LAYER "mlp.gate_proj", PIAA_GGUF_SAME},                                 \
        {"blk.#.ffn_up", LAYER "mlp.up_proj", PIAA_GGUF_SAME}, {                                   \
        "blk.#.ffn_down", LAYER "mlp.down_proj", PIAA_GGUF_SAME                                    \
    }

const piaa_gguf_family piaa_gguf_families[] = {
    {.architecture = "qwen3vl",
     .projector = "qwen3vl_merger",
     .model_type = "qwen3_vl",
     .names =
         {
             DECODER(PIAA_GGUF_SAME),
             {"blk.#.ffn_norm", LAYER "post_attention_layernorm", PIAA_GGUF_SAME},
             {"v.patch_embd.weight", QWEN "patch_embed.proj.weight", PIAA_GGUF_HALVES},
             {"v.patch_embd.bias", QWEN "patch_embed.proj.bias", PIAA_GGUF_SAME},
             {"v.position_embd", QWEN "pos_embed", PIAA_GGUF_SAME},
             {"v.blk.#.ln1", QWEN "blocks.#.norm1", PIAA_GGUF_SAME},
             {"v.blk.#.ln2", QWEN "blocks.#.norm2", PIAA_GGUF_SAME},
             {"v.blk.#.attn_qkv", QWEN "blocks.#.attn.qkv", PIAA_GGUF_SAME},
             {"v.blk.#.attn_out", QWEN "blocks.#.attn.proj", PIAA_GGUF_SAME},
             {"v.blk.#.ffn_up", QWEN "blocks.#.mlp.linear_fc1", PIAA_GGUF_SAME},
             {"v.blk.#.ffn_down", QWEN "blocks.#.mlp.linear_fc2", PIAA_GGUF_SAME},
             {"v.deepstack.#.norm", QWEN "deepstack_merger_list.#.norm", PIAA_GGUF_DEEPSTACK},
             {"v.deepstack.#.fc1", QWEN "deepstack_merger_list.#.linear_fc1", PIAA_GGUF_DEEPSTACK},
             {"v.deepstack.#.fc2", QWEN "deepstack_merger_list.#.linear_fc2", PIAA_GGUF_DEEPSTACK},
             {"v.post_ln", QWEN "merger.norm", PIAA_GGUF_SAME},
             {"mm.0", QWEN "merger.linear_fc1", PIAA_GGUF_SAME},
             {"mm.2", QWEN "merger.linear_fc2", PIAA_GGUF_SAME},
             /* Ollama's, of 2025 and later. */
             {"v.patch_embed.weight", QWEN "patch_embed.proj.weight", PIAA_GGUF_HALVES},
             {"v.patch_embed.bias", QWEN "patch_embed.proj.bias", PIAA_GGUF_SAME},
             {"v.pos_embed", QWEN "pos_embed", PIAA_GGUF_SAME},
             {"v.blk.#.norm1", QWEN "blocks.#.norm1", PIAA_GGUF_SAME},
             {"v.blk.#.norm2", QWEN "blocks.#.norm2", PIAA_GGUF_SAME},
             {"v.blk.#.attn_q", QWEN "blocks.#.attn.qkv", PIAA_GGUF_PARTED},
             {"v.blk.#.mlp.linear_fc1", QWEN "blocks.#.mlp.linear_fc1", PIAA_GGUF_SAME},
             {"v.blk.#.mlp.linear_fc2", QWEN "blocks.#.mlp.linear_fc2", PIAA_GGUF_SAME},
             {"v.deepstack_merger.#.norm", QWEN "deepstack_merger_list.#.norm", PIAA_GGUF_SAME},
             {"v.deepstack_merger.#.linear_fc1", QWEN "deepstack_merger_list.#.linear_fc1",
              PIAA_GGUF_SAME},
             {"v.deepstack_merger.#.linear_fc2", QWEN "deepstack_merger_list.#.linear_fc2",
              PIAA_GGUF_SAME},
             {"v.deepstack.#.linear_fc1", QWEN "deepstack_merger_list.#.linear_fc1",
              PIAA_GGUF_SAME},
             {"v.deepstack.#.linear_fc2", QWEN "deepstack_merger_list.#.linear_fc2",
              PIAA_GGUF_SAME},
             {"v.merger.norm", QWEN "merger.norm", PIAA_GGUF_SAME},
             {"v.merger.linear_fc1", QWEN "merger.linear_fc1", PIAA_GGUF_SAME},
             {"v.merger.linear_fc2", QWEN "merger.linear_fc2", PIAA_GGUF_SAME},
         }},
    {.architecture = "qwen25vl", /* Ollama's; llama.cpp calls it qwen2vl */
     .projector = "qwen2.5vl_merger",
     .model_type = "qwen2_5_vl",
     .only_read = true,
     .names =
         {
             DECODER(PIAA_GGUF_SAME),
             {"blk.#.ffn_norm", LAYER "post_attention_layernorm", PIAA_GGUF_SAME},
             {"v.patch_embd_0.weight", QWEN "patch_embed.proj.weight", PIAA_GGUF_HALVES},
             {"v.blk.#.ln1", QWEN "blocks.#.norm1", PIAA_GGUF_SAME},
             {"v.blk.#.ln2", QWEN "blocks.#.norm2", PIAA_GGUF_SAME},
             {"v.blk.#.attn_q", QWEN "blocks.#.attn.qkv", PIAA_GGUF_PARTED},
             {"v.blk.#.attn_out", QWEN "blocks.#.attn.proj", PIAA_GGUF_SAME},
             {"v.blk.#.ffn_gate", QWEN "blocks.#.mlp.gate_proj", PIAA_GGUF_SAME},
             {"v.blk.#.ffn_up", QWEN "blocks.#.mlp.up_proj", PIAA_GGUF_SAME},
             {"v.blk.#.ffn_down", QWEN "blocks.#.mlp.down_proj", PIAA_GGUF_SAME},
             {"v.merger.ln_q", QWEN "merger.ln_q", PIAA_GGUF_SAME},
             {"v.merger.mlp.0", QWEN "merger.mlp.0", PIAA_GGUF_SAME},
             {"v.merger.mlp.2", QWEN "merger.mlp.2", PIAA_GGUF_SAME},
         }},
    {.architecture = "gemma3",
     .projector = "gemma3",
     .model_type = "gemma3",
     .names =
         {
             DECODER(PIAA_GGUF_PLUS_ONE),
             {"blk.#.post_attention_norm", LAYER "post_attention_layernorm", PIAA_GGUF_PLUS_ONE},
             {"blk.#.ffn_norm", LAYER "pre_feedforward_layernorm", PIAA_GGUF_PLUS_ONE},
             {"blk.#.post_ffw_norm", LAYER "post_feedforward_layernorm", PIAA_GGUF_PLUS_ONE},
             {"v.patch_embd", TOWER "embeddings.patch_embedding", PIAA_GGUF_SAME},
             {"v.position_embd", TOWER "embeddings.position_embedding", PIAA_GGUF_SAME},
             {"v.blk.#.ln1", TOWER "encoder.layers.#.layer_norm1", PIAA_GGUF_SAME},
             {"v.blk.#.ln2", TOWER "encoder.layers.#.layer_norm2", PIAA_GGUF_SAME},
             {"v.blk.#.attn_q", TOWER "encoder.layers.#.self_attn.q_proj", PIAA_GGUF_SAME},
             {"v.blk.#.attn_k", TOWER "encoder.layers.#.self_attn.k_proj", PIAA_GGUF_SAME},
             {"v.blk.#.attn_v", TOWER "encoder.layers.#.self_attn.v_proj", PIAA_GGUF_SAME},
             {"v.blk.#.attn_out", TOWER "encoder.layers.#.self_attn.out_proj", PIAA_GGUF_SAME},
             {"v.blk.#.ffn_up", TOWER "encoder.layers.#.mlp.fc1", PIAA_GGUF_SAME},
             {"v.blk.#.ffn_down", TOWER "encoder.layers.#.mlp.fc2", PIAA_GGUF_SAME},
             {"v.post_ln", TOWER "post_layernorm", PIAA_GGUF_SAME},
             {"mm.input_projection.weight", PROJECTOR "mm_input_projection_weight", PIAA_GGUF_SAME},
             {"mm.soft_emb_norm", PROJECTOR "mm_soft_emb_norm", PIAA_GGUF_PLUS_ONE},
             /* Ollama's. */
             {"v.patch_embedding", TOWER "embeddings.patch_embedding", PIAA_GGUF_SAME},
             {"v.position_embedding", TOWER "embeddings.position_embedding", PIAA_GGUF_SAME},
             {"v.blk.#.layer_norm1", TOWER "encoder.layers.#.layer_norm1", PIAA_GGUF_SAME},
             {"v.blk.#.layer_norm2", TOWER "encoder.layers.#.layer_norm2", PIAA_GGUF_SAME},
             {"v.blk.#.attn_output", TOWER "encoder.layers.#.self_attn.out_proj", PIAA_GGUF_SAME},
             {"v.blk.#.mlp.fc1", TOWER "encoder.layers.#.mlp.fc1", PIAA_GGUF_SAME},
             {"v.blk.#.mlp.fc2", TOWER "encoder.layers.#.mlp.fc2", PIAA_GGUF_SAME},
             {"v.post_layernorm", TOWER "post_layernorm", PIAA_GGUF_SAME},
             {"mm.mm_input_projection.weight", PROJECTOR "mm_input_projection_weight",
              PIAA_GGUF_SAME},
             {"mm.mm_soft_emb_norm", PROJECTOR "mm_soft_emb_norm", PIAA_GGUF_PLUS_ONE},
         }},
};

const size_t piaa_gguf_family_count = PIAA_COUNT(piaa_gguf_families);

const piaa_gguf_family *piaa_gguf_family_find(const char *model_type) {
    for (size_t i = 0; model_type && i < piaa_gguf_family_count; i++)
        if (strcmp(model_type, piaa_gguf_families[i].model_type) == 0 &&
            !piaa_gguf_families[i].only_read)
            return &piaa_gguf_families[i];
    return NULL;
}

bool piaa_gguf_is_vision(const char *theirs) {
    return strncmp(theirs, "v.", 2) == 0 || strncmp(theirs, "mm.", 3) == 0;
}

/* How much of `name` the pattern takes; 0 if it does not fit. */
static size_t match(const char *pattern, const char *name, int *block) {
    const char *at = name;
    *block = -1;
    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (*at++ != *pattern) return 0;
            continue;
        }
        int number = 0, digits = 0;
        for (; *at >= '0' && *at <= '9' && digits < 6; digits++)
            number = number * 10 + (*at++ - '0');
        if (!digits) return 0;
        *block = number;
    }
    return (size_t)(at - name);
}

const piaa_gguf_name *piaa_gguf_name_find(const piaa_gguf_family *family, bool ours,
                                          const char *name, int *block, const char **rest) {
    for (const piaa_gguf_name *row = family->names; row->theirs; row++) {
        const char *pattern = ours ? row->ours : row->theirs;
        size_t size = match(pattern, name, block);
        if (!size) continue;
        *rest = name + size;
        if (!**rest) {
            /* A whole name; a stem alone is not one. */
            if (strstr(row->theirs, ".weight") || strstr(row->theirs, ".bias")) return row;
        } else if (strcmp(*rest, ".weight") == 0 || strcmp(*rest, ".bias") == 0) {
            return row;
        }
    }
    return NULL;
}

char *piaa_gguf_name_make(const char *pattern, int block, const char *rest, piaa_error *error) {
    const char *hash = strchr(pattern, '#');
    if (!hash) return piaa_format(error, "%s%s", pattern, rest);
    return piaa_format(error, "%.*s%d%s%s", (int)(hash - pattern), pattern, block, hash + 1, rest);
}
