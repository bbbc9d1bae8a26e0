"""The regressor against scikit-learn's, the golden file that it made, and the command."""
import csv
import io
import pickle
import subprocess

import numpy as np
import piaa
import pytest
from conftest import ROOT, safetensors
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

pytestmark = pytest.mark.filterwarnings("ignore::piaa.Warning")


@pytest.fixture(scope="module")
def rated():
    with open(ROOT / "data/sample/ratings.csv") as file:
        rows = list(csv.DictReader(file))
    return [str(ROOT / "data/sample" / r["path"]) for r in rows], np.array([float(r["score"]) for r in rows])


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_takes_it_for_one_of_its_own():
    check_estimator(piaa.TasteRegressor())


def test_it_is_ridge_with_leave_one_out():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 12)).astype(np.float32)
    y = X[:, 0] - 2 * X[:, 3] + random.normal(size=60)
    ours = piaa.TasteRegressor().fit(X, y)
    theirs = make_pipeline(StandardScaler(), RidgeCV([ours.alpha_])).fit(X.astype(float), y)
    assert np.allclose(ours.predict(X), theirs.predict(X.astype(float)), rtol=1e-9)
    wide = np.logspace(np.log10(ours.alpha_) - 4, np.log10(ours.alpha_) + 4, 9)
    assert RidgeCV(wide).fit(StandardScaler().fit_transform(X.astype(float)), y).alpha_ == pytest.approx(ours.alpha_)
    scores, low, high = ours.predict(X, return_interval=True)
    assert (high - scores == pytest.approx(ours.interval_)) and (low < scores).all()
    assert (pickle.loads(pickle.dumps(ours)).predict(X) == scores).all()
    assert ours.unseen_.shape == (60,) and ours.verdict_ == "learned"


def test_comparisons():
    random = np.random.default_rng(1)
    X = random.normal(size=(40, 4)).astype(np.float32)
    truth = X[:, 0] + X[:, 1]
    pairs = [(a, b) if truth[a] > truth[b] else (b, a) for a, b in random.integers(0, 40, (120, 2)) if a != b]
    scores = piaa.TasteRegressor().fit(X, pairs=pairs).predict(X)
    assert np.corrcoef(scores, truth)[0, 1] > 0.95
    turned = [(b, a, 0) for a, b in pairs]
    assert np.allclose(piaa.TasteRegressor().fit(X, pairs=turned).predict(X), scores)
    y = np.where(np.arange(40) < 10, 3 + truth, np.nan)
    both = piaa.TasteRegressor().fit(X, y, pairs=pairs).predict(X)
    assert abs(both.mean() - (3 + truth).mean()) < 0.5
    for wrong in ([(1, 1)], [(0, 40)], [(0, 1, 2)], [0, 1]):
        with pytest.raises(ValueError, match="pair"):
            piaa.TasteRegressor().fit(X, pairs=wrong)


