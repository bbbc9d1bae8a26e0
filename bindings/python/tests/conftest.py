import json
import os
import pathlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("PIAA_MODEL", None)


@pytest.fixture(scope="session")
def model():
    import piaa

    return piaa.Model()


@pytest.fixture(scope="session")
def photos():
    return sorted(str(p) for p in (ROOT / "data/sample/photos").iterdir())


@pytest.fixture(scope="session")
def program():
    """The command line: PIAA_PROGRAM, or the release build's."""
    path = pathlib.Path(os.environ.get("PIAA_PROGRAM", ROOT / "build/release/src/cli/piaa"))
    if not path.exists():
        pytest.skip("piaa itself is not built")
    return str(path)


def safetensors(name):
    """The tensors of tests/golden/NAME (float32 and float64)."""
    data = (ROOT / "tests/golden" / name).read_bytes()
    size = int.from_bytes(data[:8], "little")
    types = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8}
    return {key: np.frombuffer(data[8 + size:][slice(*at["data_offsets"])], types[at["dtype"]]).reshape(at["shape"])
            for key, at in json.loads(data[8:8 + size]).items() if key != "__metadata__" and at["dtype"] in types}
