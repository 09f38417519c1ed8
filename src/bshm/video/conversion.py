"""Convert a clip to one to three files: decode, matte and encode in separate threads, then check the files."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from bshm._version import __version__
from bshm.concurrency.ahead import ahead
from bshm.edit import composite
from bshm.errors import BshmError, CorrectionsError, InputError, OptionError, OutputExistsError, option
from bshm.files import corrections as files_of
from bshm.matting import correcting, foreground
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, Limits
from bshm.pipeline import Matting
from bshm.types import FloatArray, PixelArray
from bshm.video import codecs, numbered, outputs, parts, reading
from bshm.video.backgrounds import ClipBackground
from bshm.video.carrying import Carrier
from bshm.video.codecs import Packing, Product
from bshm.video.frames import Shown, shown
from bshm.video.library import av
from bshm.video.options import VideoOptions
from bshm.video.outputs import InOnePiece, Outputs, Segmented, Worked
from bshm.video.parts import Parts
from bshm.video.person import Follower, Memory, WhichPerson, parse_person
from bshm.video.result import Converted
from bshm.video.sequence import picture
from bshm.video.steady import AFTER, BEFORE

# Frames that wait between two stages; of 4K each takes 25 MB and an alpha of 33 MB.
_DEPTH = 2
# A time that was read off a player is rounded.
_CLOCK_TICKS = 0.5
# As `Matte.is_empty` counts.
_SOMEBODY_SHARE = 0.00002
# Rows of frames that a note lists; the result has all of them.
_MOST_TOLD = 8


@dataclass(frozen=True)
class Progress:
    """How far a clip is.

    Attributes:
        frames: how many are done.
        of: how many there are, as far as the file says; None where it does not.
        seconds: since the first one.
        kept: how many of them an earlier run had finished.
        saved: how many of them a later run would not make again, if this one were ended now.
        notes: what was found of an earlier run, before the first frame; they are in ``Converted.notes``, too.
        is_looking: no frame was made just now: one was looked at before, for what has to be known of it.
    """

    frames: int
    of: int | None
    seconds: float
    kept: int = 0
    saved: int = 0
    notes: tuple[str, ...] = ()
    is_looking: bool = False

    @property
    def left_s(self) -> float | None:
        """Seconds until the last frame, as the frames so far went; None where nobody knows."""
        made = self.frames - self.kept
        return None if self.of is None or not made else self.seconds / made * max(0, self.of - self.frames)


def convert(
    source: str | Path,
    output: str | Path | None = None,
    *,
    options: VideoOptions | None = None,
    matting: Matting | None = None,
    model: str = DEFAULT_MODEL,
    device: str = DEFAULT_DEVICE,
    progress: Callable[[Progress], None] | None = None,
    parts_folder: Path | None = None,
) -> Converted:
    """Make of one clip the clips that ``options`` ask for.

    What is finished is kept in a hidden folder beside the output until all of it is.  Called again after it was ended
    in the middle, with the same clip and options, it goes on from there; see ``bshm.video.parts``.

    Args:
        source: a file that FFmpeg reads, or numbered pictures, such as ``frames/%05d.png``, with ``options.fps``.
        output: the file to write; its suffix picks the container.  Of several products each gets its name before the
            suffix (``cut.alpha.mov``).  None writes ``NAME.cutout.mov`` beside the clip.
        options: what is written; see ``VideoOptions``.
        matting: the networks held open; None opens ``model`` on ``device``.
        progress: called after each frame, in this thread; once before the first where there is something to say of an
            earlier run; and for each frame that is looked at before any is made, see ``Progress.is_looking``.
        parts_folder: where finished segments are kept; None is the hidden folder beside the output.

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
    clip = _probed(source, options)
    for path, packing in planned.values():
        if packing.codec is None and any(
            picture(path.resolve(), n) in clip.pictures for n in range(len(clip.pictures))
        ):
            raise OutputExistsError(f"{path} would replace pictures of {source} itself. Choose another folder.")
    notes = _notes(clip, planned, options)
    matting = matting or Matting(model=model, device=device)
    started = time.perf_counter()
    told = progress or (lambda done: None)
    total = _expected(clip, options)

    def looking() -> None:
        told(Progress(0, total, time.perf_counter() - started, is_looking=True))

    carrier = _carrier(clip, matting, options, looking) if options.corrections else None
    with ExitStack() as stack:
        wanted = options.background or (codecs.TARGETS[options.target].background if options.target else None)
        wanted = wanted if "composite" in products else None
        made, found = _outputs(stack, clip, planned, options, matting, wanted, carrier, parts_folder)
        kept = count = made.saved
        if found:
            told(Progress(count, total, 0.0, kept, kept, tuple(found)))
        which = None if options.person is None else parse_person(options.person)
        for first, end in made.missing():
            with ExitStack() as gap:
                background = None
                if wanted is not None:
                    background = ClipBackground(wanted)
                    gap.callback(background.close)
                made.begin(first)
                follower = None
                if which is not None:
                    follower = _follower(which, made.memory(first), clip, matting, options, looking)
                making = _made(clip, matting, options, products, background, follower, carrier, first, end)
                for each in gap.enter_context(closing(ahead(making, depth=_DEPTH))):
                    made.write(each)
                    count += 1
                    told(Progress(count, total, time.perf_counter() - started, kept, made.saved))
                    del each
            made.end(count if end is None else None)
        finished = made.finish(overwrite=options.overwrite)
    card = matting.engine.card
    noted = finished.noted
    corrected = tuple((first, min(last, len(noted.pts) - 1)) for first, last in _reached(carrier, options))
    if corrected:
        count = sum(len(each.corrections) for each in options.corrections)
        found.append(
            f"{count} correction{'' if count == 1 else 's'} applied, in {_told(tuple(sorted(set(corrected))))}"
        )
    lost = _rows(noted.lost)
    if lost and not noted.empty:
        found.append(f"the person was not found in {_told(lost)}")
    return Converted(
        source=source,
        size_hw=clip.size_hw,
        frames=len(noted.pts),
        duration_s=float((noted.pts[-1] + max(1, noted.durations[-1])) * clip.time_base),
        outputs=MappingProxyType(finished.outputs),
        model=card.name,
        model_sha256=card.sha256,
        device=matting.engine.device.name,
        seconds=time.perf_counter() - started,
        copied=finished.copied,
        notes=(*notes, *found, *finished.notes),
        empty=noted.empty,
        lost=lost,
        corrected=corrected,
    )


