#!/usr/bin/env python3
"""Write a random-weight Qwen3-VL checkpoint in bfloat16, of the sizes of the real ones: good for timing, useless for anything else.

    python3 bench/make_checkpoint.py OUT --size 2b|4b|tiny [--blocks N] [--seed N]

The folder is laid out as a real one is: config.json, model.safetensors, the real Qwen3 vocabulary, preprocessor_config.json.
Weights have a spread of 1 / sqrt(inputs), and the matrices that write to the residual stream are smaller by sqrt(2 x blocks), so
that activations stay of a healthy size through every block.  --blocks writes (and declares) fewer decoder blocks than the size has.
Needs numpy.  2b is 4.3 GB and takes about a minute.
"""
import argparse
import json
import lzma
import math
import os

import numpy as np

VISION = dict(hidden=1024, blocks=24, heads=16, inner=4096, positions=2304, deepstack=[5, 11, 17])
SIZES = {
    "2b": dict(hidden=2048, blocks=28, heads=16, kv=8, inner=6144, vision=VISION),
    "4b": dict(hidden=2560, blocks=36, heads=32, kv=8, inner=9728, vision=VISION),
    "tiny": dict(hidden=256, blocks=4, heads=4, kv=2, inner=512,
                 vision=dict(hidden=256, blocks=4, heads=4, inner=512, positions=2304, deepstack=[0, 2])),
}
HEAD, VOCABULARY, PATCH, MERGE = 128, 151936, 16, 2
TOKENIZERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "tokenizers")
CHAT = ("{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' }}{%- if m.content is string %}{{- m.content }}{%- else %}"
        "{%- for c in m.content %}{%- if c.type == 'image' %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}"
        "{%- elif 'text' in c %}{{- c.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}")

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("out")
parser.add_argument("--size", choices=SIZES, default="2b")
parser.add_argument("--blocks", type=int)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
size = dict(SIZES[args.size])
if args.blocks:
    size["blocks"] = min(args.blocks, size["blocks"])


def tensors(s):
    """Name, shape and spread of every tensor; a spread of None is a norm's weight (about 1), 0 a bias (about 0)."""
    v = s["vision"]

    def linear(name, out, inp, bias=True, scale=1.0):
        yield name + ".weight", (out, inp), scale / math.sqrt(inp)
        if bias:
            yield name + ".bias", (out,), 0

    def norm(name, n, bias=True):
        yield name + ".weight", (n,), None
        if bias:
            yield name + ".bias", (n,), 0

    small = 1 / math.sqrt(2 * s["blocks"])
    p = "model.language_model."
    yield p + "embed_tokens.weight", (VOCABULARY, s["hidden"]), 0.03
    for i in range(s["blocks"]):
        q = f"{p}layers.{i}."
        yield from norm(q + "input_layernorm", s["hidden"], False)
        yield from norm(q + "post_attention_layernorm", s["hidden"], False)
        yield from norm(q + "self_attn.q_norm", HEAD, False)
        yield from norm(q + "self_attn.k_norm", HEAD, False)
        yield from linear(q + "self_attn.q_proj", s["heads"] * HEAD, s["hidden"], False)
        yield from linear(q + "self_attn.k_proj", s["kv"] * HEAD, s["hidden"], False)
        yield from linear(q + "self_attn.v_proj", s["kv"] * HEAD, s["hidden"], False)
        yield from linear(q + "self_attn.o_proj", s["hidden"], s["heads"] * HEAD, False, small)
        yield from linear(q + "mlp.gate_proj", s["inner"], s["hidden"], False)
        yield from linear(q + "mlp.up_proj", s["inner"], s["hidden"], False)
        yield from linear(q + "mlp.down_proj", s["hidden"], s["inner"], False, small)
    yield from norm(p + "norm", s["hidden"], False)

    small = 1 / math.sqrt(2 * v["blocks"])
    p = "model.visual."
    yield p + "patch_embed.proj.weight", (v["hidden"], 3, 2, PATCH, PATCH), 1 / math.sqrt(3 * 2 * PATCH * PATCH)
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
    wide = v["hidden"] * MERGE * MERGE
    for q, width in [(p + "merger.", v["hidden"])] + [(f"{p}deepstack_merger_list.{i}.", wide) for i in range(len(v["deepstack"]))]:
        yield from norm(q + "norm", width)
        yield from linear(q + "linear_fc1", wide, wide)
        yield from linear(q + "linear_fc2", s["hidden"], wide)


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


def write_json(name, value):
    with open(os.path.join(args.out, name), "w") as f:
        json.dump(value, f, indent=1)


os.makedirs(args.out, exist_ok=True)
vocabulary = lzma.open(os.path.join(TOKENIZERS, "qwen3.tokenizer.json.xz")).read()
with open(os.path.join(args.out, "tokenizer.json"), "wb") as f:
    f.write(vocabulary)
ids = {t["content"]: t["id"] for t in json.loads(vocabulary)["added_tokens"]}
vision = size["vision"]
write_json("config.json", dict(
    architectures=["Qwen3VLForConditionalGeneration"], model_type="qwen3_vl", dtype="bfloat16", tie_word_embeddings=True,
    image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
    vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    text_config=dict(
        model_type="qwen3_vl_text", dtype="bfloat16", hidden_size=size["hidden"], num_hidden_layers=size["blocks"],
        num_attention_heads=size["heads"], num_key_value_heads=size["kv"], head_dim=HEAD, intermediate_size=size["inner"],
        vocab_size=VOCABULARY, tie_word_embeddings=True, attention_bias=False, attention_dropout=0.0, hidden_act="silu",
        rms_norm_eps=1e-6, max_position_embeddings=262144, rope_theta=5000000,
        rope_scaling=dict(rope_type="default", mrope_interleaved=True, mrope_section=[24, 20, 20]),
        bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"]),
    vision_config=dict(
        model_type="qwen3_vl", depth=vision["blocks"], hidden_size=vision["hidden"], num_heads=vision["heads"],
        intermediate_size=vision["inner"], num_position_embeddings=vision["positions"], out_hidden_size=size["hidden"],
        deepstack_visual_indexes=vision["deepstack"], hidden_act="gelu_pytorch_tanh", in_channels=3, patch_size=PATCH,
        spatial_merge_size=MERGE, temporal_patch_size=2)))
write_json("generation_config.json", dict(do_sample=False, eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]],
                                          pad_token_id=ids["<|endoftext|>"]))
pixels = dict(size=dict(shortest_edge=65536, longest_edge=16777216), patch_size=PATCH, temporal_patch_size=2, merge_size=MERGE,
              image_mean=[0.5] * 3, image_std=[0.5] * 3, processor_class="Qwen3VLProcessor")
write_json("preprocessor_config.json", dict(pixels, image_processor_type="Qwen2VLImageProcessorFast"))
write_json("video_preprocessor_config.json", dict(pixels, video_processor_type="Qwen3VLVideoProcessor"))
write_json("tokenizer_config.json", dict(
    tokenizer_class="Qwen2Tokenizer", add_bos_token=False, add_prefix_space=False, bos_token=None, eos_token="<|im_end|>",
    pad_token="<|endoftext|>", unk_token=None, errors="replace", model_max_length=262144, split_special_tokens=False, chat_template=CHAT))
with open(os.path.join(args.out, "chat_template.jinja"), "w") as f:
    f.write(CHAT)
written = list(tensors(size))
size_in_bytes = write_weights(os.path.join(args.out, "model.safetensors"), written)
print(f"{args.out}: {len(written)} tensors, {size_in_bytes / 2e9:.2f} billion parameters, {size_in_bytes / 1e9:.2f} GB")
