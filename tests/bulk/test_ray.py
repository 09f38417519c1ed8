"""A batch on a Ray cluster of two nodes, one of which is killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pictures import opened
from PIL import Image
from ray.cluster_utils import Cluster

from bshm.bulk.journal import FOLDER
from bshm.errors import OptionError

# What Ray leaves open in the process that starts its nodes is no concern of ours.
pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]

PICTURES = 80


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two nodes of one processor each, as processes of their own, beside the head, which does no work."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 by default: on a busy machine they would hardly begin
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    memory: dict[str, Any] = {"memory": 2 << 30, "object_store_memory": 100 << 20}
    head = {"num_cpus": 0, "include_dashboard": False, "include_log_monitor": False, "_system_config": quick}
    found = Cluster(initialize_head=True, head_node_args={**memory, **head})
    try:
        for _ in range(2):
            found.add_node(num_cpus=1, include_log_monitor=False, **memory)
        yield found
    finally:
        found.shutdown()


def node_of(cluster: Cluster, process: int) -> Any:
    """The node that started a process."""
    parent = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.list_all_nodes()}
    return raylets[parent]


def writers(folder: Path) -> list[int]:
    """The processes that have noted an output."""
    files = [path for path in (folder / FOLDER / "journal").glob("*.jsonl") if path.read_bytes().count(b"\n") > 1]
    return [int(path.name.split("-")[2]) for path in files]


def batch(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    code = "import sys; from bshm.cli import main; sys.exit(main(['batch', *sys.argv[1:]]))"
    command = [sys.executable, "-c", code, "in", "-o", "out", "--json", "-m", "bshm-live", "--engine", "ray", *words]
    return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)


def test_a_node_that_dies_costs_no_picture_and_none_is_written_twice(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(PICTURES):
        pixels = np.random.default_rng(n).integers(0, 255, (96, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"in/{n:03}.png")
    (tmp_path / "in/broken.png").write_bytes(b"no picture")
    before: dict[Path, int] = {}

    def kill_the_first() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found = writers(tmp_path / "out")
            if found and any((tmp_path / "out").glob("*.png")):
                node = node_of(cluster, found[0])
                os.kill(found[0], signal.SIGKILL)
                node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
                cluster.worker_nodes.remove(node)
                before.update({path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")})
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    words = ("--ray-address", cluster.address, "--actors", "2", "--actor-memory", "500M")
    with batch(tmp_path, *words) as process:
        lines = list(process.stdout or ())
    told: list[dict[str, Any]] = [json.loads(line) for line in lines]
    killer.join()
    assert 0 < len(before) < PICTURES
    assert process.returncode == 1
    status = Counter(each["status"] for each in told)
    assert len(told) == PICTURES + 1 and status["failed"] == 1
    (failed,) = (each for each in told if each["status"] == "failed")
    assert failed["input"] == "in/broken.png" and failed["error"]["kind"] == "UnreadablePictureError"
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {f"{n:03}.png" for n in range(PICTURES)}
    assert all(opened(path).size == (64, 96) for path in (tmp_path / "out").glob("*.png"))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    table = pq.read_table(tmp_path / "out/report.parquet").to_pylist()
    assert Counter(row["status"] for row in table) == status
    with batch(tmp_path, *words) as process:
        again = [json.loads(line)["status"] for line in process.stdout or ()]
    assert Counter(again) == {"skipped": PICTURES, "failed": 1}


def test_a_pool_without_actors_is_refused() -> None:
    from bshm.bulk.ray_engine import Pool

    with pytest.raises(OptionError, match="actors takes 1 to 10000; got 0"):
        Pool(actors=0)
