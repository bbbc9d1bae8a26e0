#!/usr/bin/env python3
"""Write tests/golden/demo: what Hugging Face transformers computes with the demonstration model on real and rendered photos.

    python scripts/golden/demo.py [OUT]          (default tests/golden/demo; packages in requirements.txt beside this file)

Keys of features.safetensors, per photo FILE:
    FILE|lt, FILE|lv, FILE|lt_tail   [9, 192]  float32, decoder layers 0..8 (the last one after the final norm)
    FILE|v                           [6, 160]  float32, mean over the tokens of each vision block's output
    FILE|logits                      [1123]    float32, last position of the prompt without a generation turn
    FILE|input_ids, FILE|grid        int32     the tokens, and the patches as (time, rows, columns)
    FILE|bf16|lt                     [9, 192]  the same model in bfloat16 arithmetic, for information: it shows how far rounding goes
Weights are bfloat16 on disk and widened to float32, except for the last key.
"""
import os
import sys

import torch
import transformers as tf
from PIL import Image
from safetensors.torch import save_file

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MODEL = os.path.join(ROOT, "models", "demo")
PROMPT = "Assess the aesthetics of this image."
REAL = [os.path.join("tests/golden/images", n) for n in ("cat.jpg", "coffee_420.jpg", "astronaut.png", "rocket_panorama.jpg")]
RENDERED = sorted(os.path.join("data/sample/photos", n) for n in os.listdir(os.path.join(ROOT, "data/sample/photos")))[::15][:4]

torch.set_num_threads(1)
torch.manual_seed(0)
out_dir = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "tests", "golden", "demo")
os.makedirs(out_dir, exist_ok=True)
processor = tf.Qwen3VLProcessor.from_pretrained(MODEL)
image_token = tf.AutoConfig.from_pretrained(MODEL).image_token_id


def run(model, inputs):
    """The forward pass, and the output of every vision block."""
    blocks = model.model.visual.blocks
    seen = [None] * len(blocks)
    hooks = [b.register_forward_hook(lambda _, __, o, i=i: seen.__setitem__(i, o)) for i, b in enumerate(blocks)]
    with torch.inference_mode():
        result = model(**inputs, output_hidden_states=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    return result, seen


def mean(hidden, chosen):
    return hidden[0][chosen].float().mean(0)


def main():
    full = tf.Qwen3VLForConditionalGeneration.from_pretrained(MODEL, dtype=torch.float32).eval()
    half = tf.Qwen3VLForConditionalGeneration.from_pretrained(MODEL, dtype=torch.bfloat16).eval()
    features = {}
    for path in REAL + RENDERED:
        image = Image.open(os.path.join(ROOT, path)).convert("RGB")
        turn = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": PROMPT}]}]
        inputs = processor.apply_chat_template(turn, tokenize=True, add_generation_prompt=False, return_dict=True, return_tensors="pt")
        ids = inputs["input_ids"][0]
        visual = ids == image_token
        text = ~visual
        tail = int(torch.nonzero(text)[-1])
        result, blocks = run(full, inputs)
        states = result.hidden_states
        low, _ = run(half, inputs)
        name = os.path.basename(path)
        features.update({
            f"{name}|lt": torch.stack([mean(h, text) for h in states]),
            f"{name}|lv": torch.stack([mean(h, visual) for h in states]),
            f"{name}|lt_tail": torch.stack([h[0, tail] for h in states]),
            f"{name}|v": torch.stack([b.float().mean(0) for b in blocks]),
            f"{name}|logits": result.logits[0, -1],
            f"{name}|input_ids": ids.int(),
            f"{name}|grid": inputs["image_grid_thw"][0].int(),
            f"{name}|bf16|lt": torch.stack([mean(h, text) for h in low.hidden_states]),
        })
        print(f"{name}: {image.width} x {image.height}, {len(ids)} tokens, {int(visual.sum())} of the image")
    save_file({k: t.contiguous().clone() for k, t in features.items()}, os.path.join(out_dir, "features.safetensors"))


main()