def _carrier(clip: reading.Clip, matting: Matting, options: VideoOptions, looking: Callable[[], object]) -> Carrier:
    """What knows of each frame what was marked for it: the clip is looked at before, up to where the last mark ends."""
    carrier = Carrier(options.corrections, matting, name=clip.name, start_s=options.start_s)
    decoded = ahead(numbered.frames(clip, start_s=options.start_s, end_s=options.end_s), depth=_DEPTH)
    with closing(decoded):
        for frame in decoded:
            time_s, duration_s = (float(ticks * clip.time_base) for ticks in (frame.pts, frame.duration))
            carrier.push(frame.index, time_s, duration_s, frame.pixels)
            looking()
            if carrier.is_done:
                return carrier
    carrier.end()
    return carrier


def _reached(carrier: Carrier | None, options: VideoOptions) -> tuple[tuple[int, int], ...]:
    """Of each mark the first and the last frame that can be another one for it."""
    before, after = (BEFORE, AFTER) if options.steady else (0, 0)
    if carrier is None:
        return ()
    # A frame listens to so many later ones, and to so many earlier ones.
    return tuple((max(0, first - after), last + before) for first, last in carrier.reach)


def _probed(source: Path, options: VideoOptions) -> reading.Clip:
    if codecs.is_numbered(source):
        if options.fps is None:
            raise OptionError(f"numbered pictures ({source}) need {option('fps')}: how many are shown a second.")
        return numbered.probe(source, numbered.parse_rate(options.fps))
    if options.fps is not None:
        raise OptionError(f"{option('fps')} is for numbered pictures; {source} has times of its own. Drop it.")
    return reading.probe(source)


