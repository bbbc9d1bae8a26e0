#!/usr/bin/env python3
"""The study's heavy parts against scikit-learn's StandardScaler + RidgeCV, on the same numbers in the same run.

    python bench/study.py BUILD/bench/bench_study [--threads 1] [--quick]

Prints CSV, one line a part: probing 8,458 x 2,560 features with 12 targets, a layer at a time as the reference procedure goes through them
(one fit a target), and a grid of 200 people x 37 layers at 100 x 2,560 support and 50 test images.  Both use the number of threads given
(scikit-learn in its BLAS, piaa for several layers, or people, at a time), and seconds are of processor time, as in fit.py.  Of scikit-learn's work a part is done and its time multiplied: one target
of twelve, one person of four on one layer; `figure` is what both sides found, to see that they did the same.  --quick: an
eighth of the rows and columns.  Needs numpy, scipy and scikit-learn.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

from fit import data, unhindered

SUPPORT, TESTS = 100, 50


def run(program, part, x, y, third, layers, threads):
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in "xy"]
        x.tofile(names[0])
        y.tofile(names[1])
        size = [str(n) for n in (*x.shape, third, layers, threads)]
        out = subprocess.run([program, part, *names, *size], check=True, capture_output=True, text=True).stdout
    return [float(v) for v in out.split(",")]


def report(part, rows, columns, threads, ours, theirs, figures):
    print(f"{part},{rows},{columns},{threads},{ours:.3f},{theirs:.3f},{theirs / ours:.1f},{figures[0]:.6f},{figures[1]:.6f}", flush=True)


def probe(np, pipeline, program, rows, columns, threads, targets=12):
    from sklearn.metrics import r2_score

    x, y = data(np, rows, columns, targets)
    train = rows - rows // 8
    layers = 2 * threads
    seconds, figure, *alphas = run(program, "probe", x, y, targets, layers, threads)
    start = time.process_time()
    model = pipeline().fit(x[:train].astype(np.float64), y[:train, 0])
    predicted = model.predict(x[train:].astype(np.float64))
    model.predict(x[:train].astype(np.float64))
    theirs = (time.process_time() - start) * targets
    report("probe (seconds a layer)", rows, columns, threads, seconds / layers, theirs, (figure, r2_score(y[train:, 0], predicted)))


def grid(np, pipeline, program, rows, columns, threads, users=200, layers=37):
    from scipy.stats import spearmanr

    x, y = data(np, rows, columns, users)
    rng = np.random.default_rng(7)
    chosen = np.stack([rng.permutation(rows)[: SUPPORT + TESTS] for _ in range(users)])
    scores = np.clip(np.round(2 * y[chosen, np.arange(users)[:, None]]) / 2, 1, 5)
    pairs = np.stack([chosen.astype(np.float64), scores], axis=-1)
    seconds, figure = run(program, "grid", x, pairs, users, layers, threads)
    some, wide = range(0, users, 4), x.astype(np.float64)
    start = time.process_time()
    for u in some:
        model = pipeline().fit(wide[chosen[u, :SUPPORT]], scores[u, :SUPPORT])
        model.predict(wide[chosen[u, SUPPORT:]])
    theirs = (time.process_time() - start) / len(some) * users * layers
    found = [
        spearmanr(pipeline().fit(wide[c[:SUPPORT]], s[:SUPPORT]).predict(wide[c[SUPPORT:]]), s[SUPPORT:])[0] for c, s in zip(chosen, scores)
    ]
    report(f"grid ({users} people x {layers} layers)", SUPPORT, columns, threads, seconds, theirs, (figure, np.mean(found)))


def measure(program, threads, quick):
    import numpy as np
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def pipeline():
        return make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 3, 13)))

    less = 8 if quick else 1
    grid(np, pipeline, program, 2000, 2560 // less, threads)
    probe(np, pipeline, program, 8458 // less, 2560 // less, threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:  # the number of threads is read when the libraries load
        return measure(a.program, a.threads, a.quick)
    print("part,rows,columns,threads,piaa_s,sklearn_s,ratio,figure,sklearn_figure", flush=True)
    again = ["--threads", str(a.threads), "--child", *(["--quick"] * a.quick)]
    subprocess.run([sys.executable, __file__, a.program, *again], env=unhindered(a.threads), check=True)


if __name__ == "__main__":
    main()
