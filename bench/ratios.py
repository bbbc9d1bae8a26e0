"""Medians and ratios from the CSV files NAME.DTYPE.ROUND.csv that bench/extract.sh leaves in a folder: bench/ratios.py MODEL FOLDER.

model_s and cpu_s are wall and processor time without reading and resizing the photo, image_mb what the process holds at most while it works
on a photo beyond what it held when the weights were loaded.  "transformers" is what the published code does, for a model that reads text a
full forward pass and a second pass of the vision encoder; "transformers forward" is the forward pass alone.  The last columns say how many
times faster a run is, in wall time and in processor time (the fairer one on a busy machine), than the reference in the same type, or in
bfloat16 where there is none.
"""
import csv
import glob
import os
import statistics
import sys

WHAT = {"default": "piaa default layer lt", "all": "piaa all layers", "transformers": "transformers", "forward": "transformers forward"}
model, folder = sys.argv[1:]
rows, tokens = {}, {}
for path in sorted(glob.glob(os.path.join(folder, "*.*.*.csv"))):
    name, dtype, _, _ = os.path.basename(path).split(".")
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            side = int(row["width"]), int(row["height"])
            tokens.setdefault(side, set()).add(int(row["tokens"]))
            rows.setdefault((side, name, dtype), []).append(row)
            if float(row.get("vision_s", 0)) > 0:
                rows.setdefault((side, "forward", dtype), []).append(dict(row, model_s=row["forward_s"], cpu_s=row["forward_cpu_s"]))
for side, counts in tokens.items():
    if len(counts) != 1:
        sys.exit(f"{model}, {side[0]} x {side[1]}: the two sides do not agree on the number of tokens: {sorted(counts)}")


def values(key, column):
    return [float(row[column]) for row in rows[key]]


def median(key, column):
    return statistics.median(values(key, column))


def times(key, reference, column):
    other = next(((key[0], reference, dtype) for dtype in (key[2], "bf16") if (key[0], reference, dtype) in rows), None)
    return f"{median(other, column) / median(key, column):.2f}" if other else ""


print("model,width,height,tokens,run,dtype,rounds,model_s,spread_s,cpu_s,gflop_per_s,loaded_mb,image_mb,"
      "times_faster,times_faster_cpu,times_faster_than_forward,times_faster_than_forward_cpu")
for key in sorted(rows, key=lambda k: (k[0], k[2] == "q4_K", k[2], list(WHAT).index(k[1]))):
    (width, height), name, dtype = key
    got = values(key, "model_s")
    image = statistics.median(float(row["peak_mb"]) - float(row["loaded_mb"]) for row in rows[key])
    speed = f"{median(key, 'gflop_per_s'):.0f}" if "gflop_per_s" in rows[key][0] else ""
    ratios = [times(key, reference, column) for reference in ("transformers", "forward") for column in ("model_s", "cpu_s")]
    print(model, width, height, min(tokens[width, height]), WHAT[name], dtype, len(got), f"{statistics.median(got):.3f}",
          f"{max(got) - min(got):.3f}", f"{median(key, 'cpu_s'):.3f}", speed, f"{median(key, 'loaded_mb'):.0f}", f"{image:.0f}", *ratios,
          sep=",", flush=True)
