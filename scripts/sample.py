#!/usr/bin/env python3
"""Write data/sample: one simulated rater's pictures and ratings, from the demonstration data in PARA's layout.

    python scripts/sample.py PARA OUT [--user A1000] [--photos 60] [--rated 40] [--seed 0]

PARA is the folder `para` that models/demo/recipe/datasets.py writes.  Pictures are drawn at random among those that
the rater rated.  Needs nothing but Python.
"""
import argparse
import csv
import os
import random
import shutil

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("para")
parser.add_argument("out")
parser.add_argument("--user", default="A1000")
parser.add_argument("--photos", type=int, default=60)
parser.add_argument("--rated", type=int, default=40)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

with open(os.path.join(args.para, "annotation", "PARA-Images.csv"), newline="") as f:
    rows = list(csv.DictReader(f))
own = sorted({(row["sessionId"], row["imageName"]): row for row in rows if row["userId"] == args.user}.items())
drawn = [row for _, row in random.Random(args.seed).sample(own, args.photos)]
rated, held_out = drawn[:args.rated], drawn[args.rated:]

photos = os.path.join(args.out, "photos")
shutil.rmtree(photos, ignore_errors=True)
os.makedirs(photos)
for row in drawn:
    shutil.copyfile(os.path.join(args.para, "imgs", row["sessionId"], row["imageName"]), os.path.join(photos, row["imageName"]))
for name, part in (("ratings.csv", rated), ("held_out.csv", held_out)):
    with open(os.path.join(args.out, name), "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(("path", "score"))
        out.writerows(sorted((f"photos/{row['imageName']}", row["aestheticScore"]) for row in part))
print(f"{args.user}: {len(rated)} rated, {len(held_out)} held out")
