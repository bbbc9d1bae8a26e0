#!/usr/bin/env python3
"""Write a random-weight checkpoint in bfloat16, of the sizes of a real one: good for timing, useless for anything else.

    python3 bench/make_checkpoint.py OUT --model qwen3-vl-2b|qwen3-vl-4b|gemma-3-4b|dinov3-vitb16|clip-vitl14|siglip-so400m|tiny [--seed N]

The folder is laid out as the published one is: config.json, model.safetensors, preprocessor_config.json and, for models that read text, the
real vocabulary.  Weights have a spread of 1 / sqrt(inputs), and the matrices that write to the residual stream are smaller by
sqrt(2 x blocks), so that activations stay of a healthy size through every block.  --blocks writes (and declares) fewer decoder blocks.
Needs numpy, little memory, and a minute for every 4 GB.
"""
import argparse
import json
import lzma
import math
import os

import numpy as np

QWEN_VISION = dict(hidden=1024, blocks=24, heads=16, inner=4096, positions=2304, deepstack=[5, 11, 17])
SO400M = dict(hidden=1152, blocks=27, heads=16, inner=4304, patch=14)
MODELS = {
    "qwen3-vl-2b": dict(family="qwen", hidden=2048, blocks=28, heads=16, kv=8, inner=6144, vision=QWEN_VISION),
    "qwen3-vl-4b": dict(family="qwen", hidden=2560, blocks=36, heads=32, kv=8, inner=9728, vision=QWEN_VISION),
    "tiny": dict(family="qwen", hidden=256, blocks=4, heads=4, kv=2, inner=512,
                 vision=dict(hidden=256, blocks=4, heads=4, inner=512, positions=2304, deepstack=[0, 2])),
    "gemma-3-4b": dict(family="gemma", hidden=2560, blocks=34, heads=8, kv=4, head=256, inner=10240, vision=dict(SO400M, side=896)),
    "dinov3-vitb16": dict(family="dinov3", hidden=768, blocks=12, heads=12, inner=3072, patch=16, side=224, registers=4),
    "clip-vitl14": dict(family="clip", hidden=1024, blocks=24, heads=16, inner=4096, patch=14, side=224, projection=768),
    "siglip-so400m": dict(SO400M, family="siglip", side=384),
}
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("out")
parser.add_argument("--model", choices=MODELS, default="qwen3-vl-2b")
parser.add_argument("--blocks", type=int)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
model = dict(MODELS[args.model])
if args.blocks:
    model["blocks"] = min(args.blocks, model["blocks"])


def write_json(name, value):
    with open(os.path.join(args.out, name), "w") as f:
        json.dump(value, f, indent=1)


def write_vocabulary(name):
    """Returns the ids of its special tokens."""
    text = lzma.open(os.path.join(GOLDEN, "tokenizers", name + ".tokenizer.json.xz")).read()
    with open(os.path.join(args.out, "tokenizer.json"), "wb") as f:
        f.write(text)
    return {t["content"]: t["id"] for t in json.loads(text)["added_tokens"]}


# Tensors: name, shape and spread of each; a spread of None is a norm's weight (about 1), 0 a bias (about 0).

def linear(name, out, inp, bias=True, scale=1.0):
    yield name + ".weight", (out, inp), scale / math.sqrt(inp)
    if bias:
        yield name + ".bias", (out,), 0


def norm(name, n, bias=True, about_one=True):
    yield name + ".weight", (n,), None if about_one else 0
    if bias:
        yield name + ".bias", (n,), 0


def patches(name, s, bias=True):
    yield name + ".weight", (s["hidden"], 3, s["patch"], s["patch"]), 1 / math.sqrt(3 * s["patch"] ** 2)
    if bias:
        yield name + ".bias", (s["hidden"],), 0


