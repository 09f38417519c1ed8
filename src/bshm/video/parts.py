"""What is finished of a clip, kept beside the output until all of it is: segments, and a journal that says what they
are made of.

A segment is so many frames of every product, each written whole.  The journal has the length and the checksum of each,
so a run that was ended in the middle, by kill -9 too, is gone on with from the last whole one, and a segment that was
damaged meanwhile is made again.  Which segments are missing is all that the making of a clip asks: what removes some
from the journal has them made again, and no others.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from bshm.errors import OutputError
from bshm.files import sink
from bshm.files.locking import try_lock

# So far lie the key frames of x264 apart anyway: segments cost nothing.  A fast network makes them in 8 s, a slow one
# in a minute.
SEGMENT_FRAMES = 250
# Compared at both ends of a file, whose length and time of change are compared as well.
_ENDS_BYTES = 1 << 20
JOURNAL = "journal.json"
_LOCK, _NOTES = "lock", "notes"
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Piece:
    """The files of one product in one segment.

    Attributes:
        bytes: how long they are together.
        sha256: of their bytes, one after the other.
    """

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Segment:
    """One that is finished.

    Attributes:
        index: its first frame is ``index * SEGMENT_FRAMES``.
        frames: how many it has; fewer in the last one alone.
        pieces: by product, and of the notes.
        late: by product, how many packets at most come before one that is shown earlier; see ``joining``.
        empty: nobody was found in any of its frames.
        marks: what tells the corrections that reach it from others; it depends on these, and on no others.
    """

    index: int
    frames: int
    pieces: Mapping[str, Piece]
    late: Mapping[str, int] = field(default_factory=dict)
    empty: bool = False
    marks: tuple[str, ...] = ()


class Parts:
    """The segments of one output, and its journal; nobody else can have them at the same time.

    Leaving the context keeps what is finished, and leaves no folder where nothing is.
    """

    def __init__(
        self,
        folder: Path,
        made_of: Mapping[str, Any],
        files: Callable[[str, int, int], Iterable[Path]],
        marks: Callable[[int, int], Iterable[str]] = lambda first, last: (),
        *,
        keep: bool = False,
    ) -> None:
        """Look at what an earlier run has left in ``folder``.

        Args:
            folder: of their own.
            made_of: all that they depend on, by a name that users know; parts of anything else are thrown away.
            files: those of a product (or of the notes) in a segment, by its index and how many frames it has.
            marks: of the corrections that reach the frames from a first one to a last one.
            keep: leave all of it there when the output is done.

        Raises:
            OutputError: another run has them, or the folder cannot be made.
        """
        self.folder = folder
        self.notes: list[str] = []
        self.segments: dict[int, Segment] = {}
        self.begun: set[int] = set()
        self.total: int | None = None
        self._made_of = json.loads(json.dumps(made_of))
        self._files = files
        self._marks = marks
        self._keep = keep
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._lock: int | None = os.open(folder / _LOCK, flags, 0o666)
        except OSError as error:
            raise sink.explained(error, str(folder)) from error
        try:
            try:
                is_ours = try_lock(self._lock)
            except OSError:  # a file system without locks: two runs at once are the user's to avoid
                is_ours = True
            if not is_ours:
                raise OutputError(
                    f"another run is making what {folder} is for. Wait for it, end it, or choose another output."
                )
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def frames(self) -> int:
        """How many are finished."""
        return sum(segment.frames for segment in self.segments.values())

    def missing(self) -> list[tuple[int, int | None]]:
        """The frames that have to be made: from each first one up to, and without, each second; None is the end."""
        count = max([*self.segments, -1]) + 1 if self.total is None else -(-self.total // SEGMENT_FRAMES)
        gaps: list[tuple[int, int | None]] = []
        for index in range(count):
            if index in self.segments:
                continue
            first = index * SEGMENT_FRAMES
            end = first + SEGMENT_FRAMES if self.total is None else min(first + SEGMENT_FRAMES, self.total)
            if gaps and gaps[-1][1] == first:
                gaps[-1] = (gaps[-1][0], end)
            else:
                gaps.append((first, end))
        if self.total is None:
            first = count * SEGMENT_FRAMES
            if gaps and gaps[-1][1] == first:
                gaps[-1] = (gaps[-1][0], None)
            else:
                gaps.append((first, None))
        return gaps

    def begin(self, index: int) -> None:
        """Say that a segment is being made: what lies where its pictures go is this run's own."""
        if index not in self.begun:
            self.begun.add(index)
            self._save()

    def write_notes(self, index: int, data: bytes) -> None:
        """Keep the notes of a segment."""
        sink.write(data, self.notes_path(index), overwrite=True)

    def notes_path(self, index: int) -> Path:
        """Where the notes of a segment are."""
        return self.folder / f"{index:05d}.{_NOTES}"

    def add(self, index: int, frames: int, *, late: Mapping[str, int], empty: bool) -> None:
        """Write into the journal that a segment is whole."""
        pieces = {product: _piece(self._of(product, index, frames)) for product in (*late, _NOTES)}
        self.segments[index] = Segment(index, frames, pieces, late, empty, self._marks_of(index, frames))
        self._save()

    def ended(self, total: int) -> None:
        """Write into the journal how many frames there are: the last one was made."""
        if self.total != total:
            self.total = total
            self._save()

    def done(self) -> None:
        """The output has its name: throw everything away, unless it is to be kept."""
        if not self._keep:
            self.remove()

    def remove(self) -> None:
        """Throw everything away."""
        self._let_go()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.segments:
            self.remove()
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _of(self, product: str, index: int, frames: int) -> Iterable[Path]:
        return [self.notes_path(index)] if product == _NOTES else self._files(product, index, frames)

    def _open(self) -> None:
        found = self._read()
        other = 0
        for index, segment in sorted(found.items()):
            if segment.marks != self._marks_of(index, segment.frames):
                other += segment.frames
                continue
            try:
                whole = all(
                    _piece(self._of(product, index, segment.frames)) == piece
                    for product, piece in segment.pieces.items()
                )
            except OSError:
                whole = False
            if whole:
                self.segments[index] = segment
            else:
                self.notes.append(f"frames {self._span(segment)} of an earlier run were damaged and are made again")
        if other:
            self.notes.append(f"{other} finished frames are made again, because other corrections reach them")
        if self.segments:
            self.notes.append(f"went on from an earlier run, which had finished {self.frames} frames")
        known = {path for each in self.segments.values() for name in each.pieces for path in self._of_all(each, name)}
        for path in self.folder.iterdir():
            if path not in known and path.name not in (_LOCK, JOURNAL):
                with contextlib.suppress(OSError):  # what a run that was killed has left half done
                    path.unlink()

    def _marks_of(self, index: int, frames: int) -> tuple[str, ...]:
        first = index * SEGMENT_FRAMES
        return tuple(self._marks(first, first + frames - 1))

    def _of_all(self, segment: Segment, product: str) -> Iterable[Path]:
        return self._of(product, segment.index, segment.frames)

    def _read(self) -> dict[int, Segment]:
        try:
            journal = json.loads((self.folder / JOURNAL).read_bytes())
            before = journal["made_of"]
            found = {each["index"]: _segment(each) for each in journal["segments"]}
            if before != self._made_of:
                other = [name for name in {**before, **self._made_of} if before.get(name) != self._made_of.get(name)]
                if found:
                    self.notes.append(
                        f"{sum(each.frames for each in found.values())} finished frames of an earlier run were thrown "
                        f"away, because something else was asked for then: {', '.join(sorted(other))}"
                    )
                return {}
            self.begun = set(journal["begun"])
            self.total = journal["total"]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError):
            self.notes.append("the journal of an earlier run was damaged; all frames are made again")
            return {}
        return found

    def _save(self) -> None:
        journal = {
            "made_of": self._made_of,
            "begun": sorted(self.begun),
            "total": self.total,
            "segments": [asdict(self.segments[index]) for index in sorted(self.segments)],
        }
        sink.write(json.dumps(journal, indent=1).encode(), self.folder / JOURNAL, overwrite=True)

    @staticmethod
    def _span(segment: Segment) -> str:
        first = segment.index * SEGMENT_FRAMES
        return f"{first} to {first + segment.frames - 1}"


