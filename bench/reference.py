#!/usr/bin/env python3
"""Time the reference procedure: pooled hidden states with Hugging Face transformers on the CPU.

    python bench/reference.py MODEL PHOTO... [--dtype bf16|f32] [--threads N] [--repeat R] [--gemm]

As the published code does it: one full forward pass with output_hidden_states (every block, and a language model's logits), means over
text and image tokens of every layer (of a vision model: over all of them), and, for a language model, a second pass of the vision encoder
with hooks on its blocks.  Prints one CSV row per photo with medians of R runs in seconds, after one run that is not counted; cpu_s is
processor time of all threads; loaded_mb is what the process holds once the model is loaded and every weight has been touched, peak_mb the
most that it holds while the photo is worked on (Linux).  --gemm instead prints the machine's bfloat16 matrix-product peak in the same
PyTorch.  Packages: scripts/golden/requirements.txt.
"""
import argparse
import statistics
import sys
import time

import torch

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("photos", nargs="*")
parser.add_argument("--dtype", choices=("bf16", "f32"), default="bf16")
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


def resident(key):
    """MB of this process: VmRSS now, or VmHWM at most since forget_peak."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in f if line.startswith(key + ":"))


def forget_peak():
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")


class Language:
    def __init__(self, kind, vision, blocks):
        self.net = getattr(transformers, kind + "ForConditionalGeneration").from_pretrained(args.model, dtype=dtype).eval()
        self.processor = getattr(transformers, kind + "Processor").from_pretrained(args.model)
        self.vision = vision(self.net.model)
        self.blocks = blocks(self.vision)

    def prepare(self, image):
        turn = [{"role": "user", "content": [{"type": "image", "image": image},
                                             {"type": "text", "text": "Assess the aesthetics of this image."}]}]
        return self.processor.apply_chat_template(turn, tokenize=True, add_generation_prompt=False, return_dict=True, return_tensors="pt")

    def forward(self, inputs):
        visual = inputs["input_ids"][0] == self.net.config.image_token_id
        states = self.net(**inputs, output_hidden_states=True, use_cache=False).hidden_states
        return len(visual), [m for h in states for m in (h[0, ~visual].float().mean(0), h[0, visual].float().mean(0))]

    def second(self, inputs):
        means = []
        hooks = [block.register_forward_hook(lambda _, __, out: means.append((out if torch.is_tensor(out) else out[0]).float().mean(0)))
                 for block in self.blocks]
        grid = {"grid_thw": inputs["image_grid_thw"]} if "image_grid_thw" in inputs else {}
        self.vision(inputs["pixel_values"].to(dtype), **grid)
        for hook in hooks:
            hook.remove()
        assert len(means) == len(hooks)
        return means


class Vision:
    def __init__(self, kind, given):
        self.net = getattr(transformers, kind).from_pretrained(args.model, dtype=dtype).eval()
        self.processor = transformers.AutoImageProcessor.from_pretrained(args.model)
        self.given = given

    def prepare(self, image):
        return self.processor(images=image, return_tensors="pt")

    def forward(self, inputs):
        out = self.net(inputs["pixel_values"].to(dtype), output_hidden_states=True)
        return out.hidden_states[0].shape[1], [h[0].float().mean(0) for h in out.hidden_states] + [out[self.given][0].float()]

    def second(self, inputs):
        return []


def measure(model, path):
    from PIL import Image
    image = Image.open(path).convert("RGB")
    runs = []
    forget_peak()
    for _ in range(args.repeat + 1):
        before, inputs = seconds(lambda: model.prepare(image))
        start = time.process_time()
        forward, (tokens, means) = seconds(lambda: model.forward(inputs))
        middle = time.process_time()
        second, more = seconds(lambda: model.second(inputs))
        assert all(torch.isfinite(t).all() for t in means + more)
        runs.append((before, forward, second, forward + second, middle - start, time.process_time() - start))
    medians = ",".join(f"{statistics.median(column):.4f}" for column in zip(*runs[1:]))
    print(f"{path},{image.width},{image.height},{tokens},{medians},{loaded:.1f},{resident('VmHWM'):.1f}", flush=True)


if args.gemm:
    gemm()
    sys.exit()
import transformers  # noqa: E402  (slow to load)

transformers.utils.logging.disable_progress_bar()
dtype = dict(bf16=torch.bfloat16, f32=torch.float32)[args.dtype]
kinds = {
    "qwen3_vl": lambda: Language("Qwen3VL", lambda m: m.visual, lambda v: v.blocks),
    "gemma3": lambda: Language("Gemma3", lambda m: m.vision_tower, lambda v: v.encoder.layers),
    "dinov3_vit": lambda: Vision("DINOv3ViTModel", "pooler_output"),
    "siglip_vision_model": lambda: Vision("SiglipVisionModel", "pooler_output"),
    "clip_vision_model": lambda: Vision("CLIPVisionModelWithProjection", "image_embeds"),
}
model = kinds[transformers.AutoConfig.from_pretrained(args.model).model_type]()
for weight in model.net.parameters():
    weight.sum()                                                 # files are mapped: nothing is read before it is needed
loaded = resident("VmRSS")
print("photo,width,height,tokens,prepare_s,forward_s,vision_s,model_s,forward_cpu_s,cpu_s,loaded_mb,peak_mb")
for photo in args.photos:
    measure(model, photo)
