#!/usr/bin/env python3
"""A prior of weights from many people's ratings, by the textbook: dense matrices in the space of the weights.

    python scripts/golden/people_prior.py tests/golden/linear/people_prior.safetensors

Each case: x [rows, columns], rows and scores of all people one after the other, people [people + 1] where each begins, rank, and
  weights, directions [rank, columns], isotropic, noise   after `iterations`
  evidence [iterations + 1]                               scipy.stats.multivariate_normal of what each person's scores have beside their mean
  chosen, gain                                            iterations, where held-out people choose them, and what they gain a rating
The beginning is scikit-learn's: Ridge for each person, PCA of what comes out, the strength by scipy.optimize.  An iteration has each person's latent
numbers (rank + columns of them) with their whole covariance.  Needs numpy, scipy, scikit-learn and safetensors.
"""
import os
import sys

import numpy as np
from safetensors.numpy import save_file
from scipy.linalg import helmert
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler


def contrasts(people):
    """Each person's ratings without their mean, in n - 1 numbers."""
    return [(helmert(len(y)) @ z, helmert(len(y)) @ y) for z, y in people]


def evidence(people, mean, b, e, s):
    return sum(multivariate_normal.logpdf(y, z @ mean, z @ (b @ b.T + e * np.eye(len(mean))) @ z.T + s * np.eye(len(y)))
               for z, y in contrasts(people))


def begin(people, rank):
    columns = people[0][0].shape[1]
    none, least = np.zeros((columns, 0)), {}

    def misfit(at):
        a, n = 10 ** at, sum(len(y) - 1 for _, y in people)
        squares = sum(y @ np.linalg.solve(z @ z.T / a + np.eye(len(y)), y) for z, y in contrasts(people))
        least["noise"] = squares / n
        return -evidence(people, np.zeros(columns), none, squares / n / a, squares / n)

    grid = np.arange(-2, 8.01, .25)
    best = grid[np.argmin([misfit(g) for g in grid])]
    at = minimize_scalar(misfit, bounds=(best - .25, best + .25), method="bounded", options=dict(xatol=1e-9)).x
    misfit(at)
    noise = least["noise"]
    w = np.array([Ridge(alpha=10 ** at).fit(z, y).coef_ for z, y in people])
    pca = PCA(min(rank, len(w), columns), svd_solver="full").fit(w)
    b = np.zeros((columns, rank))
    b[:, :pca.n_components_] = (pca.components_ * pca.singular_values_[:, None] / np.sqrt(len(w))).T
    return w.mean(0), b, noise / 10 ** at, noise


def iterate(people, mean, b, e, s):
    rank, columns = b.shape[1], len(mean)
    tt, vt, vv, ss, n = np.zeros((rank + 1, rank + 1)), np.zeros((columns, rank + 1)), 0, 0, 0
    for z, y in contrasts(people):
        design = np.hstack([z @ b, z])
        cov = np.linalg.inv(np.diag(np.r_[np.ones(rank), np.full(columns, 1 / e)]) + design.T @ design / s)
        latent = cov @ design.T @ (y - z @ mean) / s
        second = np.outer(latent, latent) + cov
        one = np.r_[1, latent[:rank]]
        joint = np.block([[np.ones((1, 1)), latent[None, :rank]], [latent[:rank, None], second[:rank, :rank]]])
        tt += joint
        vt += np.hstack([latent[rank:, None], second[rank:, :rank]])
        vv += np.trace(second[rank:, rank:])
        left = y - z @ mean - design @ latent
        ss += left @ left + np.trace(design @ cov @ design.T)
        n += len(y)
        assert len(one) == rank + 1
    step = vt @ np.linalg.inv(tt)
    new = np.c_[mean, b] + step
    return new[:, 0], new[:, 1:], (vv - 2 * np.sum(step * vt) + np.sum(step @ tt * step)) / (len(people) * columns), ss / n


def choose(people, rank, folds=5, most=50):
    training = [[p for i, p in enumerate(people) if i % folds != f] for f in range(folds)]
    held = [[p for i, p in enumerate(people) if i % folds == f] for f in range(folds)]
    now = [begin(t, rank) for t in training]
    plain = sum(evidence(h, 0 * m, b[:, :0], e, s) for h, (m, b, e, s) in zip(held, now))
    best, chosen = -np.inf, 0
    for i in range(most + 1):
        here = sum(evidence(h, *n) for h, n in zip(held, now))
        if not here > best:
            break
        best, chosen = here, i
        now = [iterate(t, *n) for t, n in zip(training, now)]
    return chosen, (best - plain) / sum(len(y) - 1 for _, y in people)


def case(rng, rows, columns, count, most, rank, spread):
    x = (rng.standard_normal((rows, columns)) @ rng.standard_normal((columns, columns)) * rng.uniform(.2, 20, columns) + 3).astype(np.float32)
    z = StandardScaler().fit_transform(x.astype(np.float64))
    mean, b = rng.standard_normal(columns) * .5, rng.standard_normal((columns, 2)) * spread
    people = []
    for _ in range(count):
        own = np.sort(rng.choice(rows, rng.integers(most // 2, most), replace=False))
        w = mean + b @ rng.standard_normal(2) + .05 * rng.standard_normal(columns)
        people.append((own, np.round(2 * (3 + z[own] @ w / 4 + .4 * rng.standard_normal(len(own)))) / 2))
    people.sort(key=lambda p: (len(p[0]), list(p[0]), list(p[1])))
    rated = np.unique(np.concatenate([o for o, _ in people]))
    scaler = StandardScaler().fit(x[rated].astype(np.float64))
    return x, people, [(scaler.transform(x[o].astype(np.float64)), y) for o, y in people], rank


def main(path):
    rng, out = np.random.default_rng(11), {}
    for name, settings, iterations in [("tall", (80, 6, 12, 24, 2, .4), 5), ("wide", (70, 30, 9, 20, 3, .2), 4), ("few", (40, 12, 4, 14, 16, .3), 3)]:
        x, people, standard, rank = case(rng, *settings)
        rank = min(rank, len(people) - 1, x.shape[1])
        now, trail = begin(standard, rank), []
        for i in range(iterations + 1):
            trail.append(evidence(standard, *now))
            now = iterate(standard, *now) if i < iterations else now
        chosen, gain = choose(standard, rank)
        turned = np.linalg.svd(now[1], full_matrices=False)
        o = dict(x=x, rows=np.concatenate([r for r, _ in people]).astype(np.float64), scores=np.concatenate([s for _, s in people]),
                 people=np.cumsum([0] + [len(r) for r, _ in people]).astype(np.float64), rank=np.array([float(rank)]), weights=now[0],
                 directions=np.ascontiguousarray((turned[0] * turned[1]).T), isotropic=np.array([now[2]]), noise=np.array([now[3]]),
                 evidence=np.array(trail), chosen=np.array([float(chosen)]), gain=np.array([gain]))
        print(name, chosen, gain, trail, turned[1])
        out.update({f"{name}|{k}": np.ascontiguousarray(v) for k, v in o.items()})
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save_file(out, path)


if __name__ == "__main__":
    main(sys.argv[1])
