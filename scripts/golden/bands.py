#!/usr/bin/env python3
"""What a ridge on weighted blocks with a prior gives when every model is really learned again, as a dense least-squares problem.

    python scripts/golden/bands.py tests/golden/linear/bands.safetensors

The model: y = b + t X mu + Z w + X D'v, least squares with the penalty  alpha (sum over blocks of |w_b|^2 / tau_b + |v|^2 / s), solved by
np.linalg.lstsq on the stacked system [1 Z XD'; 0 sqrt(penalty)].  Z: columns standardised on all rows by StandardScaler; X: columns less their
mean on all rows, over the prior's scale.  Without a prior and with equal weights scikit-learn's Ridge is asked instead.

Each case: x0, x1 ... [rows, columns of the block], y, group (the first row of each row's group), test0 ... [4, columns]; tau [T, blocks],
spread [S], lead [L]; mean, scale [columns], directions [rank, columns] where there is a prior; and
  errors     [T, S, L, alphas, rows]  y - prediction, each row's group left out
  chosen     [4] indices of tau, spread, lead and alpha with the least sum over groups of the groups' mean squared error
  nested     [groups] root mean square error of each group by what is chosen in the same way without it
  weights    [columns] of the chosen model, per unit of the raw column; intercept: its prediction at the rows' mean; prediction [4] of the test rows
Needs numpy, scikit-learn and safetensors.
"""
import itertools
import sys

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-3, 3, 13)


def by_group(errors, group):
    return np.array([np.mean(errors[group == g] ** 2) for g in np.unique(group)])


def first_least(sums):
    return int(np.flatnonzero(sums <= np.min(sums) * (1 + 1e-9))[0])


class Model:
    """One (tau, spread, lead, alpha)."""

    def __init__(self, c, tau, spread, lead, alpha):
        self.c, self.lead, self.alpha, self.plain = c, lead, alpha, False
        widths = [b.shape[1] for b in c["blocks"]]
        self.tau = np.repeat(tau, widths)
        self.spread = spread
        self.plain = (self.tau == 1).all() and not spread and not lead

    def fit(self, rows):
        c, z, y = self.c, self.c["z"][rows], self.c["y"][rows]
        if self.plain:
            ridge = Ridge(alpha=self.alpha, solver="svd").fit(z, y)
            self.b, self.w, self.v = ridge.intercept_, ridge.coef_, np.zeros(0)
            return self
        used = self.tau > 0
        d = c["told"][rows] if self.spread else np.zeros((len(y), 0))
        y = y - self.lead * c["offset"][rows] if self.lead else y
        penalty = np.concatenate([[0], self.alpha / self.tau[used], np.full(d.shape[1], self.alpha / self.spread if self.spread else 0)])
        a = np.hstack([np.ones((len(y), 1)), z[:, used], d])
        solution = np.linalg.lstsq(np.vstack([a, np.diag(np.sqrt(penalty))]), np.concatenate([y, np.zeros(len(penalty))]), rcond=None)[0]
        self.b, self.w = solution[0], np.zeros(len(used))
        self.w[used] = solution[1:1 + used.sum()]
        self.v = solution[1 + used.sum():]
        return self

    def predict(self, rows):
        c = self.c
        return self.b + c["z"][rows] @ self.w + (c["told"][rows] @ self.v if self.spread else 0) + (self.lead * c["offset"][rows] if self.lead else 0)

    def weights(self):
        c = self.c
        w = self.w / c["own_scale"]
        if self.spread: w = w + self.v @ c["directions"] / c["scale"]
        if self.lead: w = w + self.lead * c["mean"] / c["scale"]
        return w


