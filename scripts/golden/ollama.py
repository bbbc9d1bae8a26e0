#!/usr/bin/env python3
"""Golden checkpoints as Ollama's library keeps models: one GGUF file with the vision part inside.

Keys, names and shapes are those of ollama/ollama, convert/convert_{qwen3vl,qwen25vl,gemma3}.go; of
Qwen3-VL both its forms, that of the published models (October 2025) and the later one.

    ollama.py GOLDEN        writes GOLDEN/gguf_ollama/*.gguf from GOLDEN/{qwen3vl,qwen25vl,gemma3}
"""
import json
import os
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

GOLDEN = sys.argv[1]


def rename(name, pairs):
    """As Go's strings.NewReplacer: at each place the first of the old texts that fits."""
    out, at = "", 0
    while at < len(name):
        for old, new in pairs:
            if name.startswith(old, at):
                out, at = out + new, at + len(old)
                break
        else:
            out, at = out + name[at], at + 1
    return out


def add(writer, prefix, values):
    for key, value in values.items():
        key = f"{prefix}.{key}"
        if isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value[0], float):
            writer.add_array(key, value)
        else:
            writer.add_key_value(key, value, gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.INT32)


def add_tokenizer(writer, folder):
    tokenizer = json.load(open(f"{folder}/tokenizer.json", encoding="utf-8"))
    added = {token["id"]: token for token in tokenizer["added_tokens"]}
    tokens = {i: text for text, i in tokenizer["model"]["vocab"].items()}
    tokens.update({i: token["content"] for i, token in added.items()})
    count = max(tokens) + 1
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([tokens.get(i, f"[PAD{i}]") for i in range(count)])
    writer.add_token_types([(3 if added[i]["special"] else 4) if i in added else 1 if i in tokens else 5
                            for i in range(count)])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])


DECODER = [("lm_head", "output"), ("model.embed_tokens", "token_embd"), ("model.layers", "blk"),
           ("input_layernorm", "attn_norm"), ("self_attn.k_proj", "attn_k"), ("self_attn.k_norm", "attn_k_norm"),
           ("self_attn.v_proj", "attn_v"), ("self_attn.q_proj", "attn_q"), ("self_attn.q_norm", "attn_q_norm"),
           ("self_attn.o_proj", "attn_output"), ("mlp.down_proj", "ffn_down"), ("mlp.gate_proj", "ffn_gate"),
           ("mlp.up_proj", "ffn_up"), ("post_attention_layernorm", "ffn_norm"), ("model.norm", "output_norm")]


def decoder(text, rope):
    return {"block_count": text["num_hidden_layers"], "context_length": text["max_position_embeddings"],
            "embedding_length": text["hidden_size"], "feed_forward_length": text["intermediate_size"],
            "attention.head_count": text["num_attention_heads"], "attention.head_count_kv": text["num_key_value_heads"],
            "rope.freq_base": float(rope["rope_theta"]), "attention.layer_norm_rms_epsilon": text["rms_norm_eps"]}


def split(name, tensor, joined, axis=0):
    """q, k and v apart."""
    for part, letter in zip(np.split(tensor, 3, axis), "qkv"):
        yield name.replace(joined, f"attn_{letter}"), part


def qwen3vl(config, image, later):
    text, vision = config["text_config"], config["vision_config"]
    rope = text["rope_parameters"]
    keys = decoder(text, rope) | {"attention.key_length": text["head_dim"], "attention.value_length": text["head_dim"]}
    # The published models leave the sections out, which are always 24, 20, 20 there: these are not.
    keys |= {"rope.dimension_sections": rope["mrope_section"] + [0]} if later else {"mrope_sections": rope["mrope_section"]}
    if later:
        keys |= {"n_deepstack_layers": len(vision["deepstack_visual_indexes"]),
                 "vision.feed_forward_length": vision["intermediate_size"]}
    keys |= {"vision.block_count": vision["depth"], "vision.embedding_length": vision["hidden_size"],
             "vision.attention.head_count": vision["num_heads"], "vision.num_channels": vision["in_channels"],
             "vision.patch_size": vision["patch_size"], "vision.spatial_merge_size": vision["spatial_merge_size"],
             "vision.attention.layer_norm_epsilon": 1e-6, "vision.rope.freq_base": 1e4,
             "vision.temporal_patch_size": vision["temporal_patch_size"],
             "vision.deepstack_visual_indexes": vision["deepstack_visual_indexes"],
             "vision.shortest_edge": image["size"]["shortest_edge"], "vision.longest_edge": image["size"]["longest_edge"],
             "vision.image_mean": image["image_mean"], "vision.image_std": image["image_std"]}
    names = DECODER + [("model.language_", ""), ("model.visual", "v")]
    names += [("patch_embed.proj", "patch_embd"), ("pos_embed", "position_embd"), ("blocks", "blk"),
              ("attn.qkv", "attn_qkv"), ("attn.proj", "attn_out"), ("norm1", "ln1"), ("norm2", "ln2"),
              ("mlp.linear_fc1", "ffn_up"), ("mlp.linear_fc2", "ffn_down"), ("deepstack_merger_list", "deepstack")
              ] if later else [("patch_embed.proj", "patch_embed"), ("blocks", "blk"), ("attn.qkv", "attn_qkv"),
                               ("attn.proj", "attn_out"), ("deepstack_merger_list", "deepstack_merger")]

    def tensors(name, tensor):
        name = rename(name.replace("model.language_model.", "model."), names)
        if "attn_qkv" in name:
            yield from split(name, tensor, "attn_qkv")
        elif "patch_emb" in name and name.endswith("weight"):
            yield name, tensor.reshape((-1,) + tensor.shape[2:])
        else:
            yield name, tensor
    return keys, tensors


