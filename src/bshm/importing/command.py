"""The work of ``bshm models import``: read, convert, compare, store."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.errors import MemoryExhaustedError, MissingExtraError, ModelFileError, OptionError, option
from bshm.files.decode import open_picture
from bshm.importing import frozen, parity, protobuf, signatures
from bshm.importing.parity import Compared, Report
from bshm.importing.signatures import KNOWN, File, Known
from bshm.matting.networks import foreign
from bshm.options import Limits
from bshm.runtime.providers import choose
from bshm.runtime.session import METADATA_KEY, OnnxSession, Port, ports
from bshm.weights import catalogue, store
from bshm.weights.card import Card, Look, Network, Order, Preprocessing

OFFICIAL = "bshm-official"
OPSETS = (11, 18)
# 17: the newest that every onnxruntime this package allows runs, and what the parity tests ran with.
DEFAULT_OPSET = 17
_WORKER = Path(__file__).with_name("tensorflow_worker.py")
_UNKNOWN_LICENCE = "not stated; see where the file came from"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ImportOptions:
    """How a file is imported.

    Attributes:
        name: name of the model; None is ``bshm-official`` for a frozen graph and the file's name for ONNX.
        like: a key of ``signatures.KNOWN``; None finds out.
        card: a card that describes the file, in place of ``like``.
        image, answer: names of the input and output; None finds them.
        order: of the colours that the network expects.
        python: an interpreter that has TensorFlow and tf2onnx.
        opset: of the ONNX file that a frozen graph becomes.
        tolerance: levels of 255 that ONNX may differ from TensorFlow.
        pictures: to compare on; the first at ``parity.SIZES_HW``, the others at their own size.
        against: the frozen graph that an ONNX file was made of, to compare with.
        threads: of one run, in both programs.
        overwrite: replace a set of the same name.
        licence: of the weights.
        source: where the file came from.
    """

    name: str | None = None
    like: str | None = None
    card: Path | None = None
    image: str | None = None
    answer: str | None = None
    order: Order = "RGB"
    python: str = sys.executable
    opset: int = DEFAULT_OPSET
    tolerance: float = parity.TOLERANCE_LEVELS
    pictures: tuple[Path, ...] = ()
    against: Path | None = None
    threads: int = 2
    overwrite: bool = False
    licence: str = _UNKNOWN_LICENCE
    source: str = ""

    def __post_init__(self) -> None:
        if self.like is not None and self.like not in KNOWN:
            raise OptionError(f"{option('like')} takes {', '.join(KNOWN)}; got {self.like!r}.")
        if not OPSETS[0] <= self.opset <= OPSETS[1]:
            raise OptionError(f"{option('opset')} takes {OPSETS[0]} to {OPSETS[1]}; got {self.opset}.")
        if not 0 <= self.tolerance <= 255:
            raise OptionError(f"{option('tolerance')} takes 0 to 255 levels; got {self.tolerance:g}.")


@dataclass(frozen=True)
class Imported:
    """What came of it.

    Attributes:
        card: as it stands in the store.
        report: of the comparison; None where there was nothing to compare with.
    """

    card: Card
    report: Report | None


def import_file(path: Path, options: ImportOptions, tell: Tell) -> Imported:
    """Put a model file into the user's store.

    Args:
        path: a frozen TensorFlow graph or an ONNX file.
        options: how.
        tell: told a line at a time what is found and done.

    Raises:
        SourceNotFoundError, ModelFileError: the file is not there, no model, damaged, cannot be converted, or computes
            something else after conversion.
        OptionError, OutputExistsError: of the options and the name.
        MissingExtraError: a frozen graph, and TensorFlow or tf2onnx is missing.
        OutputError: the store cannot be written.  Whatever is raised, the store is as it was.
    """
    data = protobuf.read_file(path)
    kind = protobuf.kind_of(data, str(path))
    name = options.name or (OFFICIAL if kind == "frozen graph" else _name_of(path))
    store.check_free(name, overwrite=options.overwrite, taken=tuple(card.stem for card in catalogue.paths(_BOX)))
    tell(f"{path}: {kind}, {len(data) / 1e6:.1f} MB, sha256 {hashlib.sha256(data).hexdigest()}")
    with tempfile.TemporaryDirectory(prefix="bshm-import-", ignore_cleanup_errors=True) as folder:
        if kind == "frozen graph":
            return _import_frozen(path, data, name, options, tell, Path(folder))
        return _import_onnx(path, data, name, options, tell, Path(folder))


_BOX = catalogue.BUNDLED


def _import_frozen(path: Path, data: bytes, name: str, options: ImportOptions, tell: Tell, folder: Path) -> Imported:
    if options.card is not None or options.like not in (None, "bshm") or options.against is not None:
        raise OptionError(
            f"{option('card')}, {option('like')} and {option('against')} are for ONNX files; a frozen graph is read "
            "as BSHM."
        )
    tensors = _found(data, options, tell)
    image = Port(tensors.image.name, tensors.image.dtype or "float32", _open(tensors.image.shape or (-1, -1, 3)))
    before = signatures.described(
        File([image], [Port(tensors.answer, "uint8", (None, None, 4))]), "bshm", answer=None, order=options.order
    )
    samples = _samples(options.pictures)
    onnx_path = folder / "converted.onnx"
    tell(f"converting at opset {options.opset} and running TensorFlow on {len(samples)} pictures …")
    answer = _run_worker(
        folder, options, path, tensors.image.name, tensors.answer, onnx_path, before.preprocessing, samples
    )
    converted = onnx_path.read_bytes()
    file = File(*ports(converted, "the converted graph"))
    known = signatures.described(file, "bshm", answer=tensors.answer, order=options.order)
    known = replace(known, preprocessing=before.preprocessing)
    summary = protobuf.onnx_summary(converted)
    tell(f"ONNX: {len(converted) / 1e6:.1f} MB, {summary.parameters / 1e6:.2f} M parameters, {file.describe()}")
    network = _network(known, converted)
    network, rows = _compare(network, converted, samples, folder, answer["times_ms"], options)
    versions = {"tensorflow": answer["tensorflow"], "tf2onnx": answer["tf2onnx"], "opset": str(options.opset)}
    report = Report(rows, options.tolerance, versions)
    _told(report, tell)
    if not report.passed:
        raise ModelFileError(
            f"ONNX and TensorFlow differ by {report.worst:g} levels of 255 where {options.tolerance:g} is allowed; "
            f"nothing was stored. Try another {option('opset')} (18, 13, 11), or a higher {option('tolerance')} if "
            "that is good enough."
        )
    how = f"{path.name} (sha256 {hashlib.sha256(data).hexdigest()}) converted by tf2onnx {answer['tf2onnx']}"
    return _stored(name, known, network, converted, report, how, options)


def _told(report: Report, tell: Tell) -> None:
    for line in report.table().splitlines():
        tell(line)


def _import_onnx(path: Path, data: bytes, name: str, options: ImportOptions, tell: Tell, folder: Path) -> Imported:
    file = File(*ports(data, str(path)))
    summary = protobuf.onnx_summary(data)
    tell(f"opset {summary.opset}, written by {summary.producer or 'an unnamed program'}; {file.describe()}")
    if options.card is not None:
        return _import_described(data, name, options)
    like = options.like or signatures.guess(file)
    known = signatures.described(file, like, answer=options.answer, order=options.order)
    if options.image is not None:
        known = replace(known, signature=replace(known.signature, image=options.image))
    tell(f"{'taken' if options.like is None else 'read'} as {like}: {_in_words(known)}")
    network = _network(known, data)
    samples = _samples(options.pictures)
    times: Sequence[float] = ()
    versions = {"opset": str(summary.opset)}
    if options.against is not None:
        if like != "bshm":
            raise OptionError(
                f"{option('against')} compares with the official graph, so it needs {option('like')} bshm."
            )
        graph = protobuf.read_file(options.against)
        if protobuf.kind_of(graph, str(options.against)) != "frozen graph":
            raise OptionError(f"{option('against')} takes a frozen graph; {options.against} is ONNX.")
        tensors = _found(graph, options, tell, names=False)
        answer = _run_worker(
            folder, options, options.against, tensors.image.name, tensors.answer, None,
            Preprocessing(layout="HWC", white=255.0), samples,
        )  # fmt: skip
        times, versions = answer["times_ms"], {**versions, "tensorflow": answer["tensorflow"]}
    network, rows = _compare(network, data, samples, folder, times, options)
    report = Report(rows, options.tolerance, versions) if options.against is not None else None
    if report is None:
        tell("parity was not measured: --against tf_graph.pb compares with the graph it was made of")
    else:
        _told(report, tell)
        if not report.passed:
            raise ModelFileError(
                f"{path} differs from {options.against} by {report.worst:g} levels of 255 where {options.tolerance:g} "
                f"is allowed; nothing was stored. If it takes BGR, set {option('order')} BGR."
            )
    return _stored(name, known, network, data, report, f"{path.name}, as it was", options)


def _import_described(data: bytes, name: str, options: ImportOptions) -> Imported:
    """An ONNX file with the card that its user wrote."""
    path = options.card or Path()
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        (role,) = entry["networks"]
        # What a person cannot know is filled in.
        network = {
            "file": "x.onnx",
            "sha256": "",
            "bytes": 0,
            "parameters": 0,
            "parity": -1.0,
            **entry["networks"][role],
        }
        # Format 1 may have the size in the preprocessing, as descriptions written for earlier versions do.
        rest = {"format": 1, "purpose": "", "date": _today(), "licence": _UNKNOWN_LICENCE, "paper": "", "recipe": "",
                "data": [], "quality": {}}  # fmt: skip
        card = Card.from_json({**rest, **entry, "name": name, "networks": {role: network}}, path.parent)
    except OSError as error:
        raise OptionError(f"{option('card')} {path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ModelFileError(
            f"{path} does not describe a network: {reason}. docs/official-model.md has an example of a card."
        ) from error
    summary = protobuf.onnx_summary(data)
    described = replace(card.networks[role], parameters=summary.parameters)
    if described.signature is None:
        raise ModelFileError(f"{path} does not describe a network: it needs a signature. See docs/official-model.md.")
    _compare(described, data, _samples(options.pictures)[:1], Path(), (), options)
    return Imported(
        store.install(replace(card, networks={role: described}), {role: data}, overwrite=options.overwrite), None
    )


def _found(data: bytes, options: ImportOptions, tell: Tell, *, names: bool = True) -> frozen.Tensors:
    tensors = frozen.find(
        protobuf.nodes_of(data), image=options.image if names else None, answer=options.answer if names else None
    )
    shape = "x".join("?" if side < 0 else str(side) for side in tensors.image.shape or ()) or "unknown shape"
    tell(f"takes {tensors.image.name} ({shape} {tensors.image.dtype}), gives {tensors.answer}")
    for note in tensors.notes:
        tell(f"note: {note}")
    return tensors


def _open(shape: tuple[int, ...]) -> tuple[int | None, ...]:
    return tuple(side if side > 0 else None for side in shape)


def _name_of(path: Path) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in path.stem.lower()).strip("._-")[:64] or "imported"


def _in_words(known: Known) -> str:
    asked = known.preprocessing
    size = (
        "x".join(map(str, reversed(asked.size_hw))) if asked.size_hw
        else f"shorter side {known.look.shortest_px}" if known.look.shortest_px
        else f"about {known.look.side_px}² px" if known.look.side_px
        else "the picture's own size"
    )  # fmt: skip
    answer = f"{known.role} from {known.signature.answer}"
    return f"{asked.layout} {asked.order} {asked.dtype} 0..{asked.white:g}, {size}; {answer}"


def _network(known: Known, data: bytes) -> Network:
    summary = protobuf.onnx_summary(data)
    return Network(
        "imported.onnx", hashlib.sha256(data).hexdigest(), len(data), summary.parameters, known.preprocessing, -1.0,
        known.signature, known.look,
    )  # fmt: skip


def _samples(pictures: Sequence[Path]) -> list[tuple[str, npt.NDArray[np.uint8]]]:
    """Pictures to compare on: the first at several sizes, the others at their own."""
    samples = []
    for index, path in enumerate(pictures):
        decoded = open_picture(path, Limits()).pixels
        pixels = geometry.shrink(decoded, (decoded.shape[0], decoded.shape[1]))  # 16 bits to 8, no other size
        sizes = parity.SIZES_HW if index == 0 else (pixels.shape[:2],)
        samples += [(path.stem, np.asarray(geometry.cover(pixels, (size[0], size[1])), np.uint8)) for size in sizes]
    return samples


def _run_worker(
    folder: Path,
    options: ImportOptions,
    graph: Path,
    image: str,
    answer: str,
    onnx: Path | None,
    preprocessing: Preprocessing,
    samples: Sequence[tuple[str, npt.NDArray[np.uint8]]],
) -> dict[str, Any]:
    """TensorFlow, in its own process: convert to ``onnx``, and answer the samples into ``folder``."""
    paths = []
    for index, (_, pixels) in enumerate(samples):
        paths.append(folder / f"{index}.npy")
        np.save(paths[-1], foreign.network_input(pixels, preprocessing, Look()))
    request = {
        "graph": str(graph.resolve()),
        "image": image,
        "answer_tensor": answer,
        "onnx": None if onnx is None else str(onnx),
        "opset": options.opset,
        "metadata": {METADATA_KEY: json.dumps(asdict(preprocessing))},
        "pictures": [str(path) for path in paths],
        "threads": options.threads,
        "answer": str(folder / "answer.json"),
    }
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    command = [options.python, "-W", "ignore", str(_WORKER), str(folder / "request.json")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    except OSError as error:
        raise OptionError(
            f"{option('python')} {options.python} cannot be started: {error.strerror or error}."
        ) from error
    try:
        found: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelFileError(
            f"TensorFlow ended with code {done.returncode} before it had converted {graph}: {last}. "
            "Check the memory: converting 312 MB of weights needs about 8 GB."
        ) from error
    if not found["ok"]:
        raise _worker_error(found, graph, options)
    return found


def _worker_error(found: Mapping[str, Any], graph: Path, options: ImportOptions) -> Exception:
    message = found["message"]
    if found["kind"] == "missing":
        return MissingExtraError(
            f"a frozen graph is converted by TensorFlow and tf2onnx, which {options.python} does not have ({message}). "
            'Install them with pip install "bshm[import]", or give the path of a Python that has them with '
            f"{option('python')}. "
            "They are needed once: afterwards the model runs without."
        )
    if found["kind"] == "memory":
        return MemoryExhaustedError(f"TensorFlow ran out of memory on {graph}. Close other programs and try again.")
    if found["kind"] == "conversion":
        return ModelFileError(
            f"{graph} cannot be converted to ONNX: {message}. Try another {option('opset')} (18, 13, 11); if an "
            "operator is missing in all of them, this is not the official graph: `bshm models pull bshm-official` "
            "fetches that."
        )
    return ModelFileError(f"TensorFlow cannot run {graph}: {message}. Is it the right graph, and whole?")


def _compare(
    network: Network,
    data: bytes,
    samples: Sequence[tuple[str, npt.NDArray[np.uint8]]],
    folder: Path,
    original_ms: Sequence[float],
    options: ImportOptions,
) -> tuple[Network, tuple[Compared, ...]]:
    """Run the network on the samples, and hold what it answers against TensorFlow's answers where there are any.

    Returns:
        The network with the range of a float mask and its parity filled in, and the rows of the report.
    """
    signature = network.signature
    if signature is None:
        raise ModelFileError(f"{network.file} has no signature.")
    session = OnnxSession(data, network, choose("cpu"), options.threads)
    answers, times_ms = [], []
    for index, (_, pixels) in enumerate(samples):
        feed = {signature.image: foreign.network_input(pixels, network.preprocessing, network.look)}
        if index == 0:
            session.run(feed)
        started = time.perf_counter()
        answers.append(session.run(feed)[signature.answer])
        times_ms.append((time.perf_counter() - started) * 1000)
        seen_hw = foreign.input_size(pixels.shape[0], pixels.shape[1], network.preprocessing, network.look)
        foreign.plane(answers[-1], network, seen_hw)  # no alpha? told now, not when it is used
    brightest = max((float(answer.max()) for answer in answers if answer.size), default=0.0)
    if signature.opaque is None and signature.white == 255 and 0 < brightest <= 1.5:
        # A float mask of a third party: some end at 1, some at 255.
        signature = replace(signature, white=1.0)
        network = replace(network, signature=signature)
    rows = []
    for index, (name, pixels) in enumerate(samples if original_ms else ()):
        original, found = np.load(folder / f"{index}.npy.out.npy"), answers[index]
        rows.append(
            parity.compare(
                name, original, _like_official(found, original, network),
                times_ms=(original_ms[index], times_ms[index]), size_hw=pixels.shape[:2],
            )
        )  # fmt: skip
    if rows:
        network = replace(network, parity=round(max(row.alpha_max for row in rows) / 255, 6))
    return network, tuple(rows)


def _like_official(found: npt.NDArray[Any], original: npt.NDArray[Any], network: Network) -> npt.NDArray[Any]:
    """An ONNX answer as the official graph gives it: (H, W, 4) RGBA or (H, W, 1) alpha, 0..255."""
    height, width = original.shape[:2]
    if network.signature is None or found.size % (height * width):
        raise ModelFileError(
            f"TensorFlow answers {original.shape} and ONNX {found.shape} on one picture; nothing was stored."
        )
    channels = found.size // (height * width)
    first = found.ndim > 2 and found.shape[-2:] == (height, width)
    stack = (
        found.reshape(channels, height, width).transpose(1, 2, 0) if first else found.reshape(height, width, channels)
    )
    if channels == 4 and network.preprocessing.order == "BGR":
        stack = stack[..., [2, 1, 0, 3]]
    return stack if network.signature.white == 255 else stack * (255 / network.signature.white)


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()


def _stored(
    name: str, known: Known, network: Network, data: bytes, report: Report | None, how: str, options: ImportOptions
) -> Imported:
    quality = {} if report is None else {"parity_levels": report.worst}
    card = Card(
        name=name,
        purpose=f"imported from {options.source or known.source}",
        date=_today(),
        licence=options.licence,
        paper=known.paper,
        recipe=how,
        networks={known.role: network},
        data=({"name": "not published with the weights", "source": known.source, "licence": options.licence},),
        quality=quality,
    )
    return Imported(store.install(card, {known.role: data}, overwrite=options.overwrite), report)
