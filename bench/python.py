#!/usr/bin/env python3
"""The hidden states of the same photos by piaa and by what people do by hand: lines, seconds, memory, difference.

    python bench/python.py [--model DIR] [--photos N]          (make python's package, transformers, torch, Pillow; nnsight where it is)

Each way is a process of its own on one thread, float32, with the same prompt and chat form.  Printed for each: lines of code (without
blank ones), seconds from the start of Python to the first photo's vectors, seconds for each further photo, largest resident memory, and the largest
difference from the first way's numbers as a share of the largest of them, over every layer's lt and lv.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROMPT = "Assess the aesthetics of this image."
WAYS = {
    "piaa": """
        import piaa
        model = piaa.Model(MODEL)
        def read(path):
            states = model.hidden_states(path, pools=("lt", "lv"), layers="all", threads=1)
            return states["lt"][0], states["lv"][0]
        """,
    "transformers": """
        import torch, transformers
        from PIL import Image
        processor = transformers.AutoProcessor.from_pretrained(MODEL)
        model = transformers.AutoModelForImageTextToText.from_pretrained(MODEL, dtype=torch.float32).eval()
        def read(path):
            image = Image.open(path).convert("RGB")
            turn = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": PROMPT}]}]
            inputs = processor.apply_chat_template(turn, tokenize=True, return_dict=True, return_tensors="pt")
            with torch.inference_mode():
                states = model(**inputs, output_hidden_states=True, use_cache=False).hidden_states
            image = inputs["input_ids"][0] == model.config.image_token_id
            return (torch.stack([s[0][~image].mean(0) for s in states]).numpy(),
                    torch.stack([s[0][image].mean(0) for s in states]).numpy())
        """,
    "nnsight": """
        import torch, transformers
        from nnsight import NNsight
        from PIL import Image
        processor = transformers.AutoProcessor.from_pretrained(MODEL)
        inner = transformers.AutoModelForImageTextToText.from_pretrained(MODEL, dtype=torch.float32).eval()
        model = NNsight(inner)
        def read(path):
            image = Image.open(path).convert("RGB")
            turn = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": PROMPT}]}]
            inputs = processor.apply_chat_template(turn, tokenize=True, return_dict=True, return_tensors="pt")
            with torch.inference_mode(), model.trace(**inputs, use_cache=False, output_hidden_states=True):
                states = model.output.hidden_states.save()
            image = inputs["input_ids"][0] == inner.config.image_token_id
            return (torch.stack([s[0][~image].mean(0) for s in states]).numpy(),
                    torch.stack([s[0][image].mean(0) for s in states]).numpy())
        """,
}
AROUND = """
import json, resource, sys, time
MODEL, PROMPT, OUT, PHOTOS = json.loads(sys.argv[1])
{way}
import numpy as np
vectors = [read(PHOTOS[0])]
first = time.time()
vectors += [read(p) for p in PHOTOS[1:]]
last = time.time()
np.save(OUT, np.array(vectors, np.float32))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([first, last, peak]))
"""


def run(name, model, photos, folder):
    import time

    out = os.path.join(folder, name + ".npy")
    threads = {k: "1" for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    script = os.path.join(folder, name + "_way.py")  # nnsight reads the source of what is traced
    with open(script, "w") as file:
        file.write(AROUND.format(way=textwrap.dedent(WAYS[name]).strip()))
    start = time.time()
    done = subprocess.run([sys.executable, script, json.dumps([model, PROMPT, out, photos])], capture_output=True, text=True,
                          env={**os.environ, **threads})
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["?"])[-1]
    first, last, peak = json.loads(done.stdout.strip().splitlines()[-1])
    return (first - start, (last - first) / max(1, len(photos) - 1), peak), out


def main():
    import numpy as np

    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=str(ROOT / "models/demo"))
    parser.add_argument("--photos", type=int, default=20)
    asked = parser.parse_args()
    photos = sorted(str(p) for p in (ROOT / "data/sample/photos").iterdir())[:asked.photos]
    print("way            lines  first photo s  each further ms  memory MB  largest difference")
    with tempfile.TemporaryDirectory() as folder:
        base = None
        for name, code in WAYS.items():
            lines = sum(bool(line.strip()) for line in code.splitlines())
            numbers, out = run(name, asked.model, photos, folder)
            if numbers is None:
                print(f"{name:14} {lines:5}  not run: {out}")
                continue
            found = np.load(out)
            base = found if base is None else base
            gap = np.abs(found - base).max() / np.abs(base).max()
            print(f"{name:14} {lines:5}  {numbers[0]:13.2f}  {1000 * numbers[1]:15.1f}  {numbers[2] / 1e6:9.0f}  {gap:18.1e}")


main()
