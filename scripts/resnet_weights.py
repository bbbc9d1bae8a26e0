#!/usr/bin/env python3
"""A ResNet's weights as safetensors, which is what piaa reads.

    python scripts/resnet_weights.py resnet50-11ad3fa6.pth resnet50.safetensors

Takes torchvision's .pth, timm's file (safetensors or pickled), and a checkpoint of the published phase 1 of PIAA-ICI (.pth or
.pt), whose backbone is behind `backbone.` and has two heads. Names stay as they are; the classifier (fc.*) and the counters
of batch norm are left out, and everything is float32. Pickles are read as weights alone, so that none of their code runs.
Needs torch and safetensors (and NumPy).
"""
import argparse
import json
import sys

import torch
from safetensors.torch import load_file, save_file


def read(name):
    """The tensors by name, and what else the file says of them (text by key)."""
    if name.endswith(".safetensors"):
        return load_file(name), {}
    held = torch.load(name, map_location="cpu", weights_only=True)
    if not isinstance(held, dict):
        raise ValueError(f"it holds a {type(held).__name__}, not tensors by name")
    notes = {k: json.dumps(held[k]) for k in ("attr_cols", "dis_cols") if k in held}
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(held.get(key), dict):
            held = held[key]
    return held, notes


def chosen(tensors):
    out = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("module.")  # of a model that was trained on several GPUs
        head = name.removeprefix("backbone.")
        if torch.is_tensor(tensor) and not head.startswith("fc.") and not head.endswith("num_batches_tracked"):
            out[name] = tensor.detach().float().contiguous().clone()
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 2)[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="the file as it was published or trained")
    parser.add_argument("out", help="the file to write, .safetensors")
    a = parser.parse_args()
    try:
        tensors, notes = read(a.weights)
    except Exception as e:
        sys.exit(f"{a.weights}: {str(e).splitlines()[0]}")
    out = chosen(tensors)
    prefix = "backbone." if "backbone.conv1.weight" in out else ""
    missing = [n for n in ("conv1.weight", "bn1.running_var", "layer1.0.conv3.weight", "layer4.0.downsample.0.weight") if prefix + n not in out]
    if missing:
        sys.exit(f"{a.weights} holds no {missing[0]}: it is no ResNet with torchvision's names (it begins with {', '.join(list(out)[:3]) or 'nothing'})")
    save_file(out, a.out, metadata=notes or None)
    print(f"{a.out}: {len(out)} tensors, {sum(t.numel() for t in out.values()):,} numbers", file=sys.stderr)


if __name__ == "__main__":
    main()
