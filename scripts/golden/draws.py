#!/usr/bin/env python3
"""Write what CPython's random and NumPy's RandomState draw, and the row order of pandas' DataFrame.sample, for the tests of base/random.

    python scripts/golden/draws.py OUT          # OUT/random.json

Lists longer than HEAD are cut to their first HEAD values; `sum` is over (position from 1) x (value) of the whole list.
Integers that may pass 2^53 are strings.
"""
import json, os, random, sys
import numpy as np, pandas as pd

HEAD = 12
SEEDS = [0, 1, 2, 7, 42, 123, 2024, 65535, 19650218, 2**31 - 1, 2**31, 2**32 - 1]
WIDE = [-1, -42, 2**32, 2**32 + 1, -(2**40) - 5, 2**63 - 1, -(2**63) + 1]
BOUNDS = [1, 2, 3, 5, 10, 21, 100, 255, 256, 257, 1000, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 10**12, 2**53 + 1, 2**63 - 1]
SIZES = [0, 1, 2, 3, 5, 17, 64, 160, 204, 623, 624, 625, 5000]
DRAWS = [(0, 0), (1, 1), (5, 5), (6, 5), (21, 5), (22, 5), (22, 0), (50, 6), (85, 6), (86, 6), (100, 21), (277, 22), (278, 22), (221, 200),
         (240, 199), (1045, 200), (1046, 200), (100000, 300), (100000, 1)]


def cut(values):
    values = [int(v) for v in values]
    return {"count": len(values), "head": values[:HEAD], "sum": sum((i + 1) * v for i, v in enumerate(values))}


def python(seed):
    r = random.Random(seed)
    out = {"seed": str(seed), "units": [r.random() for _ in range(4)]}
    out["bits"] = [[k, str(r.getrandbits(k))] for k in (1, 2, 7, 31, 32, 33, 53, 63, 64)]
    out["below"] = [[str(n), str(r.randrange(n))] for n in BOUNDS]
    out["shuffles"] = []
    for n in SIZES:
        items = list(range(n))
        r.shuffle(items)
        out["shuffles"].append(cut(items))
    out["samples"] = [{"population": n, **cut(r.sample(range(n), k))} for n, k in DRAWS]
    return out


def numpy(seed):
    r = np.random.RandomState(seed)
    out = {"seed": str(seed), "units": [float(v) for v in r.random_sample(4)]}
    out["intervals"] = [[str(n), str(r.randint(0, n, dtype=np.int64))] for n in BOUNDS]
    out["permutations"] = [cut(r.permutation(n)) for n in SIZES]
    out["resample"] = cut(r.randint(0, 200, size=200))
    out["frames"] = [cut(pd.DataFrame({"x": range(n)}).sample(frac=1, random_state=seed).x) for n in SIZES]
    return out


os.makedirs(sys.argv[1], exist_ok=True)
with open(os.path.join(sys.argv[1], "random.json"), "w") as f:
    json.dump({"python": [python(s) for s in SEEDS + WIDE], "numpy": [numpy(s) for s in SEEDS]}, f, separators=(",", ":"))
    f.write("\n")
