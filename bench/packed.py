#!/usr/bin/env python3
"""What keeping vectors in fewer bits changes, with the demonstration model (docs/scale.md, "Packed stores").

    python bench/packed.py build/release/src/cli/piaa [FOLDER]

Photos are read once (data/aadb for probing, data/para for people); their stores are packed as float32, float16, bfloat16 and int8, and each copy is
held against the store: the largest change of a score in a ranking by 100 of one person's ratings, in stars, and Spearman's correlation between the two
orders (the lowest of the people of data/para); the largest change of rho in probing over all attributes, pools and layers, and that of each attribute's
best; the change of the mean rho of personal models, and the largest of one person's; bytes of a photo's vectors and of the whole store.  FOLDER keeps stores
and runs.  Needs numpy and scipy; takes about three minutes on two cores.
"""
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from scipy.stats import spearmanr

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data")
PEOPLE = 20  # of data/para, for the rankings


def main():
    piaa = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else scratch
        os.makedirs(folder, exist_ok=True)
        os.environ["XDG_CACHE_HOME"] = os.path.join(folder, "cache")
        run(piaa, folder)


def call(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stderr}")
    return done.stdout


def probed(piaa, folder, store):
    """rho on the test images of each attribute at each source."""
    out = os.path.join(folder, "probe-" + os.path.basename(store))
    call(piaa, "probe", "--data", f"aadb:{DATA}/aadb", "--store", store, "--out", out)
    with open(os.path.join(out, "probe.json"), encoding="utf-8") as file:
        attributes = json.load(file)["attrs"]
    rho = {(a, layer["name"]): layer["test"]["rho"] or 0 for a, found in attributes.items() for layer in found["per_layer"]}
    best = {a: found["best"]["test"]["rho"] or 0 for a, found in attributes.items()}
    return rho, best


def evaluated(piaa, folder, store):
    """Spearman's rho of each person with 10 and with 100 ratings."""
    out = os.path.join(folder, "eval-" + os.path.basename(store))
    call(piaa, "eval", "--data", f"para:{DATA}/para", "--layer", "3", "--support", "10,100", "--store", store, "--out", out)
    with open(os.path.join(out, "users.csv"), encoding="utf-8", newline="") as file:
        return {(row["support_set"], row["user_id"]): float(row["spearman"] or 0) for row in csv.DictReader(file)}


def ranked(piaa, folder, store, people):
    """The scores of all photos of the store by each person's first 100 ratings."""
    scores = []
    for person in people:
        taste = os.path.join(folder, "taste.json")
        call(piaa, "fit", "--store", store, "--layer", "3", "--ratings", person, "--out", taste)
        rows = csv.DictReader(call(piaa, "predict", "--taste", taste, "--store", store, "--csv").splitlines())
        scores.append({row["path"]: float(row["score"]) for row in rows})
    return scores


def write_people(folder, evaluation):
    """A table of each person's ratings, from the draws of the evaluation."""
    people = {}
    with open(os.path.join(evaluation, "scores.csv"), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["set"] == "large":
                people.setdefault(row["user_id"], []).append((os.path.join(DATA, "para", row["image_path"]), row["score"]))
    paths = []
    for person, ratings in sorted(people.items())[:PEOPLE]:
        paths.append(os.path.join(folder, f"{person}.csv"))
        with open(paths[-1], "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "score"])
            writer.writerows(ratings)
    return paths


def size(folder, ending=""):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder) if name.endswith(ending))


def compare(now, before):
    return max(abs(now[key] - before[key]) for key in before)


def run(piaa, folder):
    aadb, para = os.path.join(folder, "aadb"), os.path.join(folder, "para")
    probe_before, best_before = probed(piaa, folder, aadb)
    people_before = evaluated(piaa, folder, para)
    people = write_people(folder, os.path.join(folder, "eval-para"))
    scores_before = ranked(piaa, folder, para, people)
    photos = len(scores_before[0])
    print("dtype,largest change of a score,lowest spearman of rankings,largest change of rho probing,of the best,"
          "mean change of rho with 10,with 100,largest of one person,matrix bytes a photo,index bytes a photo")
    for dtype in ("f32", "f16", "bf16", "int8"):
        packed = {}
        for name, store in (("aadb", aadb), ("para", para)):
            packed[name] = os.path.join(folder, f"{name}.{dtype}")
            shutil.rmtree(packed[name], ignore_errors=True)
            call(piaa, "store", "pack", store, "--out", packed[name], "--dtype", dtype)
        rho, best = probed(piaa, folder, packed["aadb"])
        persons = evaluated(piaa, folder, packed["para"])
        scores = ranked(piaa, folder, packed["para"], people)
        worst = max(compare(a, b) for a, b in zip(scores, scores_before))
        order = min(spearmanr([a[p] for p in b], list(b.values())).statistic for a, b in zip(scores, scores_before))
        means = [np.mean([persons[k] - people_before[k] for k in people_before if k[0] == s])
                 for s in sorted({k[0] for k in people_before}, key=lambda s: s != "small")]
        print(f"{dtype},{worst:.2g},{order:.6f},{compare(rho, probe_before):.2g},{compare(best, best_before):.2g},"
              f"{means[0]:+.2g},{means[1]:+.2g},{compare(persons, people_before):.2g},"
              f"{size(packed['para'], '.npy') / photos:.0f},{size(packed['para'], '.piaa') / photos:.0f}", flush=True)


main()
