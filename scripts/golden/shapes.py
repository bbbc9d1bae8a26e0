#!/usr/bin/env python3
"""Write tests/golden/shapes.json: the published sizes of every model, and the weights that transformers gives a model of those sizes.

    python scripts/golden/shapes.py [OUT]      (default tests/golden/shapes.json; packages in requirements.txt beside this file)

For each model: "config", the values of its config.json that matter, "image", its image processor's, and "tensors", for each name with #
for the number of a block how many blocks and the shape.  Nothing is allocated: the models are made on PyTorch's meta device.
"""
import json
import os
import re
import sys

import torch
import transformers as tf

HALF = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3)
CLIP = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])
IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])


def qwen(hidden, blocks, heads, inner, tied, large_vision):
    vision = (1152, 27, 4304, [8, 16, 24]) if large_vision else (1024, 24, 4096, [5, 11, 17])
    config = dict(
        model_type="qwen3_vl", tie_word_embeddings=tied,
        text_config=dict(model_type="qwen3_vl_text", hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads,
                         num_key_value_heads=8, head_dim=128, intermediate_size=inner, vocab_size=151936, hidden_act="silu", rms_norm_eps=1e-6,
                         max_position_embeddings=262144, rope_theta=5000000, tie_word_embeddings=tied,
                         rope_scaling=dict(rope_type="default", mrope_interleaved=True, mrope_section=[24, 20, 20])),
        vision_config=dict(model_type="qwen3_vl", hidden_size=vision[0], depth=vision[1], num_heads=16, intermediate_size=vision[2],
                           deepstack_visual_indexes=vision[3], out_hidden_size=hidden, num_position_embeddings=2304, patch_size=16,
                           spatial_merge_size=2, temporal_patch_size=2, in_channels=3, hidden_act="gelu_pytorch_tanh"))
    image = dict(HALF, size=dict(shortest_edge=65536, longest_edge=16777216), patch_size=16, temporal_patch_size=2, merge_size=2)
    return tf.Qwen3VLForConditionalGeneration, tf.Qwen3VLConfig, config, image


def qwen25(hidden, blocks, heads, kv_heads, inner, tied, vocabulary, vision_inner):
    config = dict(  # flat, as published
        model_type="qwen2_5_vl", tie_word_embeddings=tied, hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads,
        num_key_value_heads=kv_heads, intermediate_size=inner, vocab_size=vocabulary, hidden_act="silu", rms_norm_eps=1e-6,
        max_position_embeddings=128000, rope_theta=1000000.0, use_sliding_window=False, sliding_window=32768, max_window_layers=blocks,
        rope_scaling=dict(type="mrope", mrope_section=[16, 24, 24]),
        vision_config=dict(model_type="qwen2_5_vl", hidden_size=1280, depth=32, num_heads=16, intermediate_size=vision_inner, hidden_act="silu",
                           out_hidden_size=hidden, patch_size=14, spatial_merge_size=2, spatial_patch_size=14, temporal_patch_size=2, in_chans=3,
                           window_size=112, fullatt_block_indexes=[7, 15, 23, 31], tokens_per_second=2))
    image = dict(CLIP, min_pixels=3136, max_pixels=12845056, patch_size=14, temporal_patch_size=2, merge_size=2)
    return tf.Qwen2_5_VLForConditionalGeneration, tf.Qwen2_5_VLConfig, config, image


def gemma(hidden, blocks, heads, kv_heads, head_dim, inner, scalar):
    config = dict(
        model_type="gemma3", mm_tokens_per_image=256,
        text_config=dict(model_type="gemma3_text", hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads,
                         num_key_value_heads=kv_heads, head_dim=head_dim, intermediate_size=inner, vocab_size=262208, sliding_window=1024,
                         query_pre_attn_scalar=scalar, rope_scaling=dict(rope_type="linear", factor=8.0)),
        vision_config=dict(model_type="siglip_vision_model", hidden_size=1152, num_hidden_layers=27, num_attention_heads=16,
                           intermediate_size=4304, image_size=896, patch_size=14, vision_use_head=False))
    return tf.Gemma3ForConditionalGeneration, tf.Gemma3Config, config, dict(HALF, size=dict(height=896, width=896), resample=2)


def dino(hidden, blocks, heads, inner, gated=False, bias=True):
    config = dict(model_type="dinov3_vit", hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads, intermediate_size=inner,
                  use_gated_mlp=gated, hidden_act="silu" if gated else "gelu", query_bias=bias, value_bias=bias, key_bias=False,
                  num_register_tokens=4, patch_size=16, image_size=224, rope_theta=100.0, layer_norm_eps=1e-5)
    return tf.DINOv3ViTModel, tf.DINOv3ViTConfig, config, dict(IMAGENET, size=dict(height=224, width=224), resample=2)