def make(rng, sizes, widths, rank, copies=.05):
    of = np.repeat(np.arange(len(sizes)), sizes)
    columns = sum(widths)
    x = rng.standard_normal((len(sizes), columns))[of] + copies * rng.standard_normal((len(of), columns))
    mean = rng.standard_normal(columns) / columns**.5
    directions = rng.standard_normal((rank, columns)) / columns**.5
    y = 3 + x @ (mean + rng.standard_normal(rank) @ directions) + rng.standard_normal(len(sizes))[of]
    y = np.round(2 * y) / 2
    order = rng.permutation(len(of))
    sizes_of = rng.uniform(.1, 30, columns)
    x, y, of = (x[order] * sizes_of).astype(np.float32), y[order], of[order]
    if widths[0] > 3: x[:, 2] = 7  # a constant column
    group = np.array([np.flatnonzero(of == g)[0] for g in of])
    test = (rng.standard_normal((4, columns)) * sizes_of).astype(np.float32)
    return x, y, group, test, mean, directions, sizes_of * rng.uniform(.8, 1.2, columns)


def main(path):
    rng, out = np.random.default_rng(13), {}
    for name, sizes, widths, rank, tau, spread, lead in [
            ("plain", [1] * 12, [20, 9], 0, [[1, 1]], [0], [0]),
            ("banded", [2, 1, 1, 3, 1, 1, 2, 1, 1, 1], [12, 30, 5], 0, [[1, 1, 1], [1, .1, 0], [0, 1, 3], [.3, 0, 1]], [0], [0]),
            ("prior", [1, 2, 1, 1, 3, 1, 1, 1, 1], [25, 14], 3, [[1, 1], [.5, 2]], [0, .3, 10], [0, .5, 1]),
            ("tall", [1] * 20 + [2, 3], [4, 3], 2, [[1, 1], [1, 0]], [0, 4], [1, 0])]:
        x, y, group, test, mean, directions, scale = make(rng, sizes, widths, rank)
        scaler = StandardScaler().fit(x.astype(np.float64))
        centre = lambda rows: (rows.astype(np.float64) - scaler.mean_) / scale
        everything = np.vstack([x, test])
        cuts = np.cumsum(widths)[:-1]
        c = dict(blocks=np.split(x, cuts, axis=1), z=scaler.transform(everything.astype(np.float64)), y=y, own_scale=scaler.scale_,
                 told=centre(everything) @ directions.T, offset=centre(everything) @ mean, directions=directions, mean=mean, scale=scale)
        c["z"][:, 2] *= widths[0] <= 3  # a constant column says nothing of test rows either
        trials = list(itertools.product(range(len(tau)), range(len(spread)), range(len(lead)), range(len(ALPHAS))))
        model = lambda t: Model(c, np.array(tau[t[0]], float), spread[t[1]], lead[t[2]], ALPHAS[t[3]])
        every, groups = np.arange(len(y)), np.unique(group)

        def errors_without(t, rows):
            """[rows] each of these predicted by the others of them, without its group."""
            e = np.zeros(len(rows))
            for g in np.unique(group[rows]):
                e[group[rows] == g] = y[rows][group[rows] == g] - model(t).fit(rows[group[rows] != g]).predict(rows[group[rows] == g])
            return e

        errors = np.array([errors_without(t, every) for t in trials])
        squares = np.array([by_group(e, group) for e in errors])
        best = first_least(squares.sum(1))
        nested = []
        for k, g in enumerate(groups):
            rest = every[group != g]
            nested.append(np.sqrt(squares[first_least([by_group(errors_without(t, rest), group[rest]).sum() for t in trials]), k]))
        chosen = model(trials[best]).fit(every)
        o = dict(y=y, group=group, tau=tau, spread=spread, lead=lead, errors=errors.reshape(len(tau), len(spread), len(lead), len(ALPHAS), -1),
                 chosen=trials[best], nested=nested, weights=chosen.weights(), intercept=[chosen.b], prediction=chosen.predict(len(y) + np.arange(4)))
        if rank: o.update(mean=mean, scale=scale, directions=directions)
        o = {key: np.array(value, dtype=np.float64) for key, value in o.items()}
        for k, (block, rows) in enumerate(zip(c["blocks"], np.split(test, cuts, axis=1))): o[f"x{k}"], o[f"test{k}"] = block, rows
        print(name, trials[best], f"{np.sqrt(squares[best].mean()):.3f} {np.sqrt(np.mean(np.square(nested))):.3f}")
        out.update({f"{name}|{key}": np.ascontiguousarray(value) for key, value in o.items()})
    save_file(out, path)


main(sys.argv[1])
