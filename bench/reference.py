#!/usr/bin/env python3
"""Time the reference procedure: pooled hidden states with Hugging Face transformers on the CPU, in bfloat16.

    python bench/reference.py MODEL PHOTO... [--threads N] [--repeat R] [--gemm]

As the published code does it: one full forward pass with output_hidden_states (every block, and the vocabulary's logits), means over
text and image tokens of every layer, and a second pass of the vision encoder with hooks on its blocks.  Prints one CSV row per photo
with medians of R runs in seconds, after one run that is not counted.  --gemm instead prints the machine's bfloat16 matrix-product
peak in the same PyTorch.  Packages: scripts/golden/requirements.txt.
"""
import argparse
import statistics
import sys
import time

import torch

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("photos", nargs="*")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--repeat", type=int, default=3)
parser.add_argument("--gemm", action="store_true")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.set_grad_enabled(False)


def seconds(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def gemm():
    print("tokens,inputs,outputs,gflop_per_s")
    for m, k, n in ((212, 2048, 6144), (692, 2048, 6144), (768, 1024, 4096), (2688, 1024, 4096)):
        a, b = torch.randn(m, k, dtype=torch.bfloat16), torch.randn(n, k, dtype=torch.bfloat16)
        best = min(seconds(lambda: torch.nn.functional.linear(a, b))[0] for _ in range(20))
        print(f"{m},{k},{n},{2e-9 * m * k * n / best:.0f}")


def pools(states, visual):
    """Mean over text tokens and mean over image tokens of every hidden state."""
    return [(h[0, ~visual].float().mean(0), h[0, visual].float().mean(0)) for h in states]


def measure(model, processor, path):
    from PIL import Image
    image = Image.open(path).convert("RGB")
    turn = [{"role": "user", "content": [{"type": "image", "image": image},
                                         {"type": "text", "text": "Assess the aesthetics of this image."}]}]
    prepare = lambda: processor.apply_chat_template(turn, tokenize=True, add_generation_prompt=False, return_dict=True, return_tensors="pt")
    runs = []
    for _ in range(args.repeat + 1):
        before, inputs = seconds(prepare)
        visual = inputs["input_ids"][0] == model.config.image_token_id
        forward, text = seconds(lambda: pools(model(**inputs, output_hidden_states=True, use_cache=False).hidden_states, visual))
        means = []
        hooks = [block.register_forward_hook(lambda _, __, out: means.append(out.float().mean(0))) for block in model.model.visual.blocks]
        vision, _ = seconds(lambda: model.model.visual(inputs["pixel_values"].to(model.dtype), grid_thw=inputs["image_grid_thw"]))
        for hook in hooks:
            hook.remove()
        assert len(means) == len(hooks) and all(torch.isfinite(t).all() for pair in text for t in pair)
        runs.append((before, forward, vision, forward + vision))
    medians = ",".join(f"{statistics.median(column):.4f}" for column in zip(*runs[1:]))
    print(f"{path},{image.width},{image.height},{len(visual)},{medians}", flush=True)


if args.gemm:
    gemm()
    sys.exit()
import transformers  # noqa: E402  (slow to load)

transformers.utils.logging.disable_progress_bar()
net = transformers.Qwen3VLForConditionalGeneration.from_pretrained(args.model, dtype=torch.bfloat16).eval()
reader = transformers.Qwen3VLProcessor.from_pretrained(args.model)
print("photo,width,height,tokens,prepare_s,forward_s,vision_s,model_s")
for photo in args.photos:
    measure(net, reader, photo)