def plain_block(q, s, norms, attention, out, up, down, key_bias=True):
    """A block of the vision transformers that CLIP, SigLIP and DINOv3 are."""
    h, small = s["hidden"], 1 / math.sqrt(2 * s["blocks"])
    yield from norm(q + norms + "1", h)
    yield from norm(q + norms + "2", h)
    for part in "qkv":
        yield from linear(f"{q}{attention}.{part}_proj", h, h, part != "k" or key_bias)
    yield from linear(q + out, h, h, scale=small)
    yield from linear(q + up, s["inner"], h)
    yield from linear(q + down, h, s["inner"], scale=small)


def siglip_tensors(s, p):
    yield from patches(p + "embeddings.patch_embedding", s)
    yield p + "embeddings.position_embedding.weight", ((s["side"] // s["patch"]) ** 2, s["hidden"]), 0.1
    for i in range(s["blocks"]):
        yield from plain_block(f"{p}encoder.layers.{i}.", s, "layer_norm", "self_attn", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")
    yield from norm(p + "post_layernorm", s["hidden"])


def siglip_config(s, head):
    return dict(model_type="siglip_vision_model", hidden_size=s["hidden"], num_hidden_layers=s["blocks"], num_attention_heads=s["heads"],
                intermediate_size=s["inner"], patch_size=s["patch"], image_size=s["side"], num_channels=3, layer_norm_eps=1e-6,
                hidden_act="gelu_pytorch_tanh", attention_dropout=0.0, vision_use_head=head)


def square_pixels(side, resample, kind, mean=(0.5,) * 3, std=(0.5,) * 3, **more):
    write_json("preprocessor_config.json", dict(dict(
        size=dict(height=side, width=side), do_convert_rgb=True, do_resize=True, resample=resample, do_rescale=True,
        rescale_factor=1 / 255, do_normalize=True, image_mean=mean, image_std=std, image_processor_type=kind), **more))


# Families: each writes its small files and gives the tensors.

def qwen(s):
    head, vocabulary, patch, merge = 128, 151936, 16, 2
    chat = ("{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' }}{%- if m.content is string %}{{- m.content }}{%- else %}"
            "{%- for c in m.content %}{%- if c.type == 'image' %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}"
            "{%- elif 'text' in c %}{{- c.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\n' }}{%- endfor %}"
            "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}")
    ids, v = write_vocabulary("qwen3"), s["vision"]
    write_json("config.json", dict(
        architectures=["Qwen3VLForConditionalGeneration"], model_type="qwen3_vl", dtype="bfloat16", tie_word_embeddings=True,
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        text_config=dict(
            model_type="qwen3_vl_text", dtype="bfloat16", hidden_size=s["hidden"], num_hidden_layers=s["blocks"],
            num_attention_heads=s["heads"], num_key_value_heads=s["kv"], head_dim=head, intermediate_size=s["inner"],
            vocab_size=vocabulary, tie_word_embeddings=True, attention_bias=False, attention_dropout=0.0, hidden_act="silu",
            rms_norm_eps=1e-6, max_position_embeddings=262144, rope_theta=5000000,
            rope_scaling=dict(rope_type="default", mrope_interleaved=True, mrope_section=[24, 20, 20]),
            bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"]),
        vision_config=dict(
            model_type="qwen3_vl", depth=v["blocks"], hidden_size=v["hidden"], num_heads=v["heads"], intermediate_size=v["inner"],
            num_position_embeddings=v["positions"], out_hidden_size=s["hidden"], deepstack_visual_indexes=v["deepstack"],
            hidden_act="gelu_pytorch_tanh", in_channels=3, patch_size=patch, spatial_merge_size=merge, temporal_patch_size=2)))
    write_json("generation_config.json", dict(do_sample=False, eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]],
                                              pad_token_id=ids["<|endoftext|>"]))
    pixels = dict(size=dict(shortest_edge=65536, longest_edge=16777216), patch_size=patch, temporal_patch_size=2, merge_size=merge,
                  image_mean=[0.5] * 3, image_std=[0.5] * 3, processor_class="Qwen3VLProcessor")
    write_json("preprocessor_config.json", dict(pixels, image_processor_type="Qwen2VLImageProcessorFast"))
    write_json("video_preprocessor_config.json", dict(pixels, video_processor_type="Qwen3VLVideoProcessor"))
    write_json("tokenizer_config.json", dict(
        tokenizer_class="Qwen2Tokenizer", add_bos_token=False, add_prefix_space=False, bos_token=None, eos_token="<|im_end|>",
        pad_token="<|endoftext|>", unk_token=None, errors="replace", model_max_length=262144, split_special_tokens=False,
        chat_template=chat))
    with open(os.path.join(args.out, "chat_template.jinja"), "w") as f:
        f.write(chat)

    small = 1 / math.sqrt(2 * s["blocks"])
    p = "model.language_model."
    yield p + "embed_tokens.weight", (vocabulary, s["hidden"]), 0.03
    for i in range(s["blocks"]):
        q = f"{p}layers.{i}."
        yield from norm(q + "input_layernorm", s["hidden"], False)
        yield from norm(q + "post_attention_layernorm", s["hidden"], False)
        yield from norm(q + "self_attn.q_norm", head, False)
        yield from norm(q + "self_attn.k_norm", head, False)
        yield from linear(q + "self_attn.q_proj", s["heads"] * head, s["hidden"], False)
        yield from linear(q + "self_attn.k_proj", s["kv"] * head, s["hidden"], False)
        yield from linear(q + "self_attn.v_proj", s["kv"] * head, s["hidden"], False)
        yield from linear(q + "self_attn.o_proj", s["hidden"], s["heads"] * head, False, small)
        yield from linear(q + "mlp.gate_proj", s["inner"], s["hidden"], False)
        yield from linear(q + "mlp.up_proj", s["inner"], s["hidden"], False)
        yield from linear(q + "mlp.down_proj", s["hidden"], s["inner"], False, small)
    yield from norm(p + "norm", s["hidden"], False)

    small = 1 / math.sqrt(2 * v["blocks"])
    p = "model.visual."
    yield p + "patch_embed.proj.weight", (v["hidden"], 3, 2, patch, patch), 1 / math.sqrt(3 * 2 * patch * patch)
    yield p + "patch_embed.proj.bias", (v["hidden"],), 0
    yield p + "pos_embed.weight", (v["positions"], v["hidden"]), 0.1
    for i in range(v["blocks"]):
        q = f"{p}blocks.{i}."
        yield from norm(q + "norm1", v["hidden"])
        yield from norm(q + "norm2", v["hidden"])
        yield from linear(q + "attn.qkv", 3 * v["hidden"], v["hidden"])
        yield from linear(q + "attn.proj", v["hidden"], v["hidden"], scale=small)
        yield from linear(q + "mlp.linear_fc1", v["inner"], v["hidden"])
        yield from linear(q + "mlp.linear_fc2", v["hidden"], v["inner"], scale=small)
    wide = v["hidden"] * merge * merge
    for q, width in [(p + "merger.", v["hidden"])] + [(f"{p}deepstack_merger_list.{i}.", wide) for i in range(len(v["deepstack"]))]:
        yield from norm(q + "norm", width)
        yield from linear(q + "linear_fc1", wide, wide)
        yield from linear(q + "linear_fc2", s["hidden"], wide)


def gemma(s):
    vocabulary, ids, v = 262208, write_vocabulary("gemma3"), s["vision"]
    chat = ("{{- bos_token }}{%- for m in messages %}{{- '<start_of_turn>' + m.role + '\n' }}{%- if m.content is string %}{{- m.content }}"
            "{%- else %}{%- for c in m.content %}{%- if c.type == 'image' %}{{- '<start_of_image>' }}"
            "{%- elif 'text' in c %}{{- c.text | trim }}{%- endif %}{%- endfor %}{%- endif %}{{- '<end_of_turn>\n' }}{%- endfor %}")
    write_json("config.json", dict(
        architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", dtype="bfloat16", mm_tokens_per_image=256,
        boi_token_index=ids["<start_of_image>"], eoi_token_index=ids["<end_of_image>"], image_token_index=ids["<image_soft_token>"],
        text_config=dict(
            model_type="gemma3_text", hidden_size=s["hidden"], num_hidden_layers=s["blocks"], num_attention_heads=s["heads"],
            num_key_value_heads=s["kv"], head_dim=s["head"], intermediate_size=s["inner"], vocab_size=vocabulary, sliding_window=1024,
            query_pre_attn_scalar=256, rms_norm_eps=1e-6, max_position_embeddings=131072, rope_theta=1e6, rope_local_base_freq=1e4,
            rope_scaling=dict(rope_type="linear", factor=8.0), hidden_activation="gelu_pytorch_tanh"),
        vision_config=siglip_config(v, False)))
    square_pixels(v["side"], 2, "Gemma3ImageProcessor", processor_class="Gemma3Processor", image_seq_length=256)
    write_json("processor_config.json", dict(processor_class="Gemma3Processor", image_seq_length=256))
    write_json("tokenizer_config.json", dict(
        tokenizer_class="GemmaTokenizer", processor_class="Gemma3Processor", bos_token="<bos>", eos_token="<eos>", pad_token="<pad>",
        unk_token="<unk>", boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>",
        extra_special_tokens=dict(boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>"),
        chat_template=chat))
    with open(os.path.join(args.out, "chat_template.jinja"), "w") as f:
        f.write(chat)

    p = "language_model.model."                                  # a norm multiplies by 1 + w, and four of them bound every branch
    yield p + "embed_tokens.weight", (vocabulary, s["hidden"]), 0.03
    for i in range(s["blocks"]):
        q = f"{p}layers.{i}."
        for name in ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"):
            yield from norm(q + name, s["hidden"], False, False)
        yield from norm(q + "self_attn.q_norm", s["head"], False, False)
        yield from norm(q + "self_attn.k_norm", s["head"], False, False)
        yield from linear(q + "self_attn.q_proj", s["heads"] * s["head"], s["hidden"], False)
        yield from linear(q + "self_attn.k_proj", s["kv"] * s["head"], s["hidden"], False)
        yield from linear(q + "self_attn.v_proj", s["kv"] * s["head"], s["hidden"], False)
        yield from linear(q + "self_attn.o_proj", s["hidden"], s["heads"] * s["head"], False)
        yield from linear(q + "mlp.gate_proj", s["inner"], s["hidden"], False)
        yield from linear(q + "mlp.up_proj", s["inner"], s["hidden"], False)
        yield from linear(q + "mlp.down_proj", s["hidden"], s["inner"], False)
    yield from norm(p + "norm", s["hidden"], False, False)
    yield "multi_modal_projector.mm_input_projection_weight", (v["hidden"], s["hidden"]), 1 / math.sqrt(v["hidden"])
    yield from norm("multi_modal_projector.mm_soft_emb_norm", v["hidden"], False, False)
    yield from siglip_tensors(v, "vision_tower.vision_model.")


def dinov3(s):
    write_json("config.json", dict(
        architectures=["DINOv3ViTModel"], model_type="dinov3_vit", dtype="bfloat16", hidden_size=s["hidden"], num_hidden_layers=s["blocks"],
        num_attention_heads=s["heads"], intermediate_size=s["inner"], patch_size=s["patch"], image_size=s["side"], num_channels=3,
        num_register_tokens=s["registers"], hidden_act="gelu", layer_norm_eps=1e-5, rope_theta=100.0, use_gated_mlp=False,
        query_bias=True, key_bias=False, value_bias=True, proj_bias=True, mlp_bias=True, attention_dropout=0.0, drop_path_rate=0.0,
        layerscale_value=1.0))
    square_pixels(s["side"], 2, "DINOv3ViTImageProcessor", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    yield "embeddings.cls_token", (1, 1, s["hidden"]), 0.1
    yield "embeddings.mask_token", (1, 1, s["hidden"]), 0.1
    yield "embeddings.register_tokens", (1, s["registers"], s["hidden"]), 0.1
    yield from patches("embeddings.patch_embeddings", s)
    for i in range(s["blocks"]):
        q = f"layer.{i}."
        yield from plain_block(q, s, "norm", "attention", "attention.o_proj", "mlp.up_proj", "mlp.down_proj", False)
        yield q + "layer_scale1.lambda1", (s["hidden"],), None
        yield q + "layer_scale2.lambda1", (s["hidden"],), None
    yield from norm("norm", s["hidden"])


def clip(s):
    write_json("config.json", dict(
        architectures=["CLIPVisionModelWithProjection"], model_type="clip_vision_model", dtype="bfloat16", hidden_size=s["hidden"],
        num_hidden_layers=s["blocks"], num_attention_heads=s["heads"], intermediate_size=s["inner"], patch_size=s["patch"],
        image_size=s["side"], num_channels=3, projection_dim=s["projection"], hidden_act="quick_gelu", layer_norm_eps=1e-5,
        attention_dropout=0.0))
    square_pixels(s["side"], 3, "CLIPImageProcessor", (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711),
                  size=dict(shortest_edge=s["side"]), crop_size=dict(height=s["side"], width=s["side"]), do_center_crop=True)
    p = "vision_model."
    yield p + "embeddings.class_embedding", (s["hidden"],), 0.1
    yield from patches(p + "embeddings.patch_embedding", s, False)
    yield p + "embeddings.position_embedding.weight", ((s["side"] // s["patch"]) ** 2 + 1, s["hidden"]), 0.1
    yield from norm(p + "pre_layrnorm", s["hidden"])
    for i in range(s["blocks"]):
        yield from plain_block(f"{p}encoder.layers.{i}.", s, "layer_norm", "self_attn", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")
    yield from norm(p + "post_layernorm", s["hidden"])
    yield from linear("visual_projection", s["projection"], s["hidden"], False)


def siglip(s):
    h = s["hidden"]
    write_json("config.json", dict(siglip_config(s, True), architectures=["SiglipVisionModel"], dtype="bfloat16"))
    square_pixels(s["side"], 3, "SiglipImageProcessor")
    yield from siglip_tensors(s, "")
    yield "head.probe", (1, 1, h), 1.0
    yield "head.attention.in_proj_weight", (3 * h, h), 1 / math.sqrt(h)
    yield "head.attention.in_proj_bias", (3 * h,), 0
    yield from linear("head.attention.out_proj", h, h)
    yield from norm("head.layernorm", h)
    yield from linear("head.mlp.fc1", s["inner"], h)
    yield from linear("head.mlp.fc2", h, s["inner"])


def write_weights(path, listed):
    rng = np.random.default_rng(args.seed)
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, _ in listed:
        end = at + 2 * math.prod(shape)
        header[name] = dict(dtype="BF16", shape=shape, data_offsets=[at, end])
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for _, shape, spread in listed:
            left = math.prod(shape)
            while left:                                          # in pieces, so that memory stays small
                n = min(left, 1 << 24)
                x = rng.standard_normal(n, dtype=np.float32)
                x *= np.float32(spread or 0.05)
                if spread is None:
                    x += np.float32(1)
                bits = x.view(np.uint32)
                f.write(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes())   # round to nearest even
                left -= n
    return at


os.makedirs(args.out, exist_ok=True)
tensors = list(dict(qwen=qwen, gemma=gemma, dinov3=dinov3, clip=clip, siglip=siglip)[model["family"]](model))
size = write_weights(os.path.join(args.out, "model.safetensors"), tensors)
print(f"{args.out}: {len(tensors)} tensors, {size / 2e9:.2f} billion parameters, {size / 1e9:.2f} GB")