def clip(hidden, blocks, heads, inner, projected, side, patch, text):
    config = dict(
        model_type="clip", projection_dim=projected,
        text_config=dict(model_type="clip_text_model", hidden_size=text, num_attention_heads=text // 64, intermediate_size=4 * text),
        vision_config=dict(model_type="clip_vision_model", hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads,
                           intermediate_size=inner, projection_dim=projected, image_size=side, patch_size=patch, hidden_act="quick_gelu"))
    image = dict(CLIP, size=dict(shortest_edge=side), crop_size=dict(height=side, width=side), do_center_crop=True, resample=3)
    return tf.CLIPModel, tf.CLIPConfig, config, image


def siglip(hidden, blocks, heads, inner, side, patch):
    config = dict(
        model_type="siglip",
        text_config=dict(model_type="siglip_text_model", hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads,
                         intermediate_size=inner),
        vision_config=dict(model_type="siglip_vision_model", hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads,
                           intermediate_size=inner, image_size=side, patch_size=patch))
    return tf.SiglipModel, tf.SiglipConfig, config, dict(HALF, size=dict(height=side, width=side), resample=3)


MODELS = {
    "Qwen3-VL-2B": qwen(2048, 28, 16, 6144, True, False),
    "Qwen3-VL-4B": qwen(2560, 36, 32, 9728, True, False),
    "Qwen3-VL-8B": qwen(4096, 36, 32, 12288, False, True),
    "Qwen3-VL-32B": qwen(5120, 64, 64, 25600, False, True),
    "Qwen2.5-VL-3B": qwen25(2048, 36, 16, 2, 11008, True, 151936, 3420),
    "Qwen2.5-VL-7B": qwen25(3584, 28, 28, 4, 18944, False, 152064, 3420),
    "Qwen2.5-VL-32B": qwen25(5120, 64, 40, 8, 27648, False, 152064, 3456),
    "Qwen2.5-VL-72B": qwen25(8192, 80, 64, 8, 29568, False, 152064, 3456),
    "Gemma 3 4B": gemma(2560, 34, 8, 4, 256, 10240, 256),
    "Gemma 3 12B": gemma(3840, 48, 16, 8, 256, 15360, 256),
    "Gemma 3 27B": gemma(5376, 62, 32, 16, 128, 21504, 168),
    "DINOv3 ViT-S/16": dino(384, 12, 6, 1536),
    "DINOv3 ViT-S+/16": dino(384, 12, 6, 1536, gated=True),
    "DINOv3 ViT-B/16": dino(768, 12, 12, 3072),
    "DINOv3 ViT-L/16": dino(1024, 24, 16, 4096),
    "DINOv3 ViT-H+/16": dino(1280, 32, 20, 5120, gated=True),
    "DINOv3 ViT-7B/16": dino(4096, 40, 32, 8192, gated=True, bias=False),
    "CLIP ViT-B/32": clip(768, 12, 12, 3072, 512, 224, 32, 512),
    "CLIP ViT-B/16": clip(768, 12, 12, 3072, 512, 224, 16, 512),
    "CLIP ViT-L/14": clip(1024, 24, 16, 4096, 768, 224, 14, 768),
    "CLIP ViT-L/14 at 336": clip(1024, 24, 16, 4096, 768, 336, 14, 768),
    "SigLIP base": siglip(768, 12, 12, 3072, 224, 16),
    "SigLIP so400m": siglip(1152, 27, 16, 4304, 384, 14),
}


def tensors(model, tied):
    """{name with #: [blocks, shape...]}; of several numbers in a name the first is the block's (of "mlp.0" none is)."""
    found = {}
    for name, tensor in model.state_dict().items():
        if (tied and name == "lm_head.weight") or name.endswith("position_ids"):
            continue
        row = found.setdefault(re.sub(r"(?<!mlp)\.\d+\.", ".#.", name, count=1), [0, *tensor.shape])
        assert row[1:] == list(tensor.shape), name
        row[0] += 1
    return found


out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "shapes.json")
lines = []
for name, (model_class, config_class, config, image) in MODELS.items():
    with torch.device("meta"):
        model = model_class(config_class.from_dict(json.loads(json.dumps(config))))
    rows = tensors(model, config.get("tie_word_embeddings", "text_config" in config and config["model_type"] == "gemma3"))
    parameters = sum(row[0] * torch.Size(row[1:]).numel() for row in rows.values())
    print(f"{name}: {parameters / 1e9:.2f} billion values, {len(rows)} kinds of tensors")
    lines.append(json.dumps(name) + ": " + json.dumps(dict(config=config, image=image, parameters=parameters, tensors=rows)))
with open(out, "w") as f:
    f.write("{" + ",\n".join(lines) + "}\n")