def _rows(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """The first and the last of each row of numbers that follow each other."""
    rows: list[tuple[int, int]] = []
    for number in numbers:
        if rows and rows[-1][1] == number - 1:
            rows[-1] = (rows[-1][0], number)
        else:
            rows.append((number, number))
    return tuple(rows)


def _told(rows: tuple[tuple[int, int], ...]) -> str:
    words = [str(first) if first == last else f"{first} to {last}" for first, last in rows[:_MOST_TOLD]]
    more = f" and {len(rows) - _MOST_TOLD} more rows" if len(rows) > _MOST_TOLD else ""
    return f"frame{'s' if len(rows) > 1 or rows[0][0] != rows[0][1] else ''} {', '.join(words)}{more}"


def _outputs(
    stack: ExitStack,
    clip: reading.Clip,
    planned: dict[Product, tuple[Path, Packing]],
    options: VideoOptions,
    matting: Matting,
    background: str | None,
    carrier: Carrier | None,
    parts_folder: Path | None,
) -> tuple[Outputs, list[str]]:
    """The files in the making, and what is to be said of what an earlier run has left of them."""
    sound = (options.start_s, options.end_s) if options.audio and (clip.audio or clip.subtitles) else None
    if not all(packing.codec is None or packing.codec.joins for _, packing in planned.values()):
        return stack.enter_context(InOnePiece(clip, planned, sound=sound)), []
    folder = parts_folder or parts.folder_of(next(iter(planned.values()))[0])
    reached = _reached(carrier, options)
    stamps = [] if carrier is None else carrier.stamps

    def marks(first: int, last: int) -> list[str]:
        return [
            stamp for stamp, (begins, ends) in zip(stamps, reached, strict=True) if begins <= last and ends >= first
        ]

    held = stack.enter_context(
        Parts(
            folder,
            _made_of(clip, planned, options, matting, background),
            outputs.files(folder, planned),
            marks,
            keep=options.keep_parts,
        )
    )
    made = stack.enter_context(Segmented(held, clip, planned, sound=sound, overwrite=options.overwrite))
    return made, held.notes


def _made_of(
    clip: reading.Clip,
    planned: dict[Product, tuple[Path, Packing]],
    options: VideoOptions,
    matting: Matting,
    background: str | None,
) -> dict[str, Any]:
    """All that a frame of the output depends on, by names that users know."""
    card = matting.engine.card
    # Sound comes at the end, corrections are those of each segment, and the others say what may be, not what is.
    aside = ("audio", "corrections", "fewer_bits", "keep_parts", "overwrite")
    given = {each.name: getattr(options, each.name) for each in fields(options) if each.name not in aside}
    is_file = background is not None and Path(background).is_file()
    return given | {
        "clip": numbered.stamp(clip),
        # What is in a file counts, wherever it lies.
        "background": None if is_file else background,
        "background's file": parts.stamp(Path(background)) if background and is_file else None,
        "output": {
            product: [packing.format, packing.codec and packing.codec.name] for product, (_, packing) in planned.items()
        },
        "model": [card.name, card.sha256],
        "device": matting.engine.device.name,
        "segments": parts.SEGMENT_FRAMES,
        "versions": {
            "bshm": __version__,
            "av": av.__version__,
            **{name: list(each) for name, each in av.library_versions.items()},
        },
    }


def _made(
    clip: reading.Clip,
    matting: Matting,
    options: VideoOptions,
    products: tuple[Product, ...],
    background: ClipBackground | None,
    follower: Follower | None,
    carrier: Carrier | None,
    first: int,
    end: int | None,
) -> Iterator[Worked]:
    """The frames of a gap, as they would be had all others been made before them."""
    before, after = (BEFORE, AFTER) if options.steady else (0, 0)
    decoded = ahead(
        numbered.frames(
            clip,
            start_s=options.start_s,
            end_s=options.end_s,
            first=max(0, first - before),
            until=None if end is None else end + after,
        ),
        depth=_DEPTH,
    )
    found = shown(
        decoded, matting, steady=options.steady, follower=follower, carrier=carrier, first=max(0, first - before)
    )
    return _worked(decoded, found, clip, options, products, background, first, end)


def _follower(
    which: WhichPerson,
    memory: bytes | None,
    clip: reading.Clip,
    matting: Matting,
    options: VideoOptions,
    looking: Callable[[], object],
) -> Follower:
    """Who follows the one person from the first frame of a gap on."""
    if memory is not None:
        return Follower(which, Memory.unpacked(memory))
    if which.time_s is None:
        return Follower(which)
    # Somebody who is pointed at later has a name only then: until there the clip is looked at once before.
    before = Follower(which)
    until = (which.time_s - options.start_s) / float(clip.time_base) + _CLOCK_TICKS
    frames = numbered.frames(clip, start_s=options.start_s, end_s=options.end_s)
    earlier = itertools.takewhile(lambda frame: frame.pts <= until, frames)
    with closing(frames), closing(shown(earlier, matting, steady=False, follower=before)) as seen:
        for _ in seen:
            looking()
    return Follower(which, wanted=before.name_at(clip.size_hw))


def saved(source: str | Path, output: str | Path | None, options: VideoOptions) -> int:
    """How many finished frames are kept of a run with these arguments that was ended before it was done."""
    first, _ = next(iter(plan(Path(source), output, options).values()))
    return parts.finished(parts.folder_of(first))


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
            path = source.with_name(f"{codecs.title(source)}.{product}{suffix}")
        else:
            path = Path(output)
            if target is not None and (not path.suffix or len(products) > 1):
                path = path.with_suffix(suffix)
            if len(products) > 1:
                name = f"{path.stem}.{product}" if not codecs.is_sequence(path) else f"{product}.{path.stem}"
                path = path.with_name(f"{name}{path.suffix}")
        planned[product] = (path, codecs.packing(path, product, codec))
    return planned


def check(source: Path, output: str | Path | None, options: VideoOptions, *, trimaps: Limits | None = None) -> None:
    """See that a clip can be made into what is asked for, before a network is opened; its first frame is decoded.

    Args:
        source, output, options: as for ``convert``.
        trimaps: what the pictures in corrections may cost.

    Raises:
        CorrectionsError: corrections are of another shape than the clip, or hold a picture that cannot be used.
        OptionError, InputError: as ``convert`` would.
    """
    clip = reading.probe(source)
    _notes(clip, plan(source, output, options), options)
    for each in options.corrections:
        try:
            trimap = files_of.opened_trimap(each.corrections, trimaps or Limits())
        except InputError as error:
            raise CorrectionsError(f"the corrections at {each.when}: {error}") from error
        correcting.check_shape(each.corrections, clip.size_hw, clip.name)
        correcting.check_trimap(trimap, clip.size_hw, clip.name)


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


def _worked(
    decoded: Generator[reading.Frame, None, None],
    shown_frames: Generator[Shown[reading.Frame], None, None],
    clip: reading.Clip,
    options: VideoOptions,
    products: tuple[Product, ...],
    background: ClipBackground | None,
    first: int,
    end: int | None,
) -> Iterator[Worked]:
    colours = options.decontaminate and set(products) != {"alpha"}
    number = first
    with closing(decoded), closing(shown_frames) as mattes:
        while True:
            try:
                found = next(mattes, None)
                if found is None or (end is not None and found.frame.index >= end):
                    return
                if found.frame.index < first:  # what the others remember
                    continue
                number = found.frame.index
                yield _pictures(found, clip, colours, products, background, options.steady)
            except BshmError:
                raise
            except MemoryError:
                raise
            except Exception as error:
                # A fault in bshm: whoever reports it should be able to say where.
                error.args = (f"{clip.name}, near frame {number}: {error}",)
                raise


def _pictures(
    found: Shown[reading.Frame],
    clip: reading.Clip,
    colours: bool,
    products: tuple[Product, ...],
    background: ClipBackground | None,
    steady: bool,
) -> Worked:
    frame, alpha = found.frame, found.alpha
    # Of this frame a segment that begins later needs it, which looks at so many before its own first.
    is_needed = (frame.index + 1 + (BEFORE if steady else 0)) % parts.SEGMENT_FRAMES == 0
    memory = found.memory.packed() if found.memory is not None and is_needed else None
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
    somebody = bool((alpha > 0.5).mean() >= _SOMEBODY_SHARE)
    return Worked(frame.index, frame.pts, frame.duration, somebody, pictures, found.there, memory)


def _hidden(colour: PixelArray, alpha: FloatArray) -> PixelArray:
    result: Any = np.ascontiguousarray(composite.cutout(colour, alpha)[..., :3])
    shown: PixelArray = result
    return shown