def qwen25vl(config, image, later):
    vision = config["vision_config"]
    keys = decoder(config, config) | {"rope.mrope_section": config["rope_scaling"]["mrope_section"]}
    keys |= {"vision.block_count": vision["depth"], "vision.embedding_length": vision["hidden_size"],
             "vision.attention.head_count": vision["num_heads"], "vision.num_channels": vision["in_chans"],
             "vision.patch_size": vision["patch_size"], "vision.spatial_merge_size": vision["spatial_merge_size"],
             "vision.spatial_patch_size": vision["spatial_patch_size"], "vision.window_size": vision["window_size"],
             "vision.attention.layer_norm_epsilon": 1e-6, "vision.rope.freq_base": 1e4,
             "vision.fullatt_block_indexes": vision["fullatt_block_indexes"],
             "vision.temporal_patch_size": vision["temporal_patch_size"]}
    names = DECODER + [("visual", "v"), ("blocks", "blk"), ("attn.proj", "attn_out"), ("norm1", "ln1"), ("norm2", "ln2")]

    def tensors(name, tensor):
        name = rename(name, names)
        if "patch_embed.proj" in name:
            for i in range(2):
                yield name.replace("patch_embed.proj", f"patch_embd_{i}"), tensor[:, :, i]
        elif "attn.qkv" in name:
            yield from split(name, tensor, "attn.qkv")
        else:
            yield name, tensor
    return keys, tensors


def gemma3(config, image, later):
    text, vision = config["text_config"], config["vision_config"]
    # Not written: the bases, the scaling and the epsilon, which are known by the number of blocks;
    # the tiny one has another number of blocks, so that its scaling is.
    keys = {"block_count": text["num_hidden_layers"], "context_length": text["max_position_embeddings"],
            "embedding_length": text["hidden_size"], "feed_forward_length": text["intermediate_size"],
            "attention.head_count": text["num_attention_heads"], "attention.head_count_kv": text["num_key_value_heads"],
            "attention.sliding_window": text["sliding_window"], "rope.scaling.factor": 8.0,
            "attention.key_length": text["head_dim"], "attention.value_length": text["head_dim"],
            "mm.tokens_per_image": config["mm_tokens_per_image"],
            "vision.block_count": vision["num_hidden_layers"], "vision.embedding_length": vision["hidden_size"],
            "vision.feed_forward_length": vision["intermediate_size"], "vision.image_size": vision["image_size"],
            "vision.patch_size": vision["patch_size"], "vision.num_channels": 3,
            "vision.attention.head_count": vision["num_attention_heads"], "vision.attention.layer_norm_epsilon": 1e-6}
    names = [("lm_head", "output"), ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"),
             ("vision_tower.vision_model.embeddings", "v"), ("vision_tower.vision_model", "v"), ("language_model.", ""),
             ("model.layers", "blk"), ("encoder.layers", "blk"), ("input_layernorm", "attn_norm"),
             ("self_attn.q_proj", "attn_q"), ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_proj", "attn_k"),
             ("self_attn.k_norm", "attn_k_norm"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
             ("self_attn.out_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"), ("mlp.down_proj", "ffn_down"),
             ("mlp.up_proj", "ffn_up"), ("post_attention_layernorm", "post_attention_norm"),
             ("pre_feedforward_layernorm", "ffn_norm"), ("post_feedforward_layernorm", "post_ffw_norm"),
             ("input_projection_weight", "input_projection.weight"), ("multi_modal_projector", "mm")]

    def tensors(name, tensor):
        name = rename(name, names)
        if not name.startswith("v.head."):
            yield name, tensor + np.float32(1) if not name.startswith("v.") and name.endswith("_norm.weight") else tensor
    return keys, tensors


def write(family, folder, out, later=False):
    folder = f"{GOLDEN}/{folder}"
    config, image = (json.load(open(f"{folder}/{f}", encoding="utf-8")) for f in ("config.json", "preprocessor_config.json"))
    keys, tensors = family(config, image, later)
    writer = gguf.GGUFWriter(f"{GOLDEN}/gguf_ollama/{out}", family.__name__)
    writer.add_file_type(0)
    add(writer, family.__name__, keys)
    add_tokenizer(writer, folder)
    for name, tensor in sorted(load_file(f"{folder}/model.safetensors").items()):
        for theirs, part in tensors(name, tensor):
            # Matrices in 16 bits; values of queries and keys may be of another type than the rest.
            half = later and part.ndim > 1 and not theirs.startswith("v.blk.0.attn_v")
            writer.add_tensor(theirs, np.ascontiguousarray(part.astype(np.float16) if half else part))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


os.makedirs(f"{GOLDEN}/gguf_ollama", exist_ok=True)
write(qwen3vl, "qwen3vl", "qwen3vl.gguf")
write(qwen3vl, "qwen3vl", "qwen3vl-later.gguf", True)
write(qwen25vl, "qwen25vl", "qwen25vl.gguf")
write(gemma3, "gemma3", "gemma3.gguf")
