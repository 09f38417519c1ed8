"""500 jobs through RabbitMQ and through Redis, with workers killed at random and the broker killed and restarted once.

    python -m benchmarks.jobs_chaos [--jobs 500] [--workers 3] [--kills 20] [--broker redis|rabbit]

Every job must end in its own result, once; a figure that should be 0 and is not ends the run with 1.  The pictures are
tiny and the network is a fake one, so that the queue is what is tried.  Redis keeps the jobs of both.  The servers are
those of tests/install_servers.sh, on loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
import tempfile
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY / "tests" / "jobs"), str(REPOSITORY / "tests")]

import brokers  # noqa: E402 - beside the tests that do the same on a small scale
import chaos  # noqa: E402

RESULTS = Path(__file__).with_name("results") / "jobs_chaos.json"


def main() -> int:
    """Run, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds a picture takes at least")
    parser.add_argument("--timeout", type=float, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--broker", choices=["redis", "rabbit"], action="append")
    arguments = parser.parse_args()
    figures = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"runs": {}}
    figures["method"] = " ".join((__doc__ or "").split("\n\n")[2].split())
    figures["machine"] = {"system": platform.platform(), "python": platform.python_version()}
    figures["versions"] = {name: metadata.version(name) for name in ("kombu", "redis", "amqp")}
    whole = True
    for name in arguments.broker or ["redis", "rabbit"]:
        outcome = _run(name, arguments)
        figures["runs"][name] = {
            "workers": arguments.workers, "pause_s": arguments.pause, "seed": arguments.seed, **asdict(outcome)
        }  # fmt: skip
        print(name, json.dumps(asdict(outcome)))
        wrong = outcome.crossed + outcome.twice + outcome.seen_by_others + outcome.inputs_left
        whole = whole and wrong == 0 and outcome.jobs == outcome.done == arguments.jobs
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if whole else 1


def _run(name: str, arguments: argparse.Namespace) -> chaos.Outcome:
    with (
        tempfile.TemporaryDirectory(prefix="bshm-chaos-") as folder,
        brokers.RedisServer() as redis,
        contextlib.ExitStack() as stack,
    ):
        return chaos.run(
            redis if name == "redis" else stack.enter_context(brokers.RabbitServer()),
            redis.url,
            Path(folder),
            jobs=arguments.jobs,
            workers=arguments.workers,
            kills=arguments.kills,
            restarts=arguments.restarts,
            pause_s=arguments.pause,
            timeout_s=arguments.timeout,
            seed=arguments.seed,
        )


if __name__ == "__main__":
    sys.exit(main())
