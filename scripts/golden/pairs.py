#!/usr/bin/env python3
"""Stars and comparisons learned from by a general optimiser on the weights themselves, and again without each of them.

    python scripts/golden/pairs.py tests/golden/linear/pairs.safetensors

Each case: z [photos, columns], stars [photos] (NaN: none), duels [pairs, 4] (one, other, wins, losses), offset [photos], strength [2] (alpha, sigma), and
  scores      [photos] of the minimum of  1/2 sum (star - s)^2 - sigma^2 sum (wins log p + losses log(1-p)) + alpha/2 w'w  over w and, where there are stars,
              the intercept; s = intercept + offset + zw, p the logistic function of the difference over sigma sqrt(2)/1.702
  star_left   [photos] the photo's score by the minimum without its star (NaN: none)
  duel_left   [pairs] p of the first by the minimum without the pair
  photo_left  [photos] the photo's score by the minimum without its star and its pairs
Needs numpy, scipy and safetensors.
"""
import sys

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import minimize
from scipy.special import expit, log_expit

SCALE = np.sqrt(2) / 1.702


def learn(z, stars, duels, offset, alpha, sigma):
    """Scores of all photos."""
    rated, scale = ~np.isnan(stars), sigma * SCALE
    one, other = duels[:, 0].astype(int), duels[:, 1].astype(int)
    dz, do = z[one] - z[other], offset[one] - offset[other]

    def loss(v):
        w, b = v[1:], v[0]
        e = (z @ w + offset + b - stars)[rated]
        x = (dz @ w + do) / scale
        value = (e @ e) / 2 - sigma**2 * (duels[:, 2] @ log_expit(x) + duels[:, 3] @ log_expit(-x)) + alpha / 2 * w @ w
        dx = sigma**2 / scale * (duels[:, 3] * expit(x) - duels[:, 2] * expit(-x))
        return value, np.concatenate([[e.sum() if rated.any() else b], z[rated].T @ e + dz.T @ dx + alpha * w])

    def hessian(v):
        x = (dz @ v[1:] + do) / scale
        weight = sigma**2 / scale**2 * (duels[:, 2] + duels[:, 3]) * expit(x) * expit(-x)
        a = np.column_stack([np.ones(rated.sum()), z[rated]])
        h = a.T @ a + np.diag(np.r_[0, np.full(z.shape[1], alpha)])
        h[1:, 1:] += dz.T @ (weight[:, None] * dz)
        if not rated.any(): h[0, 0] = 1
        return h

    start = np.r_[np.nanmean(stars) if rated.any() else 0, np.zeros(z.shape[1])]
    best = minimize(loss, start, jac=True, hess=hessian, method="trust-exact", options=dict(gtol=1e-11, maxiter=2000))
    return best.x[0] + offset + z @ best.x[1:]


def case(rng, photos, columns, rated, pairs, alpha, sigma, offset=0.0):
    z = rng.standard_normal((photos, columns))
    truth = z @ rng.standard_normal(columns) / np.sqrt(columns)
    stars = np.full(photos, np.nan)
    stars[:rated] = np.clip(np.round(3 + truth[:rated] + .5 * rng.standard_normal(rated)), 1, 5)
    chosen = rng.permutation(photos * (photos - 1) // 2)[:pairs]
    one, other = (side[chosen] for side in np.triu_indices(photos, 1))
    better = rng.random(pairs) < expit((truth[one] - truth[other]) / .5)
    wins, losses = np.where(better, 1., 0.), np.where(better, 0., 1.)
    wins[::7], losses[::7] = .5, .5  # ties
    wins[3::11] += 2  # asked again
    duels = np.column_stack([one, other, wins, losses]).reshape(-1, 4).astype(float)
    off = offset * rng.standard_normal(photos)
    args = off, alpha, sigma
    none = np.full(photos, np.nan)
    scores = learn(z, stars, duels, *args)
    star_left, photo_left, duel_left = none.copy(), scores.copy(), np.zeros(pairs)
    for i in range(photos):
        fewer = np.where(np.arange(photos) == i, np.nan, stars)
        if not np.isnan(stars[i]): star_left[i] = learn(z, fewer, duels, *args)[i]
        apart = (duels[:, 0] != i) & (duels[:, 1] != i)
        photo_left[i] = learn(z, fewer, duels[apart], *args)[i]
    for k in range(pairs):
        s = learn(z, stars, np.delete(duels, k, 0), *args)
        duel_left[k] = expit((s[one[k]] - s[other[k]]) / (sigma * SCALE))
    return dict(z=z, stars=stars, duels=duels, offset=off, strength=np.array([alpha, sigma]), scores=scores, star_left=star_left, duel_left=duel_left,
                photo_left=photo_left)


def main(path):
    rng, out = np.random.default_rng(13), {}
    cases = dict(both=(24, 8, 14, 40, 5., .6), wide=(20, 50, 12, 15, 20., .5), only=(30, 10, 0, 60, 8., 1.), few=(40, 12, 2, 12, 3., 1.),
                 offset=(20, 30, 10, 30, 10., .7, .8), stars=(16, 20, 16, 0, 4., .5))
    for name, of in cases.items():
        out.update({f"{name}|{key}": np.ascontiguousarray(value) for key, value in case(rng, *of).items()})
    save_file(out, path)


main(sys.argv[1])
