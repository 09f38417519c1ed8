"""The files that are made of one clip: in segments that a later run can go on from, or, where they cannot be joined,
each in one piece."""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bshm.errors import OutputError
from bshm.files import sink
from bshm.types import FloatArray, PixelArray
from bshm.video import checking, joining, parts
from bshm.video.codecs import Packing, Product
from bshm.video.joining import Times
from bshm.video.parts import Parts, Segment
from bshm.video.reading import Clip
from bshm.video.result import Written
from bshm.video.sequence import SequenceWriter, picture
from bshm.video.writing import Writer

Plan = Mapping[Product, tuple[Path, Packing]]


@dataclass(frozen=True)
class Worked:
    """One frame, ready to be written.

    Attributes:
        index: 0 for the first of the clip, or of the part that was asked for.
        pts, duration: as of ``reading.Frame``.
        somebody: whether a person is in it.
        pictures: by product its colour, and its alpha where it has one.
        there: whether the person who is followed, where one is, was found in it.
        memory: what a later segment begins with, in the frame that it needs it of.
    """

    index: int
    pts: int
    duration: int
    somebody: bool
    pictures: Mapping[Product, tuple[PixelArray, FloatArray | None]]
    there: bool = True
    memory: bytes | None = None


@dataclass
class Noted:
    """What is remembered of frames that were written, in little room.

    Attributes:
        pts, durations: of each, in ticks.
        products: how each product has to read back.
        lost: the indices of those in which the person who is followed was not found.
        memory: what the next segment begins with.
        empty: nobody was in any of them.
    """

    pts: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    products: dict[Product, checking.Notes] = field(default_factory=dict)
    lost: array[int] = field(default_factory=lambda: array("q"))
    memory: bytes | None = None
    empty: bool = True

    def add(self, frame: Worked) -> None:
        """One more frame; what it has of each product is added to ``products`` by who wrote it."""
        self.pts.append(frame.pts)
        self.durations.append(frame.duration)
        self.empty = self.empty and not frame.somebody
        self.memory = frame.memory or self.memory
        if not frame.there:
            self.lost.append(frame.index)

    def extend(self, later: Noted) -> None:
        """Add what is remembered of the frames that come next."""
        self.pts.extend(later.pts)
        self.durations.extend(later.durations)
        self.lost.extend(later.lost)
        self.empty = self.empty and later.empty
        for product, notes in later.products.items():
            self.products.setdefault(product, checking.Notes()).extend(notes)

    def packed(self) -> bytes:
        """The same as bytes."""
        arrays: dict[str, Any] = {
            "pts": np.array(self.pts),
            "durations": np.array(self.durations),
            "lost": np.array(self.lost),
            "memory": np.frombuffer(self.memory or b"", np.uint8),
        }
        for product, notes in self.products.items():
            arrays |= {f"{product}.{name}": values for name, values in notes.packed().items()}
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    @classmethod
    def unpacked(cls, data: bytes, products: Iterable[Product], *, empty: bool) -> Noted:
        """What ``packed`` gave."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in arrays.files}
        pts, durations, lost = (array("q", held[name].tolist()) for name in ("pts", "durations", "lost"))
        noted = cls(pts, durations, lost=lost, memory=held["memory"].tobytes() or None, empty=empty)
        for product in products:
            own = {
                name.removeprefix(f"{product}."): values
                for name, values in held.items()
                if name.startswith(f"{product}.")
            }
            noted.products[product] = checking.Notes.unpacked(own)
        return noted


class Outputs(Protocol):
    """The files in the making."""

    def missing(self) -> list[tuple[int, int | None]]:
        """The frames that have to be made: from each first one up to, and without, each second; None is the end."""
        ...

    def begin(self, first: int) -> None:
        """Open what the frames from ``first`` on go into: mistakes are told before the first one is made."""
        ...

    def memory(self, first: int) -> bytes | None:
        """What the frames from ``first`` on begin with, as ``Worked.memory`` said it of an earlier one."""
        ...

    def write(self, frame: Worked) -> None:
        """The next frame."""
        ...

    def end(self, total: int | None) -> None:
        """The last frame before a gap's end was written; ``total`` is how many the clip has, where that was its end."""
        ...

    def finish(self, *, overwrite: bool) -> Finished:
        """Read all files back, and only then give each its name."""
        ...

    @property
    def saved(self) -> int:
        """How many frames a run after this one would not have to make again."""
        ...


