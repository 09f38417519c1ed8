"""Convert a clip to one to three files: decode, matte and encode in separate threads, then check the files."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from bshm.concurrency.ahead import ahead
from bshm.edit import composite
from bshm.errors import BshmError, OptionError, OutputExistsError, option
from bshm.matting import foreground
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL
from bshm.pipeline import Matting
from bshm.types import FloatArray, PixelArray
from bshm.video import checking, codecs, reading
from bshm.video.backgrounds import ClipBackground
from bshm.video.codecs import Packing, Product
from bshm.video.frames import Shown, shown
from bshm.video.options import VideoOptions
from bshm.video.result import Converted, Written
from bshm.video.sequence import SequenceWriter
from bshm.video.writing import Writer

# Frames that wait between two stages; of 4K each takes 25 MB and an alpha of 33 MB.
_DEPTH = 2
# As `Matte.is_empty` counts.
_SOMEBODY_SHARE = 0.00002


@dataclass(frozen=True)
class Progress:
    """How far a clip is.

    Attributes:
        frames: how many are done.
        of: how many there are, as far as the file says; None where it does not.
        seconds: since the first one.
    """

    frames: int
    of: int | None
    seconds: float

    @property
    def left_s(self) -> float | None:
        """Seconds until the last frame, as the frames so far went; None where nobody knows."""
        return (
            None if self.of is None or not self.frames else self.seconds / self.frames * max(0, self.of - self.frames)
        )


def convert(
    source: str | Path,
    output: str | Path | None = None,
    *,
    options: VideoOptions | None = None,
    matting: Matting | None = None,
    model: str = DEFAULT_MODEL,
    device: str = DEFAULT_DEVICE,
    progress: Callable[[Progress], None] | None = None,
) -> Converted:
    """Make of one clip the clips that ``options`` ask for.

    Args:
        source: a file that FFmpeg reads.
        output: the file to write; its suffix picks the container.  Of several products each gets its name before the
            suffix (``cut.alpha.mov``).  None writes ``NAME.cutout.mov`` beside the clip.
        options: what is written; see ``VideoOptions``.
        matting: the networks held open; None opens ``model`` on ``device``.
        progress: called after each frame, in this thread.

    Returns:
        what was written, after it was read back.

    Raises:
        OptionError: the output cannot hold what is asked for.
        InputError, EnvironmentFault: see ``bshm.errors``.  No file has its name then that was not whole.
    """
    options = options or VideoOptions()
    source = Path(source)
    products = _products(options)
    planned = plan(source, output, options, products)
    for path, _ in planned.values():
        if not codecs.is_sequence(path) and path.exists() and not options.overwrite:
            raise OutputExistsError(f"{path} already exists. Add {option('overwrite')}, or choose another name.")
        if path.exists() and source.exists() and path.samefile(source):
            raise OutputExistsError(f"the result would replace the clip {source} itself. Choose another name.")
    clip = reading.probe(source)
    notes = _notes(clip, planned, options)
    matting = matting or Matting(model=model, device=device)
    started = time.perf_counter()
    with ExitStack() as stack:
        made = _Outputs(stack, clip, planned, options)
        wanted = options.background or (codecs.TARGETS[options.target].background if options.target else None)
        background = None
        if "composite" in products and wanted is not None:
            background = ClipBackground(wanted)
            stack.callback(background.close)
        count, empty, ends = 0, True, 0
        total = _expected(clip, options)
        decoded = ahead(reading.frames(clip, start_s=options.start_s, end_s=options.end_s), depth=_DEPTH)
        with closing(ahead(_worked(decoded, matting, clip, options, products, background), depth=_DEPTH)) as worked:
            for each in worked:
                made.write(each)
                count += 1
                empty = empty and not each.somebody
                ends = each.pts + max(1, each.duration)
                if progress is not None:
                    progress(Progress(count, total, time.perf_counter() - started))
                del each
        outputs = made.finish(overwrite=options.overwrite)
    card = matting.engine.card
    return Converted(
        source=source,
        size_hw=clip.size_hw,
        frames=count,
        duration_s=float(ends * clip.time_base),
        outputs=MappingProxyType(outputs),
        model=card.name,
        model_sha256=card.sha256,
        device=matting.engine.device.name,
        seconds=time.perf_counter() - started,
        copied=made.copied,
        notes=(*notes, *made.notes),
        empty=empty,
    )


def plan(
    source: Path, output: str | Path | None, options: VideoOptions, products: tuple[Product, ...] | None = None
) -> dict[Product, tuple[Path, Packing]]:
    """Where each product goes, and how it is packed; nothing is opened.

    Raises:
        OptionError: see ``codecs.packing``.
    """
    products = products or _products(options)
    target = codecs.TARGETS[options.target] if options.target else None
    planned: dict[Product, tuple[Path, Packing]] = {}
    for product in products:
        clear = product == "cutout"
        codec = options.codec
        if target is not None and codec is None:
            codec = target.codec if clear else target.opaque_codec
        suffix = ".mov" if clear else ".mp4"
        if target is not None:
            suffix = target.suffix if clear else target.opaque_suffix
        elif codec is not None:
            suffix = codecs.CODECS[codec].suffixes[0]
        if output is None:
            path = source.with_name(f"{source.stem}.{product}{suffix}")
        else:
            path = Path(output)
            if target is not None and (not path.suffix or len(products) > 1):
                path = path.with_suffix(suffix)
            if len(products) > 1:
                name = f"{path.stem}.{product}" if not codecs.is_sequence(path) else f"{product}.{path.stem}"
                path = path.with_name(f"{name}{path.suffix}")
        planned[product] = (path, codecs.packing(path, product, codec))
    return planned


def _products(options: VideoOptions) -> tuple[Product, ...]:
    if options.products:
        return options.products
    keyed = options.target is not None and codecs.TARGETS[options.target].background is not None
    return ("composite",) if options.background is not None or keyed else ("cutout",)


def _notes(clip: reading.Clip, planned: dict[Product, tuple[Path, Packing]], options: VideoOptions) -> list[str]:
    notes = []
    if clip.interlaced:
        notes.append("the clip is interlaced: two fields are taken for one picture, and what moves has combed edges")
    if clip.has_alpha:
        notes.append("the clip's own transparency is not looked at")
    for product, (path, packing) in planned.items():
        if packing.codec is None:
            bits = 16 if path.suffix.lower() in (".png", ".tif", ".tiff") else 8
        else:
            bits = packing.codec.bits
        if clip.bits > bits:
            if not options.fewer_bits:
                able = ", ".join(each.name for each in codecs.CODECS.values() if each.bits >= clip.bits)
                raise OptionError(
                    f"{clip.name} has {clip.bits} bits per colour, but {path.name} would hold {bits}. Use "
                    f"{able}, or add {option('fewer_bits')}."
                )
            notes.append(f"{product}: {clip.bits} bits per colour became {bits}")
        if packing.codec is not None and packing.codec.even and (clip.size_hw[0] % 2 or clip.size_hw[1] % 2):
            notes.append(f"{product}: {packing.codec.name} needs even sides, so the last row or column is there twice")
    return notes


def _expected(clip: reading.Clip, options: VideoOptions) -> int | None:
    if clip.duration_s is None or clip.rate is None:
        return clip.frames if not options.start_s and options.end_s is None else None
    until = min(clip.duration_s, options.end_s or clip.duration_s)
    share = max(0.0, until - options.start_s) / clip.duration_s if clip.duration_s else 0.0
    return round((clip.frames or clip.duration_s * float(clip.rate)) * share)


@dataclass(frozen=True)
class _Worked:
    """One frame, ready to be written: by product its colour, and its alpha where it has one."""

    pts: int
    duration: int
    somebody: bool
    pictures: dict[Product, tuple[PixelArray, FloatArray | None]]


def _worked(
    decoded: Generator[reading.Frame, None, None],
    matting: Matting,
    clip: reading.Clip,
    options: VideoOptions,
    products: tuple[Product, ...],
    background: ClipBackground | None,
) -> Iterator[_Worked]:
    colours = options.decontaminate and set(products) != {"alpha"}
    number = 0
    with closing(decoded), closing(shown(decoded, matting, steady=options.steady)) as mattes:
        while True:
            try:
                found = next(mattes, None)
                if found is None:
                    return
                yield _pictures(found, clip, colours, products, background)
            except BshmError:
                raise
            except MemoryError:
                raise
            except Exception as error:
                # A fault in bshm: whoever reports it should be able to say where.
                error.args = (f"{clip.name}, near frame {number}: {error}",)
                raise
            number += 1


def _pictures(
    found: Shown[reading.Frame],
    clip: reading.Clip,
    colours: bool,
    products: tuple[Product, ...],
    background: ClipBackground | None,
) -> _Worked:
    frame, alpha = found.frame, found.alpha
    colour = foreground.estimate(frame.pixels, alpha) if colours else frame.pixels
    pictures: dict[Product, tuple[PixelArray, FloatArray | None]] = {}
    for product in products:
        if product == "cutout":
            # Nobody sees what lies under full transparency; it would give the old background away, and cost bytes.
            pictures[product] = (_hidden(colour, alpha), alpha)
        elif product == "foreground":
            pictures[product] = (_hidden(colour, alpha), None)
        elif product == "alpha":
            levels = composite.levels(alpha, frame.pixels.dtype)
            grey: Any = np.repeat(levels[..., None], 3, axis=2)
            pictures[product] = (grey, None)
        elif background is not None:
            behind = background.behind(frame.pixels, alpha, float(frame.pts * clip.time_base))
            pictures[product] = (composite.over(colour, alpha, behind), None)
    return _Worked(frame.pts, frame.duration, bool((alpha > 0.5).mean() >= _SOMEBODY_SHARE), pictures)


def _hidden(colour: PixelArray, alpha: FloatArray) -> PixelArray:
    result: Any = np.ascontiguousarray(composite.cutout(colour, alpha)[..., :3])
    shown: PixelArray = result
    return shown


class _Outputs:
    """The files in the making."""

    def __init__(
        self,
        stack: ExitStack,
        clip: reading.Clip,
        planned: dict[Product, tuple[Path, Packing]],
        options: VideoOptions,
    ) -> None:
        self._clip = clip
        self._planned = planned
        self._writers: dict[Product, Writer] = {}
        self._sequences: dict[Product, SequenceWriter] = {}
        self._written: dict[Product, checking.Notes] = {}
        self.notes: list[str] = []
        copied: list[str] = []
        sound = (options.start_s, options.end_s) if options.audio and (clip.audio or clip.subtitles) else None
        for product, (path, packing) in planned.items():
            if packing.codec is None:
                self._sequences[product] = SequenceWriter(path, product, overwrite=options.overwrite)
                if sound is not None:
                    self.notes.append(f"{product}: pictures have no sound")
                continue
            writer = stack.enter_context(Writer(path, packing, clip, copies=sound))
            copied += [each for each in writer.copied if each not in copied]
            self.notes += [f"{product}: left out {each}" for each in writer.left_out]
            self._writers[product] = writer
            self._written[product] = checking.Notes()
        self.copied = tuple(copied)

    def write(self, frame: _Worked) -> None:
        for product, (pixels, alpha) in frame.pictures.items():
            if product in self._sequences:
                self._sequences[product].write(pixels, alpha)
                continue
            levels = self._writers[product].write(pixels, alpha, frame.pts, frame.duration)
            self._written[product].add(float(frame.pts * self._clip.time_base), levels)

    def finish(self, *, overwrite: bool) -> dict[str, Written]:
        """Read all of them back, and only then give each its name."""
        found: dict[str, Written] = {}
        for product, writer in self._writers.items():
            writer.finish()
            path, packing = self._planned[product]
            found[product] = checking.check(writer.temporary, path, product, packing, self._written[product])
        for writer in self._writers.values():
            writer.publish(overwrite=overwrite)
        for product, sequence in self._sequences.items():
            found[product] = sequence.written()
        return {product: found[product] for product in self._planned}
