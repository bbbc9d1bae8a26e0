#!/usr/bin/env python3
"""What holding a model's weights in fewer bits costs: a Markdown table, one row for each form of the model.

    make quantised                                                       the demonstration model on the small copies of AADB and PARA
    bench/quantised.py PIAA WORK --model DIR --photos FOLDER [embed's options]     another model: features only

Every form is compared with the folder's weights held as float32.  "Folder" is --dtype on the folder, "GGUF" the pair that `piaa model
convert --dtype` writes, held as in the file (--dtype file, which is what auto becomes for models too large for float32).  WORK keeps the
files, so that a second run is quick.  Needs numpy and gguf.
"""
import argparse
import json
import os
import re
import sqlite3
import subprocess
import sys

import gguf
import numpy as np

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
AADB, PARA = (os.path.join(REPOSITORY, "data", name) for name in ("aadb", "para"))
FORMS = [("folder", kind) for kind in ("f32", "bf16", "f16", "q8_0", "q6_K", "q5_K", "q4_K")]
FORMS += [("GGUF", kind) for kind in ("bf16", "f16", "q8_0", "q6_K", "q5_K", "q4_K")]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("piaa")
parser.add_argument("work")
parser.add_argument("--model", default=os.path.join(REPOSITORY, "models", "demo"))
parser.add_argument("--photos", help="a folder or a photo; without it the two data sets")
parser.add_argument("--kinds", default="f32,bf16,f16,q8_0,q6_K,q5_K,q4_K", help="f32 has to be the first")
parser.add_argument("--pool", default="lt,lv,v")
parser.add_argument("--layer", default="all")
args, options = parser.parse_known_args()
os.makedirs(args.work, exist_ok=True)


def piaa(*words):
    """Runs it; what it printed on both streams."""
    run = subprocess.run([args.piaa, *words], capture_output=True, text=True, env=dict(os.environ, XDG_CACHE_HOME=args.work))
    if run.returncode:
        sys.exit(f"piaa {' '.join(words)}\n{run.stderr}")
    return run.stdout + run.stderr


def load(name):
    with open(os.path.join(args.work, name)) as f:
        return json.load(f)


def converted(kind):
    """The pair's text file, made if it is not there; how many MB both files have; the matrices' types by their share of values."""
    path = os.path.join(args.work, f"{kind}.gguf")
    pair = [path, os.path.join(args.work, f"mmproj-{kind}.gguf")]
    if not all(map(os.path.exists, pair)):
        piaa("model", "convert", args.model, path, "--dtype", kind)
    values = {}
    for tensor in (t for file in pair for t in gguf.GGUFReader(file).tensors if len(t.shape) > 1):
        values[tensor.tensor_type.name] = values.get(tensor.tensor_type.name, 0) + int(tensor.n_elements)
    total = sum(values.values())
    shares = sorted(((100 * n / total, name) for name, n in values.items()), reverse=True)
    return path, sum(map(os.path.getsize, pair)) / 1e6, ", ".join(f"{name} {share:.0f} %" for share, name in shares if share >= 0.5)


def features(store):
    """{slot: [photos, dim]}, photos in the order of their paths."""
    with sqlite3.connect(os.path.join(store, "catalog.sqlite")) as catalogue:
        rows = [row for (row,) in catalogue.execute("select row from photos where row is not null order by path")]
    return {name[:-4]: np.load(os.path.join(store, name))[rows] for name in os.listdir(store) if name.endswith(".npy")}


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-300)


def rho(entry, split):
    return entry[split]["rho"] or 0.0


def probe_scores(run, slot):
    """Test Spearman, means over the attributes and the score: at `slot`; at the layer that is best on the validation images."""
    layers = [attribute["per_layer"] for attribute in load(f"{run}/probe.json")["attrs"].values()]
    default = [rho(entry, "test") for entries in layers for entry in entries if entry["name"] == slot]
    best = [rho(max(entries, key=lambda e: rho(e, "val")), "test") for entries in layers]
    return np.array([np.mean(default), np.mean(best)])




with open(os.path.join(args.model, "config.json")) as f:
    has_gguf = json.load(f)["model_type"] in ("qwen3_vl", "gemma3")
reference = None
default = None
print("| form | matrices, by share of values | files | weights in memory | default layer: cosine, mean | worst photo | relative L2 | worst layer's cosine, mean |"
      + ("" if args.photos else " probing at the default layer | at the best layer | personal protocol |"))
print("|---" * (8 if args.photos else 11) + "|")
for where, kind in FORMS:
    if kind not in args.kinds.split(",") or (where == "GGUF" and not has_gguf):
        continue
    run = f"{where}-{kind}"
    path, size, shares = (args.model, None, "") if where == "folder" else converted(kind)
    how = ["--model", path, "--dtype", kind if where == "folder" else "file"]
    store = os.path.join(args.work, f"{run}.store")
    if args.photos:
        piaa("embed", args.photos, "--out", store, "--pool", args.pool, "--layer", args.layer, *how, *options)
        photo = args.photos
    else:
        photo = os.path.join(REPOSITORY, "data", "sample", "photos")
        piaa("probe", "--data", f"aadb:{AADB}", "--store", store, "--out", os.path.join(args.work, f"{run}.probe"), "--pool", args.pool, *how)
        piaa("eval", "--data", f"para:{PARA}", "--out", os.path.join(args.work, f"{run}.eval"), *how)
    first = next(os.path.join(d, f) for d, _, files in os.walk(photo) for f in sorted(files)) if os.path.isdir(photo) else photo
    memory = re.search(r"load ([\d.]+) MB", piaa("bench", first, "--pool", args.pool, "--layer", "all", *how, *options))
    mine = features(store)
    if reference is None:
        reference = mine
        pool = "lt" if "lt.0" in mine else "v"
        depth = max(int(slot.split(".")[1]) for slot in mine if slot.startswith(pool + "."))
        default = f"lt.{round(15 / 36 * depth)}" if pool == "lt" else f"v.{depth}"
    angle = cosines(mine[default], reference[default])
    error = np.linalg.norm(mine[default] - reference[default]) / np.linalg.norm(reference[default])
    worst, slot = min((cosines(mine[slot], reference[slot]).mean(), slot) for slot in mine)
    cells = [f"{where}, {kind}", shares, f"{size:.1f} MB" if size else "", f"{float(memory[1]):.1f} MB", f"{angle.mean():.6f}", f"{angle.min():.6f}",
             f"{error:.4f}", f"{worst:.5f} ({slot})"]
    if not args.photos:
        personal = load(f"{run}.eval/eval.json")["outcomes"][0]["spearman"]["mean"]
        scores = np.append(probe_scores(f"{run}.probe", default), personal)
        if kind == "f32" and where == "folder":
            base = scores
            cells += [f"{score:.4f}" for score in scores]
        else:
            cells += [f"{change:+.4f}" for change in scores - base]
    print("| " + " | ".join(cells) + " |", flush=True)
