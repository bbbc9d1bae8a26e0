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


def test_who_holds_a_store_keeps_nobody_from_writing(model, photos, tmp_path):
    held = model.embed(photos[:2], tmp_path / "s", layers=3)
    more = model.embed(photos[:4], tmp_path / "s", layers=3)
    assert len(held) == 2 and len(more) == 4 and len(piaa.Store(tmp_path / "s")) == 4


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


def half_up(x, digits):
    """Each number's nearest with so many binary digits, by NumPy's arithmetic."""
    _, exponent = np.frexp(x.astype(np.float64))
    unit = np.ldexp(1.0, exponent - digits)
    return np.rint(x / unit) * unit


def test_packed(model, photos, program, tmp_path):
    store = model.embed(photos[:6], tmp_path / "plain", pools="lt", layers=3)
    plain, packed = store["lt", 3], {}
    assert store.packing is None and (store.vectors("lt", 3, [4, 1]) == plain[[4, 1]]).all()
    for dtype in ("f32", "f16", "bf16", "int8"):
        subprocess.run([program, "store", "pack", tmp_path / "plain", "--out", tmp_path / dtype, "--dtype", dtype],
                       check=True, capture_output=True)
        packed[dtype] = piaa.Store(tmp_path / dtype)
        assert packed[dtype].packing == dtype and packed[dtype].index == store.index
        assert packed[dtype].frame().equals(store.frame())
    files = {d: np.load(tmp_path / d / "lt.3.npy", mmap_mode="r") for d in packed}
    assert (packed["f32"]["lt", 3] == plain).all() and (files["f32"] == plain).all()
    for dtype in packed:
        whole, mask = packed[dtype].vectors("lt", 3), np.arange(6) % 2 == 1
        assert np.array_equal(packed[dtype].vectors("lt", 3, mask), whole[mask])
        assert np.isnan(packed[dtype].vectors("lt", 3, [-1, 6])).all()
        for rows in (mask[:3], [0.5], ["0"], slice(2), 3):
            with pytest.raises(TypeError, match="mask of 6"):
                packed[dtype].vectors("lt", 3, rows)
    half = plain.astype(np.float16)
    assert packed["f16"]["lt", 3].dtype == np.float16
    assert (packed["f16"]["lt", 3] == half).all() and (packed["f16"].vectors("lt", 3) == half).all()
    brain = packed["bf16"].vectors("lt", 3)
    assert (brain == half_up(plain, 8)).all()
    assert ((files["bf16"].astype(np.uint32) << 16).view(np.float32) == brain).all()
    centre, step = np.load(tmp_path / "int8" / "lt.3.scale.npy")
    eight = packed["int8"].vectors("lt", 3)
    assert np.allclose(centre + step * files["int8"], eight, rtol=1e-6, atol=1e-6)
    assert (np.abs(eight - plain) <= np.ptp(plain, axis=0) / 254 * 0.5001 + 1e-6).all()
    for dtype in ("bf16", "int8"):
        with pytest.raises(piaa.UnsupportedError, match="vectors"):
            packed[dtype]["lt", 3]
