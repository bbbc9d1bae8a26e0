#!/usr/bin/env python3
"""How quickly the next photo to rate is chosen among many, and what the features' low rank loses against the exact choice.

    python bench/choose.py BUILD/bench/bench_choose [--rows 40000] [--columns 2560] [--subset 2000] [--count 20] [--threads 1] [--ranks 32,128,256]

Made-up features whose variances fall as 1/k along random directions, with folders of photos that lie close.  Prints CSV.  The first rows: all
photos, milliseconds to the first answer and of each next one, peak memory less the features themselves.  Then a subset of the photos, chosen
from at each rank by piaa and by the textbook's greedy choice in NumPy, which holds the covariance of all pairs of photos and updates it after
every choice: `gain` is by how much the ratings of what was chosen lower the summed variance of all the subset's scores, in percent of that
sum, conditioned anew in NumPy for everybody; `loss` is what is lost of the exact choice's gain, in percent of it.  Random: the mean of 20 draws.
Needs numpy.
"""
import argparse
import os
import subprocess
import tempfile
import time

import numpy as np


def features(rows, columns, rng):
    k = min(columns, 1024)
    folders = max(1, rows // 100)
    size = 1 / np.sqrt(1 + np.arange(k, dtype=np.float32))
    mixing = rng.standard_normal((k, columns), dtype=np.float32)
    places = rng.standard_normal((folders, k), dtype=np.float32)
    x = np.empty((rows, columns), np.float32)
    for first in range(0, rows, 4000):
        n = min(4000, rows - first)
        own = .8 * rng.standard_normal((n, k), dtype=np.float32) + .6 * places[rng.integers(0, folders, n)]
        x[first:first + n] = (own * size) @ mixing + .1 * rng.standard_normal((n, columns), dtype=np.float32)
    return x * rng.uniform(.1, 30, columns).astype(np.float32)


def covariance(x):
    z = x.astype(np.float64)
    z = (z - z.mean(0)) / z.std(0)
    k = z @ z.T
    return k, np.trace(k) / len(k)


def greedy(x, count):
    """The covariance c of w'z (rows) and b + w'z (columns), and that of b + w'z, updated after every choice."""
    chosen, times, start = [], [], time.perf_counter()
    c, scale = covariance(x)
    v = c + scale
    for _ in range(count):
        value = np.einsum("ij,ij->j", c, c) / (np.diag(v) + scale)
        value[chosen] = -1
        i = int(value.argmax())
        chosen.append(i)
        e = v[i, i] + scale
        c -= np.outer(c[:, i], v[i]) / e
        v -= np.outer(v[:, i], v[i]) / e
        times.append((time.perf_counter() - start) * 1e3)
        start = time.perf_counter()
    return chosen, times


def gain(k, scale, chosen):
    cross = k[:, chosen]
    seen = k[np.ix_(chosen, chosen)] + scale + scale * np.eye(len(chosen))
    return 100 * np.sum(cross * np.linalg.solve(seen, cross.T).T) / np.trace(k)


def run(program, path, x, strategy, count, rank, threads):
    out = subprocess.run([program, path, *map(str, (len(x), x.shape[1])), strategy, str(count), str(rank), str(threads)], check=True,
                         capture_output=True, text=True).stdout.split(",")
    return [float(v) for v in out[:4]], [int(v) for v in out[4:]]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("--rows", type=int, default=40000)
    p.add_argument("--columns", type=int, default=2560)
    p.add_argument("--subset", type=int, default=2000)
    p.add_argument("--count", type=int, default=20)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--ranks", default="32,128,256")
    a = p.parse_args()
    rng = np.random.default_rng(1)
    x = features(a.rows, a.columns, rng)
    ranks = [int(r) for r in a.ranks.split(",")]
    print("photos,columns,rank,strategy,who,threads,first_ms,next_ms,most_ms,extra_mb,gain,loss")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        x.tofile(path)
        for rank in ranks:
            (first, each, most, peak), _ = run(a.program, path, x, "v-optimal", a.count, rank, a.threads)
            print(f"{a.rows},{a.columns},{rank},v-optimal,piaa,{a.threads},{first:.0f},{each:.1f},{most:.1f},{peak - x.nbytes / 2**20:.0f},,", flush=True)
        s = x[rng.permutation(a.rows)[:a.subset]]
        s.tofile(path)
        k, scale = covariance(s)
        exact, times = greedy(s, a.count)
        top = gain(k, scale, exact)
        n = f"{a.subset},{a.columns}"
        print(f"{n},,v-optimal,numpy,,{times[0]:.0f},{sorted(times[1:])[len(times) // 2 - 1]:.1f},{max(times[1:]):.1f},,{top:.2f},0.0", flush=True)
        for strategy in ("v-optimal", "variance", "k-center"):
            for rank in ranks if strategy == "v-optimal" else ranks[-1:]:
                (first, each, most, _), chosen = run(a.program, path, s, strategy, a.count, rank, a.threads)
                g = gain(k, scale, chosen)
                print(f"{n},{rank},{strategy},piaa,{a.threads},{first:.0f},{each:.1f},{most:.1f},,{g:.2f},{100 * (1 - g / top):.1f}", flush=True)
        g = np.mean([gain(k, scale, rng.permutation(a.subset)[:a.count]) for _ in range(20)])
        print(f"{n},,random,numpy,,,,,,{g:.2f},{100 * (1 - g / top):.1f}")


main()