@pytest.fixture(scope="module")
def prior(program, rated, tmp_path_factory):
    """What eight people's ratings say beforehand, all of whom rate somewhat as the sample's person does."""
    (paths, y), folder, random = rated, tmp_path_factory.mktemp("prior"), np.random.default_rng(2)
    with open(folder / "people.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["user", "path", "score"])
        for person in range(8):
            table.writerows([f"p{person}", p, np.clip(s + random.normal(), 1, 5)] for p, s in zip(paths, y))
    subprocess.run([program, "prior", "--data", f"csv:{folder / 'people.csv'}", "--layer", "3", "--out", folder / "prior.json"],
                   check=True, capture_output=True)
    return folder / "prior.json"


def test_a_prior_is_the_commands(model, program, rated, photos, prior, tmp_path):
    paths, y = rated
    with open(tmp_path / "ten.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "score"), *zip(paths[:10], y[:10])])
    out = subprocess.run([program, "rank", *photos, "--ratings", tmp_path / "ten.csv", "--layer", "3", "--prior", prior, "--csv"],
                         check=True, capture_output=True, text=True).stdout
    theirs = {r["path"]: float(r["score"]) for r in csv.DictReader(io.StringIO(out))}
    states = model.hidden_states(paths, layers=3, pools="lt")["lt", 3]
    alone, fit = piaa.TasteRegressor().fit(states[:10], y[:10]), piaa.TasteRegressor(prior=prior).fit(states[:10], y[:10])
    assert np.abs(fit.predict(states[10:]) - [theirs[p] for p in paths[10:]]).max() < 1e-3
    assert np.abs(fit.unseen_ - [theirs[p] for p in paths[:10]]).max() < 1e-3
    error = [np.sqrt(np.mean((f.predict(states[10:]) - y[10:]) ** 2)) for f in (alone, fit)]
    assert error[1] < error[0]  # they have seen these photos
    with pytest.raises(piaa.MismatchError, match="192 numbers for each photo, not of 5"):
        piaa.TasteRegressor(prior=prior).fit(states[:10, :5], y[:10])


def test_layers_weigh_as_the_commands(model, program, rated, photos):
    paths, y = rated
    out = subprocess.run([program, "rank", *photos, "--ratings", ROOT / "data/sample/ratings.csv", "--features", "lt.3+lv.1+v.5",
                          "--learner", "banded", "--csv"], check=True, capture_output=True, text=True).stdout
    theirs = {r["path"]: float(r["score"]) for r in csv.DictReader(io.StringIO(out))}
    states = model.hidden_states(paths, features="lt.3+lv.1+v.5", pools=None, layers=None)
    assert [(s.pool, s.layer) for s in states.slots] == [("lt", 3), ("lv", 1), ("v", 5)]
    layers = [s.dim for s in states.slots]
    fit = piaa.TasteRegressor("banded", layers=layers).fit(states.values, y)
    assert np.abs(fit.unseen_ - [theirs[p] for p in paths]).max() < 1e-3
    # a layer that is noise a hundred times over is left aside, which one alpha for all cannot
    random = np.random.default_rng(3)
    X = np.hstack([random.normal(size=(80, 4)), random.normal(size=(80, 400))])
    score, new = X[:, :4].sum(1), np.hstack([random.normal(size=(80, 4)), random.normal(size=(80, 400))])
    banded = piaa.TasteRegressor("banded", layers=(4, 400)).fit(X, score).predict(new)
    ridge = piaa.TasteRegressor(layers=(4, 400)).fit(X, score).predict(new)
    assert np.allclose(ridge, piaa.TasteRegressor().fit(X, score).predict(new), atol=1e-9)
    assert np.corrcoef(banded, new[:, :4].sum(1))[0, 1] > 0.95 > np.corrcoef(ridge, new[:, :4].sum(1))[0, 1]
    for wrong in ([4, 4], [404, 1], [404, 0], [-4, 408]):
        with pytest.raises(piaa.UsageError, match="404 in all"):
            piaa.TasteRegressor(layers=wrong).fit(X, score)


def test_pandas_keeps_its_index(model, rated):
    pandas = pytest.importorskip("pandas")
    paths, y = rated
    states = model.hidden_states(paths, layers=3, pools="lt")["lt", 3]
    X, score = pandas.DataFrame(states, index=paths).add_prefix("h"), pandas.Series(y, index=paths)
    fit = piaa.TasteRegressor().fit(X, score)
    assert list(fit.feature_names_in_) == list(X.columns)
    assert (fit.predict(X) == piaa.TasteRegressor().fit(states, y).predict(states)).all()
    assert fit.score(X, score) == pytest.approx(1 - ((fit.predict(X) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    table = pandas.DataFrame(piaa.probe(model.hidden_states(paths, layers="1-3"), score))
    assert list(table.columns[:3]) == ["pool", "layer", "spearman"] and len(table) == 6


def test_errors():
    X = np.arange(6, dtype=float).reshape(-1, 1)
    with pytest.raises(piaa.UsageError, match="score"):
        piaa.TasteRegressor().fit(X, np.ones(6))
    with pytest.raises(ValueError, match="learner"):
        piaa.TasteRegressor(learner="none").fit(X, X[:, 0])
    with pytest.raises(OSError):
        piaa.TasteRegressor(prior="none.json").fit(X, X[:, 0])


def test_rank_is_the_commands(model, program, rated, photos):
    table = ROOT / "data/sample/ratings.csv"
    out = subprocess.run([program, "rank", ROOT / "data/sample/photos", "--ratings", table, "--csv"], check=True,
                         capture_output=True, text=True).stdout
    rows = list(csv.DictReader(io.StringIO(out)))
    for ratings in (table, dict(zip(*rated))):
        ranked = piaa.rank(ROOT / "data/sample/photos", ratings, model=model)
        assert len(ranked) == len(rows) == 60
        for ours, theirs in zip(ranked, rows):
            assert ours.path.endswith(theirs["path"])
            assert ours.score == pytest.approx(float(theirs["score"]), abs=1e-3)
            assert (ours.rating is None) == (theirs["rating"] == "")
    with pytest.raises(piaa.UsageError):
        piaa.rank(photos, model=model)


def test_the_regressor_is_the_commands_fit(model, rated):
    paths, y = rated
    layer = model.hidden_states(paths, layers="default", pools="lt")
    fit = piaa.TasteRegressor().fit(layer.values, y)
    ranked = {r.path: r.score for r in piaa.rank(paths, dict(zip(paths, y)), model=model)}
    assert np.allclose([ranked[p] for p in paths], fit.unseen_, atol=1e-9)


def test_probe(model, program, rated, photos):
    paths, y = rated
    probed = piaa.probe(model.hidden_states(paths, layers="0-4"), y)
    assert [(p.pool, p.layer) for p in probed] == [(pool, n) for pool in ("lt", "lv") for n in range(5)]
    assert np.isnan(probed[0].spearman)  # text is embedded before any photo is seen
    out = subprocess.run([program, "rank", *photos, "--ratings", ROOT / "data/sample/ratings.csv", "--layer", "3", "--csv"],
                         check=True, capture_output=True, text=True).stdout
    plus_minus = float(next(csv.DictReader(io.StringIO(out)))["plus_minus"])
    assert probed[3].rmse == pytest.approx(plus_minus, abs=1e-3)


@pytest.mark.parametrize("case", ["tall", "square", "wide", "tiny", "ties", "constant_column"])
def test_scikit_learns_numbers(case):
    golden = {key.split("|")[1]: v for key, v in safetensors("ridge.safetensors").items() if key.startswith(case + "|")}
    for j in range(golden["y"].shape[1]):
        fit = piaa.TasteRegressor().fit(golden["x"], golden["y"][:, j])
        assert fit.alpha_ == pytest.approx(golden["alpha"][j])
        want = golden["prediction"][:, j]
        assert np.abs(fit.predict(golden["x_test"]) - want).max() <= 1e-6 * np.abs(want).max()
