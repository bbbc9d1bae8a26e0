"""What the documents show, done as they show it."""
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import ROOT, blocks


@pytest.fixture
def desk(tmp_path, photos, monkeypatch):
    """A folder with what the examples name: photos, ratings, a model under a real one's name."""
    shutil.copytree(os.path.dirname(photos[0]), tmp_path / "photos")
    shutil.copytree(os.path.dirname(photos[0]), tmp_path / "archive")
    shutil.copy(ROOT / "data/sample/ratings.csv", tmp_path)
    (tmp_path / "Qwen3-VL-4B-Instruct").symlink_to(ROOT / "models/demo")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore::piaa.Warning")
@pytest.mark.parametrize("document", ["docs/python.md", "bindings/python/README.md"])
def test_python(document, desk, bucket):
    names, shown = {}, blocks(document, "python")
    assert shown
    for text in shown:
        exec(compile(text, document, "exec"), names)


def test_shell(desk, program):
    """All of docs/scale.md but what has a cluster of its own: the Ray job (test_ray.py), the Slurm array (scripts/slurm/test)."""
    if not shutil.which("parallel"):
        pytest.skip("GNU parallel is not installed")
    shown = [text for text in blocks("docs/scale.md", "sh") if "sbatch" not in text and "ray_embed" not in text]
    assert len(shown) >= 2
    subprocess.run([program, "embed", "archive", "--out", "once"], check=True, capture_output=True)
    shutil.rmtree("photos")  # the ratings are those of the archive
    (desk / "machines").write_text("1/:\n")  # this one alone
    for text in shown:
        if "--out archive.store" in text:
            shutil.rmtree("archive.store", ignore_errors=True)
        run = subprocess.run(["bash", "-ec", text], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                             env={**os.environ, "PATH": os.path.dirname(program) + os.pathsep + os.environ["PATH"]})
        assert run.returncode == 0, (text, run.stdout, run.stderr)
        for matrix in pathlib.Path("once").glob("*.npy"):
            assert matrix.read_bytes() == pathlib.Path("archive.store", matrix.name).read_bytes(), text
