"""Hidden states against what transformers computed (tests/golden/demo), by every way that a photo can come."""
import io
import os
import signal
import threading

import numpy as np
import piaa
import pytest
from conftest import ROOT, safetensors
from PIL import Image


def test_the_numbers_are_transformers(model):
    golden = safetensors("demo/features.safetensors")
    names = sorted({key.split("|")[0] for key in golden})
    files = [next(p for p in (ROOT / "tests/golden/images" / n, ROOT / "data/sample/photos" / n) if p.exists())
             for n in names]
    states = model.hidden_states(files, pools=("lt", "lt_tail", "lv", "v"), exif=False)
    assert states["lt"].shape == (len(files), 9, 192) and states["v"].shape == (len(files), 6, 160)
    for i, name in enumerate(names):
        for pool in ("lt", "lt_tail", "lv", "v"):
            want, got = golden[f"{name}|{pool}"].astype(float), states[pool][i].astype(float)
            cosine = (want * got).sum(1) / np.linalg.norm(want, axis=1) / np.linalg.norm(got, axis=1)
            assert cosine.min() > 0.99999, (name, pool)
            assert np.abs(got - want).max() <= 1e-3 * np.abs(want).max(), (name, pool)


def test_a_photo_comes_in_many_ways(model, photos):
    picture = Image.open(photos[0]).convert("RGB")
    saved = io.BytesIO()
    picture.save(saved, "png")
    rgb = np.asarray(picture)
    padded = np.zeros((rgb.shape[0], rgb.shape[1] + 7, 3), np.uint8)
    padded[:, 3:-4] = rgb
    mirrored = rgb[:, ::-1][:, ::-1]
    backwards = np.ascontiguousarray(rgb[::-1])[::-1]
    ways = [picture, saved.getvalue(), bytearray(saved.getvalue()), rgb, padded[:, 3:-4], mirrored, backwards]
    states = model.hidden_states(ways, layers=[0, 3])
    assert states.layers("lt") == [0, 3] and len(states) == len(ways)
    assert (states.values == states.values[0]).all()
    assert np.shares_memory(states["lt", 3], states.values)
    with pytest.raises(KeyError, match="lt.0"):
        states["lt", 4]


def test_pil_is_turned_upright_as_files_are(model):
    path = ROOT / "tests/golden/images/coffee_rotated.jpg"
    if not path.exists():
        path = next(p for p in (ROOT / "tests/golden/images").iterdir()
                    if p.suffix == ".jpg" and Image.open(p).getexif().get(274, 1) != 1)
    for exif in (True, False):
        a = model.hidden_states(path, exif=exif)["lt", 8]
        b = model.hidden_states(Image.open(path), exif=exif)["lt", 8]
        assert np.allclose(a, b, atol=1e-4)


def test_generator_batches_and_progress(model, photos):
    told = []
    parts = list(model.iter_hidden_states((p for p in photos[:5]), batch=2))
    assert [len(p) for p in parts] == [2, 2, 1]
    whole = model.hidden_states(photos[:5], progress=lambda done, total: told.append((done, total)))
    assert (np.concatenate([p.values for p in parts]) == whole.values).all()
    assert told == [(i, 5) for i in range(1, 6)]
    assert model.hidden_states([], layers=3)["lt", 3].shape == (0, 192)


def test_a_bar_where_tqdm_is(model, photos, capsys):
    pytest.importorskip("tqdm")
    for some in model.iter_hidden_states(photos[:3], layers=3, batch=2, progress=True):
        assert len(some)
    assert "3/3" in capsys.readouterr().err
    sum(1 for _ in model.iter_hidden_states((p for p in photos[:3]), layers=3, progress=True))
    assert "3photo" in capsys.readouterr().err  # of a generator nobody knows how many there will be


def test_each_code_has_its_exception():
    """The codes are piaa.h's, and the exceptions what Python calls such a thing."""
    from piaa import _api

    kinds = {"USAGE": ValueError, "IO": OSError, "FORMAT": ValueError, "UNSUPPORTED": NotImplementedError,
             "MISMATCH": ValueError, "BUSY": BlockingIOError, "MEMORY": MemoryError, "STOPPED": piaa.Error}
    codes = {name[len("PIAA_"):]: value for name, value in _api.ffi.typeof("piaa_code").relements.items()}
    assert set(codes) == {"OK", *kinds}
    for name, kind in kinds.items():
        def fail(error):
            error.code, error.message = codes[name], b"what, where, how to mend it"

        with pytest.raises(kind, match="what, where, how to mend it") as raised:
            _api.call(fail)
        assert isinstance(raised.value, piaa.Error) and raised.type.__name__.upper() == name + "ERROR"


def test_errors_have_their_kinds(model, photos, tmp_path):
    with pytest.raises(OSError, match="nowhere.jpg"):
        model.hidden_states("nowhere.jpg")
    (tmp_path / "text.jpg").write_text("no photo")
    with pytest.raises(piaa.FormatError, match="text.jpg"):
        model.hidden_states(tmp_path / "text.jpg")
    with pytest.raises(ValueError, match="photo in memory"):
        model.hidden_states(b"no photo")
    with pytest.raises(piaa.UsageError):
        model.hidden_states(photos[0], layers=99)
    with pytest.raises(TypeError, match="float64"):
        model.hidden_states(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="null byte"):
        model.hidden_states([photos[0] + "\0"])
    for batch, kind in ((0, ValueError), (-1, ValueError), ("2", TypeError), (1.5, TypeError)):
        with pytest.raises(kind):
            next(model.iter_hidden_states(photos[:1], layers=3, batch=batch))
    with pytest.raises(piaa.IOError):
        piaa.Model(tmp_path / "none")
    with pytest.warns(piaa.Warning, match="text.jpg"):
        states = model.hidden_states([tmp_path / "text.jpg", photos[0]], errors="warn")
    assert np.isnan(states.values[0]).all() and np.isfinite(states.values[1]).all()


def test_threads_share_a_model(model, photos):
    want = model.hidden_states(photos[:4]).values
    got = [None] * 4

    def read(i):
        got[i] = model.hidden_states(photos[i]).values[0]

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (np.stack(got) == want).all()


def test_ctrl_c_ends_it_and_keeps_what_is_done(model, photos, tmp_path):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

    def interrupt(done, total):
        if done >= 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.hidden_states(photos, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.embed(photos, tmp_path / "s", progress=interrupt)
    done = len(piaa.Store(tmp_path / "s").index)
    assert 1 <= done < len(photos)
    assert len(model.embed(photos, tmp_path / "s").index) == len(photos)
