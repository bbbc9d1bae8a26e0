#!/usr/bin/env python3
"""What leaving groups out gives when every model is really learned again, by scikit-learn.

    python scripts/golden/leave_out.py tests/golden/leave_out.safetensors

Each case: x [rows, columns], y [rows], group [rows] (the first row of each row's group), and
  errors     [alphas, rows]   y - prediction, each row's group left out (Ridge, LeaveOneGroupOut), columns standardised on all rows
  alpha      the one of logspace(-3, 3, 13) with the least sum over groups of the groups' mean squared error
  nested     [groups] root mean square error of each group, by the alpha that is chosen in the same way without it (not of the largest case)
  of_mean    root mean square over groups of the error of the mean of the other groups (DummyRegressor)
Needs numpy, scikit-learn and safetensors.
"""
import sys

import numpy as np
from safetensors.numpy import save_file
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-3, 3, 13)


def left_out(model, z, y, group):
    return y - cross_val_predict(clone(model), z, y, groups=group, cv=LeaveOneGroupOut())


def by_group(errors, group):
    return np.array([np.mean(errors[group == g] ** 2) for g in np.unique(group)])


def first_least(sums):
    """The first alpha whose sum is the least to rounding: where all models are alike, rounding does not choose."""
    return int(np.flatnonzero(sums <= np.min(sums) * (1 + 1e-9))[0])


def case(rng, sizes, columns, copies):
    """Groups of these sizes, shuffled; rows of a group differ by `copies` of a standard deviation."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.standard_normal((len(sizes), columns))[of] + copies * rng.standard_normal((len(of), columns))
    y = np.round(2 * (3 + x[:, :3].sum(1) / 3 + .6 * rng.standard_normal(len(sizes))[of])) / 2
    order = rng.permutation(len(of))
    x, y, of = (x[order] * rng.uniform(.1, 30, columns)).astype(np.float32), y[order], of[order]
    group = np.array([np.flatnonzero(of == g)[0] for g in of])
    return x, y, group


def main(path):
    rng, out = np.random.default_rng(7), {}
    for name, sizes, columns, copies in [("wide", [3, 1, 2, 1, 1, 4, 1, 2, 1, 1, 1, 2], 40, .05), ("tall", [1, 5, 2, 1, 3, 1, 1, 2, 1, 4, 1, 3], 6, .1),
                                         ("alone", [1] * 15, 30, 0), ("three", [2, 2, 3], 12, .02), ("large", [1] * 470 + [2, 5] * 5, 5, .05)]:
        x, y, group = case(rng, sizes, columns, copies)
        z = StandardScaler().fit_transform(x.astype(np.float64))
        errors = np.array([left_out(Ridge(alpha=a), z, y, group) for a in ALPHAS])
        squares = np.array([by_group(e, group) for e in errors])
        o = dict(x=x, y=y, group=group.astype(np.float64), errors=errors, alpha=np.array([ALPHAS[first_least(squares.sum(1))]]),
                 of_mean=np.sqrt([by_group(left_out(DummyRegressor(), z, y, group), group).mean()]))
        nested = []
        for k, g in enumerate(np.unique(group)) if name != "large" else []:
            rest = group != g
            inner = [by_group(left_out(Ridge(alpha=a), z[rest], y[rest], group[rest]), group[rest]).sum() for a in ALPHAS]
            nested.append(np.sqrt(squares[first_least(inner), k]))
        if nested: o["nested"] = np.array(nested)
        out.update({f"{name}|{key}": np.ascontiguousarray(value) for key, value in o.items()})
    save_file(out, path)


main(sys.argv[1])
