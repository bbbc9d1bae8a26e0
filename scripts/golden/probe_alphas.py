#!/usr/bin/env python3
"""The alphas that scikit-learn chooses in float32 for AADB's small copy, one for each layer and attribute.

    python scripts/golden/probe_alphas.py STORE > tests/golden/study/probe_alphas.json

STORE holds the features of data/aadb (piaa embed data/aadb --pool lt,lt_tail,lv,v --layer all --out STORE).  Needs numpy and scikit-learn.
"""
import json
import os
import sqlite3
import sys

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

NAMES = "score BalacingElements ColorHarmony Content DoF Light MotionBlur Object Repetition RuleOfThirds Symmetry VividColor".split()
LISTS = os.path.join(os.path.dirname(__file__), "../../data/aadb/imgListFiles_label/imgListTrainRegression_%s.txt")


def main(store):
    rows = {os.path.basename(path): row for path, row in sqlite3.connect(f"{store}/catalog.sqlite").execute("select path, row from photos")}
    lists = [[line.split() for line in open(LISTS % name)] for name in NAMES]
    chosen = [rows[file] for file, _ in lists[0]]
    y = np.array([[value for _, value in column] for column in lists], dtype=np.float32)
    alphas = {}
    for slot in [f"{pool}.{layer}" for pool in ("lt", "lt_tail", "lv", "v") for layer in range(6 if pool == "v" else 9)]:
        z = StandardScaler().fit_transform(np.load(f"{store}/{slot}.npy", mmap_mode="r")[chosen])
        alphas[slot] = [float(f"{RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(z, column).alpha_:.6g}") for column in y]
    print('{"made_with":"scikit-learn StandardScaler + RidgeCV in float32 on piaa\'s features of data/aadb, training images",')
    print('"targets":' + json.dumps(NAMES) + ',\n"alphas":{')
    print(",\n".join(f'"{slot}":' + json.dumps(list_, separators=(",", ":")) for slot, list_ in alphas.items()) + "\n}}")


main(sys.argv[1])
