#!/usr/bin/env python3
"""Which photo teaches most, from the definition: every posterior conditioned anew on all that is rated, no update of any kind.

    python scripts/golden/choose.py tests/golden/linear/choose.safetensors

Scores are b + w'z of columns standardised on all photos by StandardScaler, w ~ N(0, I), b ~ N(0, u), ratings are scores + N(0, lambda).  The
score less its mean, w'z, of all photos and what would be read off them, b + w'z, are one normal distribution; given what is rated its
covariance comes from np.linalg.solve.

Each case: x [photos, columns], rated [rows of x], lambda, u (the mean square length of a standardised row), and for every strategy
  chosen  [steps]
  values  [steps + 1, photos] what each photo is worth before each choice, NaN where it is rated:
            v-optimal  how much rating it would lower the sum over photos of the variance of w'z
            variance   the variance of b + w'z
            k-center   the distance to the nearest rated photo, squared; with none rated, less its squared distance from the mean
Needs numpy, scikit-learn, scipy and safetensors.
"""
import sys

import numpy as np
from safetensors.numpy import save_file
from scipy.spatial.distance import cdist
from sklearn.preprocessing import StandardScaler

STEPS = 8


def given(prior, cross, own, rated, noise):
    """Covariance of what `prior` is of, once the rated ones are read off: cross is between it and the readings, own that of the readings."""
    if not len(rated): return prior
    k = own[np.ix_(rated, rated)] + noise * np.eye(len(rated))
    return prior - cross[:, rated] @ np.linalg.solve(k, cross[:, rated].T)


def values(strategy, z, rated, noise, u):
    k = z @ z.T
    if strategy == "variance": return np.diag(given(k + u, k + u, k + u, rated, noise)).copy()
    if strategy == "k-center": return cdist(z, z[rated], "sqeuclidean").min(1) if len(rated) else -np.square(z).sum(1)
    before = np.trace(given(k, k, k + u, rated, noise))
    return np.array([before - np.trace(given(k, k, k + u, rated + [i], noise)) for i in range(len(z))])


def main(path):
    rng, out = np.random.default_rng(7), {}
    for name, n, d, rated, factor in [("tall", 40, 9, [], 1), ("wide", 30, 50, [4, 17, 9], 1), ("quiet", 25, 25, [3], .05), ("loud", 35, 12, [0, 1], 20)]:
        x = (rng.standard_normal((n, d)) / np.sqrt(1 + np.arange(d)) @ rng.standard_normal((d, d)) * rng.uniform(.1, 20, d) + 5).astype(np.float32)
        if d == 9: x[:, 3] = 2  # constant
        z = StandardScaler().fit_transform(x.astype(np.float64))
        u = np.square(z).sum(1).mean()
        out.update({f"{name}|x": x, f"{name}|rated": np.array(rated, float), f"{name}|noise": np.array([factor * u]), f"{name}|u": np.array([u])})
        for strategy in ("v-optimal", "variance", "k-center"):
            seen, chosen, worth = list(rated), [], []
            while True:
                v = values(strategy, z, seen, factor * u, u)
                v[seen] = np.nan
                worth.append(v)
                if len(chosen) == STEPS: break
                chosen.append(int(np.nanargmax(v)))
                seen.append(chosen[-1])
            out.update({f"{name}|{strategy}|chosen": np.array(chosen, float), f"{name}|{strategy}|values": np.array(worth)})
            print(name, strategy, chosen)
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path)


main(sys.argv[1])
