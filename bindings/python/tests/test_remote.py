"""Photos of a bucket against the same photos in a folder; shards against one run."""
import os
import pathlib
import shutil

import numpy as np
import piaa
import pytest


def same(a, b):
    return a.slots == b.slots and [os.path.basename(p) for p in a.paths] == [os.path.basename(p) for p in b.paths] and \
        all(pathlib.Path(a.path, f"{p}.{n}.npy").read_bytes() == pathlib.Path(b.path, f"{p}.{n}.npy").read_bytes()
            for p, n in a.slots)


def test_hidden_states(model, photos, bucket):
    want = model.hidden_states(photos[:6]).values
    told = []
    got = model.hidden_states(f"{bucket}/album/**/*.*g", progress=lambda *at: told.append(at))
    assert (got.values == want).all() and told[-1] == (6, 6)
    one = f"{bucket}/album/2024/{os.path.basename(photos[2])}"
    assert (model.hidden_states([photos[0], one]).values == want[[0, 2]]).all()
    parts = list(model.iter_hidden_states((url for url in [one, f"{bucket}/album/2024/*"]), batch=4))
    assert (np.concatenate([p.values for p in parts]) == want[[2, 0, 1, 2, 3, 4, 5]]).all()
    with pytest.raises(FileNotFoundError, match="bucket/none"):
        model.hidden_states(f"{bucket}/none/*.jpg")
    with pytest.raises(OSError):
        model.hidden_states(f"{bucket}/none.jpg")
    with pytest.raises(piaa.FormatError):
        model.hidden_states(f"{bucket}/album/note.txt")
    with pytest.warns(piaa.Warning):
        states = model.hidden_states([one, f"{bucket}/none.jpg"], errors="warn")
    assert np.isnan(states.values[1]).all()


def test_store(model, photos, bucket, tmp_path):
    shutil.copytree(os.path.dirname(photos[0]), tmp_path / "all")
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in photos[:6]:
        shutil.copy(path, folder)
    once, told = model.embed(folder, tmp_path / "once", layers=3), []
    kept = model.embed(f"{bucket}/album/2024/*", tmp_path / "kept", layers=3, progress=lambda *at: told.append(at))
    assert same(once, kept) and told[-1] == (6, 6)
    assert kept.paths[0] == str(tmp_path / "kept.photos/bucket/album/2024" / os.path.basename(photos[0]))
    for i in (1, 2, 3):
        part = model.embed(f"{bucket}/album/2024/*", tmp_path / f"{i}", layers=3, shard=(i, 3), keep=False,
                           copies=tmp_path / "copies")
        local = model.embed(folder, tmp_path / f"{i}.local", layers=3, shard=(i, 3))
        assert same(part, local)
    assert not [path for path in (tmp_path / "copies").rglob("*") if path.is_file()]
    merged = piaa.merge([tmp_path / f"{i}" for i in (1, 2, 3)], tmp_path / "merged")
    assert same(once, merged)
    told.clear()
    model.embed(f"{bucket}/album/2024/*", tmp_path / "merged", layers=3, keep=False, copies=tmp_path / "copies",
                progress=lambda *at: told.append(at))
    assert not told  # nothing is fetched twice


def test_a_shard_without_photos(model, photos, tmp_path):
    parts = [model.embed(photos[0], tmp_path / f"{i}", layers=3, shard=(i, 4)) for i in range(1, 5)]
    assert sorted(len(p) for p in parts) == [0, 0, 0, 1]
    assert piaa.merge([p.path for p in parts], tmp_path / "merged").paths == [photos[0]]
    with pytest.raises(piaa.UsageError, match="shard 5 of 4"):
        model.embed(photos[0], tmp_path / "5", layers=3, shard=(5, 4))
