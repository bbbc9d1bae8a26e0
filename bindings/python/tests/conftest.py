import json
import os
import pathlib
import re

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


def blocks(document, language):
    """What a document (from the repository's root) has between fences of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / document).read_text(), re.M | re.S)


@pytest.fixture(scope="session")
def bucket(photos):
    """A bucket on an S3 server of this machine's own: album/2024 holds six photos, album a note that is none."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "none",
                           "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(key, value)
        import s3fs

        s3 = s3fs.S3FileSystem()
        s3.mkdir("bucket")
        for path in photos[:6]:
            s3.put_file(path, f"bucket/album/2024/{os.path.basename(path)}")
        s3.pipe_file("bucket/album/note.txt", b"no photo")
        yield "s3://bucket"
    server.stop()
