"""One person's taste as a scikit-learn regressor, and which layers know it."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ._api import Hooks, Path, encoded, ffi, lib, owned


def _duels(pairs: Any, n: int) -> Any:
    """Rows (better, worse), or (one, other, win), as piaa_duel: each pair once."""
    rows = np.asarray(pairs, float)
    if rows.ndim != 2 or rows.shape[1] not in (2, 3):
        raise ValueError(f"pairs are rows of (better, worse) or (one, other, win), not of shape {list(rows.shape)}")
    wins: "dict[tuple[int, int], list[float]]" = {}
    for row in rows:
        one, other, win = int(row[0]), int(row[1]), float(row[2]) if len(row) == 3 else 1.0
        if not 0 <= win <= 1 or one == other or not (0 <= one < n and 0 <= other < n):
            raise ValueError(f"pair {row.tolist()}: two different rows of X (0 to {n - 1}), win from 0 to 1")
        said = wins.setdefault((min(one, other), max(one, other)), [0.0, 0.0])
        said[0] += win if one < other else 1 - win
        said[1] += 1 - win if one < other else win
    return ffi.new("piaa_duel[]", [(a, b, w, l) for (a, b), (w, l) in wins.items()])


class TasteRegressor(RegressorMixin, BaseEstimator):
    """Ridge regression on standardised features; alpha by leave-one-out, near copies left out together.

    It is `piaa fit`'s: the same numbers to the last bit.

    Parameters
        learner  "ridge", or "banded": how much each layer weighs is chosen by photos left out
        layers   how many columns each layer has, where X holds several side by side; None: one
        prior    a file of `piaa prior`: what other people's ratings say beforehand, for the features
                 that it was made of
    After fit
        coef_ [features], mean_, scale_, intercept_, alpha_: score = intercept_ + coef_ (x - mean_)
        unseen_ [n]: the prediction of each photo by the model without it
        loo_rmse_, loo_spearman_, mean_rmse_ (of always guessing the mean), chance_ (share of random
        orders of the ratings that are predicted as well), interval_ (nine in ten ratings lie within
        it; NaN: fewer than 9 photos), verdict_ ("learned", "may be chance", "not learned")
    Raises FormatError for numbers that are not finite in float32, UsageError for fewer than 2 photos
    or scores that are all equal, MismatchError for a prior of another number of features.
    y is taken by position, an index of pandas is not looked at, as everywhere in scikit-learn.
    """

    def __init__(self, learner: str = "ridge", prior: Optional[Path] = None,
                 layers: "Optional[Sequence[int]]" = None) -> None:
        self.learner = learner
        self.prior = prior
        self.layers = layers

    def fit(self, X: Any, y: Any = None, pairs: Any = None) -> "TasteRegressor":
        """X [n, features] (float32 inside), y [n] scores.

        pairs: rows of (better, worse), or of (one, other, win) with win 1, 0 or 0.5: comparisons of
        rows of X, learned from beside y or (y None) instead; y[i] NaN: photo i was only compared.
        """
        if pairs is None:
            X, y = validate_data(self, X, y, y_numeric=True, ensure_min_samples=2)
            duels: Any = ffi.NULL
        else:
            X = validate_data(self, X, ensure_min_samples=2)
            duels = _duels(pairs, len(X))
        x = np.ascontiguousarray(X, np.float32)
        scores = None if y is None else np.ascontiguousarray(y, np.float64)
        if scores is not None and scores.shape != (len(x),):
            raise ValueError(f"y has the shape {list(scores.shape)}, not [{len(x)}]")
        self._learn(x, scores, duels)
        return self

    def _learn(self, x: np.ndarray, y: Optional[np.ndarray], duels: Any) -> None:
        hooks, name = Hooks(), encoded(self.learner)
        prior = ffi.NULL
        if self.prior is not None:
            prior = owned(lib.piaa_prior_free, lib.piaa_prior_load, encoded(self.prior))
        columns = ffi.NULL if self.layers is None else ffi.new("int[]", [int(n) for n in self.layers])
        how = ffi.new("piaa_learning *", {"learner": name, "prior": prior, "layers": columns,
                                          "layer_count": len(columns) if columns else 0})
        taste = owned(lib.piaa_taste_free, lib.piaa_taste_fit_said, ffi.from_buffer("float[]", x),
                      ffi.NULL if y is None else ffi.from_buffer("double[]", y), *x.shape, duels,
                      len(duels) if duels else 0, how, hooks.pointer, hooks=hooks)

        def array(pointer: Any, count: int) -> np.ndarray:
            return np.frombuffer(ffi.buffer(pointer, 8 * count), np.float64).copy()

        self.coef_, self.mean_, self.scale_ = (array(p, taste.dim) for p in (taste.weights, taste.mean, taste.scale))
        self.unseen_ = array(taste.unseen, taste.photos)
        for key in ("intercept", "alpha", "loo_rmse", "loo_spearman", "mean_rmse", "chance", "interval", "pairs_right"):
            setattr(self, key + "_", getattr(taste, key))
        self.verdict_ = ("learned", "may be chance", "not learned")[lib.piaa_taste_verdict(taste)]

    def predict(self, X: Any, return_interval: bool = False) -> Any:
        """Scores [n]; with return_interval (scores, low, high), between which nine in ten ratings lie."""
        check_is_fitted(self)
        x = np.ascontiguousarray(validate_data(self, X, reset=False), np.float32)
        taste = ffi.new("piaa_taste *", {
            "dim": x.shape[1], "intercept": self.intercept_,
            "mean": ffi.from_buffer("double[]", self.mean_), "weights": ffi.from_buffer("double[]", self.coef_)})
        out = np.empty(len(x))
        lib.piaa_taste_predict(taste, ffi.from_buffer("float[]", x), len(x), ffi.from_buffer("double[]", out))
        return (out, out - self.interval_, out + self.interval_) if return_interval else out


class Probed(NamedTuple):
    """What one layer knows: errors of photos left out (pandas.DataFrame takes a list of these)."""

    pool: str
    layer: int
    spearman: float
    rmse: float
    mean_rmse: float
    alpha: float
    verdict: str


def probe(states: Any, y: Any, **options: Any) -> "list[Probed]":
    """Learns y [n] from each pool and layer of `states` (HiddenStates); what photos left out say.

    Of a person's ratings, or of any attribute with a number for each photo.  options: as
    TasteRegressor's.
    """
    out = []
    for pool, layer, _ in states.slots:
        fit = TasteRegressor(**options).fit(states[pool, layer], y)
        out.append(Probed(pool, layer, fit.loo_spearman_, fit.loo_rmse_, fit.mean_rmse_, fit.alpha_, fit.verdict_))
    return out
