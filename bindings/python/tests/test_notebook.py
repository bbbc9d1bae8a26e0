"""The notebook runs from its first cell to its last, and draws its figure."""
import shutil

import pytest
from conftest import ROOT

nbclient = pytest.importorskip("nbclient")
pytest.importorskip("matplotlib")


def test_notebook(tmp_path):
    import nbformat

    (tmp_path / "data").mkdir()
    shutil.copytree(ROOT / "data/sample", tmp_path / "data/sample")
    notebook = nbformat.read(ROOT / "examples/taste.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=100, resources={"metadata": {"path": tmp_path}}).execute()
    assert (tmp_path / "layers.png").stat().st_size > 1000
    assert "(10, 9, 192)" in str(notebook.cells[3].outputs)
