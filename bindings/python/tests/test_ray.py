"""examples/ray_embed.py, by the line of docs/scale.md, on a cluster of two nodes of this machine's own, one of which dies half-way."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import piaa
import pytest
from conftest import ROOT, blocks

pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


def reader(node):
    """The process of the actor that this node has; None: there is none yet."""
    raylet = node.all_processes["raylet"][0].process.pid
    for pid in pathlib.Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split():
        if b"Reader" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    return None


def part_in_hand(pid):
    """The part whose store the process has open."""
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.search(r"[.]parts/(\d+)[.]store/\w+[.]\d+[.]npy", os.readlink(link))
        except FileNotFoundError:
            continue
        if found:
            return int(found[1])
    return None


def stopped_half_way(node):
    """Stops the node's reader while it reads a part, after the part's first photo: (process, part)."""
    end = time.monotonic() + 100
    while time.monotonic() < end:
        pid = reader(node)
        if pid and part_in_hand(pid):
            os.kill(pid, signal.SIGSTOP)
            if part_in_hand(pid):
                return pid, part_in_hand(pid)
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.005)
    raise AssertionError("the second node read nothing")


def test_a_node_dies(cluster, model, photos, tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    for i, path in enumerate(photos * 8):  # each its own content: what is copied is not read again
        (folder / f"{i:03}.jpg").write_bytes(pathlib.Path(path).read_bytes() + b"\0" * i)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    command = next(text for text in blocks("docs/scale.md", "sh") if "ray_embed" in text)
    job = subprocess.Popen(["bash", "-ec", command], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True,
                           env={**os.environ, "RAY_ADDRESS": cluster.address,
                                "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]})
    try:
        pid, part = stopped_half_way(nodes[1])
        cluster.remove_node(nodes[1], allow_graceful=False)
        os.kill(pid, signal.SIGKILL)
        out, _ = job.communicate(timeout=150)
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode == 0 and f"part {part}:" in out, out
    once, merged = model.embed(folder, tmp_path / "once"), piaa.Store(tmp_path / "archive.store")
    assert len(once) == 8 * len(photos)
    assert once.paths == merged.paths and once.slots == merged.slots
    for pool, layer in once.slots:
        name = f"{pool}.{layer}.npy"
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "archive.store" / name).read_bytes()
