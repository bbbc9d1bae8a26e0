#!/usr/bin/env python3
"""Learning a taste against scikit-learn's StandardScaler + RidgeCV, on the same numbers in the same run.

    python bench/fit.py BUILD/bench/bench_fit [--threads 1,2] [--probe]

Milliseconds are of processor time, which other programs on the machine do not lengthen by much; of several threads it is their sum, and
OpenBLAS' threads spin while they wait, so that one thread is the fair comparison.  Whatever the environment says to OpenBLAS, NumPy and OpenMP
is taken away, so that either side computes as it was built to.

Prints CSV: milliseconds (median) of piaa and of scikit-learn fitted one target at a time, as the reference procedure does, and all targets
in one call (which chooses one alpha for all); the ratios; and for how many targets both chose the same alpha.  --probe adds 8,458 x 2,560
with 12 targets, of which scikit-learn is given one and its time is multiplied (about a minute).  Needs numpy and scikit-learn.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

CASES = [(10, 2560, 1), (100, 2560, 1), (100, 2560, 12), (100, 4096, 1), (1000, 2560, 1), (3000, 512, 12)]
PROBE = [(8458, 2560, 12)]


def data(np, rows, columns, targets):
    """Features with a falling spectrum, columns of different sizes, and targets that half depend on them."""
    rng = np.random.default_rng(rows * columns + targets)
    k = min(columns, 256)
    x = rng.standard_normal((rows, k)) / (1 + np.arange(k)) ** 0.5 @ rng.standard_normal((k, columns)) + 0.3 * rng.standard_normal((rows, columns))
    w = rng.standard_normal((columns, targets)) / columns**0.5
    y = 3 + (x @ w) / (x @ w).std(0) * 0.5 + 0.5 * rng.standard_normal((rows, targets))
    return (x * rng.uniform(0.1, 30, columns) + rng.uniform(-50, 50, columns)).astype(np.float32), y


def median(times):
    return sorted(times)[len(times) // 2]


def unhindered(threads):
    """The environment without what would hold BLAS back (OPENBLAS_CORETYPE names a kernel that may be an older CPU's), on so many threads."""
    hindrances = ("OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "OMP_", "NPY_", "NPYV_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(hindrances)}
    return {**env, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}


def repeat(function, seconds):
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.process_time()
        result = function()
        times.append((time.process_time() - start) * 1e3)
    return median(times), result


def measure(program, cases, threads):
    import numpy as np
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import StandardScaler

    def fit(x, y):
        return RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(StandardScaler().fit_transform(x), y)

    for rows, columns, targets in cases:
        x, y = data(np, rows, columns, targets)
        large = rows * columns > 5e6
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name) for name in "xy"]
            x.tofile(names[0])
            y.tofile(names[1])
            out = subprocess.run([program, *names, str(rows), str(columns), str(targets), "2"], check=True, capture_output=True, text=True).stdout
        repeats, ours, best, _, *alphas = (float(v) for v in out.split(","))
        wide = x.astype(np.float64)
        tried = 1 if large else targets
        each, models = repeat(lambda: [fit(wide, y[:, t]) for t in range(tried)], 2)
        each *= targets / tried
        joint = each if targets == 1 or large else repeat(lambda: fit(wide, y), 2)[0]
        same = sum(m.alpha_ == a for m, a in zip(models, alphas))
        print(f"{rows},{columns},{targets},{threads},{ours:.3f},{best:.3f},{each:.1f},{joint:.1f},{each / ours:.1f},"
              f"{joint / ours:.1f},{same}/{tried}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    cases = CASES + PROBE * a.probe
    if a.child:  # the number of threads is read when the libraries load
        return measure(a.program, cases, int(a.threads))
    print("rows,columns,targets,threads,piaa_ms,piaa_best_ms,sklearn_ms,sklearn_joint_ms,ratio,ratio_joint,same_alpha", flush=True)
    for threads in a.threads.split(","):
        command = [sys.executable, __file__, a.program, "--threads", threads, "--child", *(["--probe"] * a.probe)]
        subprocess.run(command, env=unhindered(threads), check=True)


if __name__ == "__main__":
    main()
