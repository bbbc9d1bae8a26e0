"""A store against the command's, and NumPy's own reading of the files."""
import subprocess

import numpy as np
import piaa
import pytest


def test_store(model, photos, program, tmp_path):
    store = model.embed(photos[:6], tmp_path / "ours", pools=("lt", "lv"), layers="all")
    subprocess.run([program, "embed", *photos[:6], "--out", tmp_path / "theirs", "--pool", "lt,lv", "--layer", "all"],
                   check=True, capture_output=True)
    other = piaa.Store(tmp_path / "theirs")
    assert store.slots == other.slots and len(store.slots) == 18 and len(store) == 6
    assert store.paths == other.paths and sorted(store.index) == store.paths
    states = model.hidden_states(store.paths)
    for pool, layer in store.slots:
        rows = [store.index[p] for p in store.paths]
        theirs = other[pool, layer][[other.index[p] for p in store.paths]]
        assert (store[pool, layer][rows] == theirs).all()
        assert (states[pool, layer] == theirs).all()
        assert (np.load(tmp_path / "ours" / f"{pool}.{layer}.npy", mmap_mode="r") == store[pool, layer]).all()
    assert ("lt", 3) in store and ("lt", 99) not in store
    assert store.meta("family") == "Qwen3-VL" and store.meta("nothing") is None


def test_the_map_is_read_only_and_outlives_the_store(model, photos, tmp_path):
    matrix = model.embed(photos[:2], tmp_path / "s", layers=3)["lt", 3]
    assert matrix.shape == (2, 192) and not matrix.flags.writeable and np.isfinite(matrix).all()
    with pytest.raises(ValueError):
        matrix[0, 0] = 1


def test_frames(model, photos, tmp_path):
    pandas = pytest.importorskip("pandas")
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    with pytest.warns(piaa.Warning, match="bad.jpg"):
        store = model.embed([*photos[:2], bad], tmp_path / "s", layers=3)
    catalogue, vectors = store.frame(), store.frame("lt", 3)
    assert isinstance(vectors, pandas.DataFrame) and vectors.shape == (2, 192)
    assert (vectors.loc[photos[1]] == store["lt", 3][store.index[photos[1]]]).all()
    assert catalogue.loc[str(bad), "row"] == -1 and "not a photo" in catalogue.loc[str(bad), "error"]


def test_errors(model, photos, tmp_path):
    with pytest.raises(OSError):
        piaa.Store(tmp_path / "none")
    model.embed(photos[:1], tmp_path / "s", layers=3)
    with pytest.raises(KeyError, match="lt.3"):
        piaa.Store(tmp_path / "s")["lv", 3]
    with pytest.raises(piaa.MismatchError, match="prompt"):
        model.embed(photos[:1], tmp_path / "s", layers=3, prompt="Something else.")