def folder_of(output: Path) -> Path:
    """Where the parts of an output are: hidden, beside it."""
    name = output.name
    if len(name.encode()) > _LONGEST_NAME:  # with what is added it would be longer than file systems allow
        name = hashlib.sha256(name.encode()).hexdigest()[:16]
    return output.parent / f".{name}.bshm-parts"


def finished(folder: Path) -> int:
    """How many frames a run that was ended has finished, as its journal says; 0 where there is none."""
    try:
        return sum(each["frames"] for each in json.loads((folder / JOURNAL).read_bytes())["segments"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def whole(folder: Path) -> tuple[bytes, dict[str, str]]:
    """What a run in another folder needs to go on from what is finished in this one; numbered pictures lie elsewhere.

    Returns:
        the journal, and the names of the files beside it that it speaks of, with the checksum of each.

    Raises:
        OSError: there is no journal.
        ValueError, KeyError, TypeError: it is damaged.
    """
    journal = (folder / JOURNAL).read_bytes()
    found = [_segment(each) for each in json.loads(journal)["segments"]]
    return journal, {f"{each.index:05d}.{name}": piece.sha256 for each in found for name, piece in each.pieces.items()}


def stamp(path: Path) -> dict[str, Any]:
    """What tells a file from another, or from itself before it was changed; both of its ends are read.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_ENDS_BYTES))
        if status.st_size > _ENDS_BYTES:
            file.seek(max(_ENDS_BYTES, status.st_size - _ENDS_BYTES))
            digest.update(file.read(_ENDS_BYTES))
    return {"bytes": status.st_size, "changed_ns": status.st_mtime_ns, "sha256_of_ends": digest.hexdigest()}


def _piece(paths: Iterable[Path]) -> Piece:
    digest = hashlib.sha256()
    length = 0
    for path in paths:
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                digest.update(data)
                length += len(data)
    return Piece(length, digest.hexdigest())


def _segment(told: Mapping[str, Any]) -> Segment:
    pieces = {name: Piece(**piece) for name, piece in told["pieces"].items()}
    return Segment(told["index"], told["frames"], pieces, told["late"], told["empty"], tuple(told["marks"]))
