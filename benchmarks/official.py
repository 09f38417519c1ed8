"""The official weights' way out of TensorFlow: the same levels, less time, less memory.

    python benchmarks/official.py [--width N] [--rounds N] [--threads N]

The official graph cannot be shipped or fetched here, so a stand-in of its signature is built (tests/official/
make_standin.py).  Parity: two small stand-ins, random and trained-looking weights, imported as a user does it, at five
sizes, odd ones among them.  Time and memory: a stand-in of --width 64, 78 M parameters as the official one has, in two
processes held open that run in turns, one picture each; the peak is that of each whole process, loading included.

TensorFlow lives in .venv-tf (`make .venv-tf/.ready`) or in BSHM_TENSORFLOW_PYTHON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

REPOSITORY = Path(__file__).parents[1]
MAKER = REPOSITORY / "tests" / "official" / "make_standin.py"
RESULT = Path(__file__).parent / "results" / "official.json"
SAMPLE = REPOSITORY / "src" / "bshm" / "cli" / "astronaut.jpg"
TIMED_HW = (1080, 1920)


def tensorflow_python() -> str:
    return os.environ.get("BSHM_TENSORFLOW_PYTHON") or str(REPOSITORY / ".venv-tf" / "bin" / "python")


# -- the two programs that are timed: this file, started with --child; they answer each line with milliseconds --


def child(kind: str, path: str, threads: int) -> None:
    import numpy as np

    image = np.random.default_rng(0).integers(0, 256, (*TIMED_HW, 3)).astype(np.float32)
    run = _tensorflow(path, threads) if kind == "tensorflow" else _onnx(path, threads)
    run(image)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if line.strip() == "peak":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps(round(peak, 1)), flush=True)
            return
        started = time.perf_counter()
        run(image)
        print(json.dumps((time.perf_counter() - started) * 1000), flush=True)


def _tensorflow(path: str, threads: int) -> Callable[[Any], Any]:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import tensorflow.compat.v1 as tf

    graph = tf.GraphDef()
    graph.ParseFromString(Path(path).read_bytes())
    with tf.Graph().as_default() as loaded:
        tf.import_graph_def(graph, name="")
    del graph
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    session = tf.Session(graph=loaded, config=config)
    return lambda image: session.run("output_png:0", {"input_image:0": image})


def _onnx(name: str, threads: int) -> Callable[[Any], Any]:
    from bshm.matting.engines import open_engine
    from bshm.weights import catalogue

    engine = open_engine(catalogue.find(name), "cpu", threads)
    session = engine.sessions["rgba"]
    return lambda image: session.run({"input_image": image})


class Child:
    """One of the two programs, held open."""

    def __init__(self, python: str, kind: str, path: str, threads: int) -> None:
        command = [python, "-W", "ignore", __file__, "--child", kind, path, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.answer()

    def answer(self) -> Any:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit("a child ended early; run it by hand with --child to see why")
        return json.loads(line)

    def ask(self, word: str) -> Any:
        if self.process.stdin:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()


# -- what is measured --


def imported(graph: Path, name: str, threads: int) -> dict[str, Any]:
    from bshm.importing.command import ImportOptions, import_file

    options = ImportOptions(name=name, python=tensorflow_python(), pictures=(SAMPLE,), threads=threads, overwrite=True)
    report = import_file(graph, options, print).report
    return {} if report is None else report.to_json()


def make(path: Path, *flags: str) -> str:
    command = [tensorflow_python(), "-W", "ignore", str(MAKER), str(path), *flags]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]


def spread(values: list[float]) -> dict[str, Any]:
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return {"median": round(median(values)), "quartiles": [round(low), round(high)]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=64, help="of the stand-in that is timed; 64 has 78 M parameters")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    flags = parser.parse_args()
    from bshm.importing import parity

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BSHM_MODELS"] = str(folder / "models")
        make(folder / "small", "--weights", "all")
        figures = {
            kind: imported(folder / "small" / f"{kind}.pb", f"small-{kind}", flags.threads)
            for kind in ("random", "trained")
        }
        parameters = make(folder / "large.pb", "--weights", "trained", "--width", str(flags.width))
        parity.SIZES_HW = parity.SIZES_HW[:1]  # seconds a picture
        large = imported(folder / "large.pb", "large", flags.threads)
        children = {
            "tensorflow": Child(tensorflow_python(), "tensorflow", str(folder / "large.pb"), flags.threads),
            "onnx": Child(sys.executable, "onnx", "large", flags.threads),
        }
        times: dict[str, list[float]] = {kind: [] for kind in children}
        for _ in range(flags.rounds):
            for kind, each in children.items():
                times[kind].append(each.ask("run"))
        peaks = {kind: each.ask("peak") for kind, each in children.items()}
        for each in children.values():
            each.close()
    ratios = [b / a for a, b in zip(times["tensorflow"], times["onnx"], strict=True)]
    result = {
        "command": "python benchmarks/official.py "
        f"--width {flags.width} --rounds {flags.rounds} --threads {flags.threads}",
        "machine": platform.machine(),
        "parity_levels": {
            kind: {
                "worst": figure["worst"],
                "sizes": {
                    "x".join(map(str, row["size_hw"])): {
                        key: round(row[key], 4) for key in ("alpha_max", "alpha_mean", "colour_max", "colour_mean")
                    }
                    for row in figure["rows"]
                },
            }
            for kind, figure in {**figures, "official size": large}.items()
        },
        "official_size": parameters.rpartition(": ")[2],
        "picture_hw": TIMED_HW,
        "time_ms": {kind: spread(values) for kind, values in times.items()},
        "time_onnx_to_tensorflow": {"median": round(median(ratios), 3), "worst": round(max(ratios), 3)},
        "peak_mb": peaks,
        "peak_onnx_to_tensorflow": round(peaks["onnx"] / peaks["tensorflow"], 3),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