@dataclass(frozen=True)
class Finished:
    """What became of the files.

    Attributes:
        outputs: by product.
        noted: of all frames.
        copied: codecs of the audio and subtitles that were copied.
        notes: what was left out.
    """

    outputs: dict[str, Written]
    noted: Noted
    copied: tuple[str, ...]
    notes: tuple[str, ...]


class Segmented:
    """Files that are made in segments and joined at the end."""

    def __init__(
        self,
        held: Parts,
        clip: Clip,
        planned: Plan,
        *,
        sound: tuple[float, float | None] | None,
        overwrite: bool,
    ) -> None:
        """Go on from what ``held`` has.

        Raises:
            OutputExistsError: numbered pictures are there already, are not those of ``held``, and ``overwrite`` is
                off.
        """
        self._parts = held
        self._clip = clip
        self._planned = planned
        self._sound = sound
        self._overwrite = overwrite
        self._stack = ExitStack()
        self._index = 0
        self._is_open = False
        self._writers: dict[Product, Writer] = {}
        self._sequences: dict[Product, SequenceWriter] = {}
        self._noted = Noted()

    @property
    def saved(self) -> int:
        return self._parts.frames

    def missing(self) -> list[tuple[int, int | None]]:
        return self._parts.missing()

    def begin(self, first: int) -> None:
        self._index, off = divmod(first, parts.SEGMENT_FRAMES)
        if off:
            raise ValueError(f"a segment begins at a multiple of {parts.SEGMENT_FRAMES}; got {first}")
        self._open()

    def memory(self, first: int) -> bytes | None:
        if not first:
            return None
        return self._noted_of(self._parts.segments[first // parts.SEGMENT_FRAMES - 1]).memory

    def write(self, frame: Worked) -> None:
        if not self._is_open:
            self._open()
        for product, (pixels, alpha) in frame.pictures.items():
            if product in self._sequences:
                self._sequences[product].write(pixels, alpha)
                continue
            levels = self._writers[product].write(pixels, alpha, frame.pts, frame.duration)
            self._noted.products[product].add(float(frame.pts * self._clip.time_base), levels)
        self._noted.add(frame)
        if len(self._noted.pts) == parts.SEGMENT_FRAMES:
            self._close()
            self._index += 1

    def end(self, total: int | None) -> None:
        if self._noted.pts:
            self._close()
        self._stack.close()
        if total is not None:
            self._parts.ended(total)

    def finish(self, *, overwrite: bool) -> Finished:
        noted, segments = Noted(), [self._parts.segments[index] for index in sorted(self._parts.segments)]
        for segment in segments:
            noted.extend(self._noted_of(segment))
        copied: list[str] = []
        notes: list[str] = []
        found: dict[str, Written] = {}
        whole: dict[Product, Path] = {}
        for product, (path, packing) in self._planned.items():
            if packing.codec is None:
                found[product] = Written(product, path, path.suffix[1:].lower(), len(noted.pts), 0.0, None)
                if self._sound is not None:
                    notes.append(f"{product}: pictures have no sound")
                continue
            whole[product] = self._parts.folder / f"{product}.whole"
            late = max(segment.late[product] for segment in segments)
            also, left_out = joining.join(
                [(self._piece(product, segment.index), segment.frames) for segment in segments],
                whole[product],
                path,
                packing,
                self._clip,
                Times(noted.pts, noted.durations, late),
                copies=self._sound,
            )
            copied += [each for each in also if each not in copied]
            notes += [f"{product}: left out {each}" for each in left_out]
            try:
                found[product] = checking.check(whole[product], path, product, packing, noted.products[product])
            except OutputError:
                self._parts.remove()  # another run would only join the same
                raise
        for product, temporary in whole.items():
            self._planned[product][0].parent.mkdir(parents=True, exist_ok=True)
            sink.publish(temporary, self._planned[product][0], overwrite=overwrite)
        self._parts.done()
        return Finished({product: found[product] for product in self._planned}, noted, tuple(copied), tuple(notes))

    def __enter__(self) -> Segmented:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _noted_of(self, segment: Segment) -> Noted:
        packed = self._parts.notes_path(segment.index).read_bytes()
        products = [product for product, (_, packing) in self._planned.items() if packing.codec is not None]
        return Noted.unpacked(packed, products, empty=segment.empty)

    def _piece(self, product: Product, index: int) -> Path:
        (path,) = files(self._parts.folder, self._planned)(product, index, 0)
        return path

    def _open(self) -> None:
        self._writers, self._sequences, self._noted = {}, {}, Noted()
        ours = self._overwrite or self._index in self._parts.begun
        for product, (path, packing) in self._planned.items():
            if packing.codec is None:
                first = self._index * parts.SEGMENT_FRAMES
                self._sequences[product] = SequenceWriter(path, first=first, overwrite=ours)
                continue
            piece = self._piece(product, self._index)
            self._writers[product] = self._stack.enter_context(Writer(piece, packing, self._clip, copies=None))
            self._noted.products[product] = checking.Notes()
        self._parts.begin(self._index)
        self._is_open = True

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.finish()
        for writer in self._writers.values():
            writer.publish(overwrite=True)
        self._stack.close()
        self._parts.write_notes(self._index, self._noted.packed())
        late: dict[str, int] = dict.fromkeys(self._planned, 0)
        late.update({product: writer.late for product, writer in self._writers.items()})
        self._parts.add(self._index, len(self._noted.pts), late=late, empty=self._noted.empty)
        self._noted, self._is_open = Noted(), False


def files(folder: Path, planned: Plan) -> Callable[[str, int, int], list[Path]]:
    """Where the pieces of a product are, for ``Parts``."""

    def of(product: str, index: int, frames: int) -> list[Path]:
        path, packing = {str(name): value for name, value in planned.items()}[product]
        if packing.codec is None:
            first = index * parts.SEGMENT_FRAMES
            return [picture(path, number) for number in range(first, first + frames)]
        return [folder / f"{index:05d}.{product}"]

    return of


class InOnePiece:
    """Files of which no segments can be joined: GIF, APNG, WebP."""

    saved = 0

    def __init__(self, clip: Clip, planned: Plan, *, sound: tuple[float, float | None] | None) -> None:
        """Open nothing yet."""
        self._clip = clip
        self._planned = planned
        self._sound = sound
        self._stack = ExitStack()
        self._writers: dict[Product, Writer] = {}
        self._noted = Noted()

    def missing(self) -> list[tuple[int, int | None]]:
        return [(0, None)]

    def memory(self, first: int) -> bytes | None:
        return None

    def begin(self, first: int) -> None:
        for product, (path, packing) in self._planned.items():
            self._writers[product] = self._stack.enter_context(Writer(path, packing, self._clip, copies=self._sound))
            self._noted.products[product] = checking.Notes()

    def write(self, frame: Worked) -> None:
        for product, (pixels, alpha) in frame.pictures.items():
            levels = self._writers[product].write(pixels, alpha, frame.pts, frame.duration)
            self._noted.products[product].add(float(frame.pts * self._clip.time_base), levels)
        self._noted.add(frame)

    def end(self, total: int | None) -> None:
        """Nothing: ``finish`` ends the files."""

    def finish(self, *, overwrite: bool) -> Finished:
        found: dict[str, Written] = {}
        copied: list[str] = []
        notes: list[str] = []
        for product, writer in self._writers.items():
            writer.finish()
            path, packing = self._planned[product]
            found[product] = checking.check(writer.temporary, path, product, packing, self._noted.products[product])
            copied += [each for each in writer.copied if each not in copied]
            notes += [f"{product}: left out {each}" for each in writer.left_out]
        for writer in self._writers.values():
            writer.publish(overwrite=overwrite)
        return Finished(found, self._noted, tuple(copied), tuple(notes))

    def __enter__(self) -> InOnePiece:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
