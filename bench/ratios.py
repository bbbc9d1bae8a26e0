"""Medians and ratios from the CSV files that bench/extract.sh leaves in a folder: RUN.ROUND.csv and gemm.csv."""
import csv
import glob
import os
import statistics
import sys

WHAT = {"a": "piaa default layer, lt, bf16", "b": "piaa all layers, all pools, bf16", "c": "transformers, bf16",
        "d": "piaa default layer, lt, q4_K"}


times, speeds, tokens, rounds = {}, {}, {}, 0
for path in glob.glob(os.path.join(sys.argv[1], "?.*.csv")):
    run = os.path.basename(path)[0]
    rounds += run == "c"
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            key = (int(row["width"]), int(row["height"]), run)
            times.setdefault(key, []).append(float(row["model_s"]))   # without reading and resizing the photo
            tokens.setdefault(key[:2], set()).add(int(row["tokens"]))
            if "gflop_per_s" in row:
                speeds.setdefault(key, []).append(float(row["gflop_per_s"]))
for side, counts in tokens.items():
    if len(counts) != 1:
        sys.exit(f"{side[0]} x {side[1]}: the two sides do not agree on the number of tokens: {sorted(counts)}")
print("width,height,tokens,run,what,model_s,spread_s,gflop_per_s,times_faster_than_c")
for width, height in sorted(tokens):
    base = statistics.median(times[width, height, "c"])
    for run, what in WHAT.items():
        got = times[width, height, run]
        speed = speeds.get((width, height, run))
        print(f"{width},{height},{min(tokens[width, height])},{run},\"{what}\",{statistics.median(got):.3f},{max(got) - min(got):.3f},"
              f"{f'{statistics.median(speed):.0f}' if speed else ''},{base / statistics.median(got):.2f}")
with open(os.path.join(sys.argv[1], "gemm.csv"), newline="") as f:
    peak = max(float(row["gflop_per_s"]) for row in csv.DictReader(f))
print(f"Median of {rounds} rounds; bfloat16 matrix-product peak of this machine in PyTorch: {peak:.0f} GFLOP/s", file=sys.stderr)
