"""examples/ray_embed.py on a cluster of two nodes of this machine's own, one of which is killed half-way."""
import os
import pathlib
import signal
import subprocess
import sys
import time

import piaa
import pytest
from conftest import ROOT

pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


def readers(node):
    """The processes of the actors that this raylet has, by /proc."""
    raylet = node.all_processes["raylet"][0].process.pid
    kids = pathlib.Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    return [int(pid) for pid in kids if b"Reader" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_node_dies(cluster, model, photos, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, path in enumerate(photos * 8):  # each its own content: what is copied is not read again
        data = pathlib.Path(path).read_bytes()
        (folder / f"{i:03}{pathlib.Path(path).suffix}").write_bytes(data + b"\0" * i)
    count = len(list(folder.iterdir()))
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    store = tmp_path / "all.piaa"
    job = subprocess.Popen([sys.executable, ROOT / "examples/ray_embed.py", folder, store, "--shards", "6", "--layer",
                            "all", "--readers", "2"], stdout=subprocess.PIPE, text=True,
                           env={**os.environ, "RAY_ADDRESS": cluster.address})
    try:
        first = job.stdout.readline()
        assert first.startswith("part"), first
        busy = readers(nodes[1])
        assert busy
        cluster.remove_node(nodes[1], allow_graceful=False)
        for pid in busy:  # with the node they run on, these die too
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        out, _ = job.communicate(timeout=120)
        assert job.returncode == 0, out
    finally:
        job.kill()
    assert out.splitlines()[-1] == f"{count} photos in {store}"
    once, merged = model.embed(folder, tmp_path / "once", layers="all"), piaa.Store(store)
    assert once.paths == merged.paths and once.slots == merged.slots
    for pool, layer in once.slots:
        name = f"{pool}.{layer}.npy"
        assert (tmp_path / "once" / name).read_bytes() == (store / name).read_bytes()
