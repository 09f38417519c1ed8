"""Every error that bshm raises on purpose.

    BshmError
    ├── CallerError                 the call is wrong: correct it
    │   ├── OptionError             an option's value, or two that contradict each other
    │   │   └── RegionError         a region that is empty or reaches out of the picture
    │   ├── MattingClosedError      a Matting that was closed
    │   ├── ShapeError              an array of the wrong shape, dtype or range
    │   ├── UnknownModelError       no model of that name
    │   ├── UnknownPresetError      no preset of that name
    │   ├── OutputExistsError       the output is there already, and overwriting was not asked for
    │   ├── JobNotFoundError        no job of that id that the asker may see
    │   ├── JobUnfinishedError      the job has no result yet, or never will have this one
    │   └── IdempotencyError        an idempotency key that stands for another request already
    ├── InputError                  the input is bad: use another
    │   ├── SourceNotFoundError     no such file or folder
    │   ├── NoPicturesError         a folder or a pattern without pictures
    │   ├── ManifestError           a list of pictures that cannot be read
    │   ├── UnreadablePictureError  not a picture, truncated, empty
    │   │   └── UnreadableVideoError  not a video, damaged, or of a kind that the networks do not know
    │   ├── PictureTooLargeError    more pixels or bytes than allowed
    │   ├── UrlRefusedError         a URL that the guard does not allow
    │   ├── FetchError              a URL that was allowed but did not give the bytes
    │   ├── NobodyThereError        nobody is where one person was asked for
    │   ├── CorrectionsError        corrections that cannot be read, or are of another picture
    │   └── DataFolderError         training or evaluation data that is incomplete
    └── EnvironmentFault            the machine is at fault: mend it
        ├── DeviceUnavailableError  the device that was asked for cannot run here
        ├── ModelFileError          a model file that is missing, damaged or not what its card says
        │   └── ParityError         an exported network that does not give what the trained one gives
        ├── OutputError             the output cannot be written
        │   └── DiskFullError
        ├── MemoryExhaustedError    the picture does not fit into memory
        ├── WorkerLostError         a machine or a process that went away with the pictures it had
        ├── CheckpointError         a training checkpoint that cannot be read or belongs to another run
        ├── QueueFullError          no room for another job now
        │   └── QueueShareError     one owner has as many jobs in it as it may
        ├── QueueUnavailableError   the broker or the store of the jobs cannot be reached, or the queue is closed
        │   └── StoreFullError      the disk of the jobs has no room (a DiskFullError, too)
        ├── OverrunError            work that took longer than it may, and was given up
        └── MissingExtraError       an optional part of bshm is not installed
            └── EncoderMissingError  this FFmpeg cannot write what was asked for

A message says what was needed, what came, and what to do.  Exit codes (``bshm.cli``) and HTTP statuses map from
this tree in one table each.

Where a message names an option it does so with ``option("crop_margin")``: the name is that of Python, and each face
writes it in its own way (``told``), the command line as ``--crop-margin``.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = [
    "BshmError",
    "CallerError",
    "CheckpointError",
    "CorrectionsError",
    "DataFolderError",
    "DeviceUnavailableError",
    "DiskFullError",
    "EncoderMissingError",
    "EnvironmentFault",
    "FetchError",
    "IdempotencyError",
    "InputError",
    "JobNotFoundError",
    "JobUnfinishedError",
    "ManifestError",
    "MattingClosedError",
    "MemoryExhaustedError",
    "MissingExtraError",
    "ModelFileError",
    "NoPicturesError",
    "NobodyThereError",
    "OptionError",
    "OutputError",
    "OutputExistsError",
    "OverrunError",
    "ParityError",
    "PictureTooLargeError",
    "QueueFullError",
    "QueueShareError",
    "QueueUnavailableError",
    "RegionError",
    "ShapeError",
    "SourceNotFoundError",
    "StoreFullError",
    "UnknownModelError",
    "UnknownPresetError",
    "UnreadablePictureError",
    "UnreadableVideoError",
    "UrlRefusedError",
    "WorkerLostError",
]

# Around the name of an option within a message.  What somebody typed is quoted with repr(), and so has none.
_MARK = "\0"


def option(name: str) -> str:
    """The name of an option, for the message of a ``BshmError``.

    >>> str(OptionError(f"{option('quality')} takes 1 to 100; got 0."))
    'quality takes 1 to 100; got 0.'
    """
    return f"{_MARK}{name}{_MARK}"


class BshmError(Exception):
    """The root of the tree."""

    def __init__(self, *args: object) -> None:
        # Every second part is a name.
        self._parts = str(args[0]).split(_MARK) if args else [""]
        super().__init__(*("".join(self._parts) if each is args[0] else each for each in args))

    @property
    def option(self) -> str | None:
        """The option that is wrong, by its name in Python; None where the message begins with none."""
        return self._parts[1] if len(self._parts) > 1 and not self._parts[0] else None

    def fault(self, name_of: Callable[[str], str] = str) -> str:
        """What is wrong with ``option``: ``told`` without the name that it begins with.

        >>> OptionError(f"{option('quality')} takes 1 to 100; got 0.").fault()
        'takes 1 to 100; got 0.'
        """
        rest = self._parts[2:] if self.option else self._parts
        return _joined(rest, name_of).removeprefix(":").lstrip()

    def told(self, name_of: Callable[[str], str]) -> str:
        """The message with the options named as a face names them.

        >>> OptionError(f"{option('quality')} takes 1 to 100; got 0.").told(lambda name: f"--{name}")
        '--quality takes 1 to 100; got 0.'
        """
        return _joined(self._parts, name_of)


def _joined(parts: list[str], name_of: Callable[[str], str]) -> str:
    return "".join(name_of(part) if at % 2 else part for at, part in enumerate(parts))


class CallerError(BshmError):
    """The call is wrong."""


class OptionError(CallerError, ValueError):
    """An option's value is not allowed, or two options contradict each other."""


class RegionError(OptionError):
    """A region is empty or reaches out of the picture.

    Attributes:
        empty: it is empty.
    """

    def __init__(self, message: str = "", *, empty: bool = False) -> None:
        super().__init__(message)
        self.empty = empty


class MattingClosedError(CallerError):
    """The networks were closed."""


class ShapeError(CallerError, ValueError):
    """An array has the wrong shape, dtype or range."""


class UnknownModelError(CallerError, LookupError):
    """No model has that name."""


class UnknownPresetError(CallerError, LookupError):
    """No preset has that name."""


class OutputExistsError(CallerError, FileExistsError):
    """The output is there already, and overwriting was not asked for."""


class JobNotFoundError(CallerError, LookupError):
    """There is no such job, or it belongs to somebody else: the two cannot be told apart."""


class JobUnfinishedError(CallerError):
    """The job has no such result yet, or it failed or was cancelled and never will."""


class IdempotencyError(CallerError):
    """The idempotency key stands for another request already."""


class InputError(BshmError):
    """The input is bad."""


class SourceNotFoundError(InputError, FileNotFoundError):
    """There is no such file or folder."""


class NoPicturesError(InputError):
    """A folder or a pattern matched no picture."""


class ManifestError(InputError):
    """A list of pictures cannot be read, or has no column that names them."""


class UnreadablePictureError(InputError):
    """The bytes are not a picture that can be decoded."""


class UnreadableVideoError(UnreadablePictureError):
    """The file is not a video that can be decoded, or is damaged on the way."""


class PictureTooLargeError(InputError):
    """The picture has more pixels or bytes than allowed."""


class UrlRefusedError(InputError):
    """The URL is not one that may be fetched."""


class FetchError(InputError):
    """The URL was allowed, but its server did not give the bytes."""


class NobodyThereError(InputError):
    """One person was asked for, by number or place, and nobody is there."""


class CorrectionsError(InputError, ValueError):
    """Corrections of a matte cannot be read, leave the picture or belong to another one, or mean nothing there."""


class DataFolderError(InputError):
    """Training or evaluation data is incomplete or does not fit together."""


class EnvironmentFault(BshmError):
    """The machine is at fault."""


class DeviceUnavailableError(EnvironmentFault):
    """The device that was asked for cannot run here."""


class ModelFileError(EnvironmentFault):
    """A model file is missing, damaged or not what its card says."""


class ParityError(ModelFileError):
    """An exported network does not give what the trained one gives."""


class OutputError(EnvironmentFault, OSError):
    """The output cannot be written."""


class DiskFullError(OutputError):
    """There is no room for the output."""


class MemoryExhaustedError(EnvironmentFault, MemoryError):
    """The picture does not fit into memory."""


class WorkerLostError(EnvironmentFault):
    """The machine or the process that worked on it went away, each time that it was tried."""


class CheckpointError(EnvironmentFault):
    """A training checkpoint cannot be read or belongs to another run."""


class QueueFullError(EnvironmentFault):
    """There is no room for another job now.

    Attributes:
        retry_after_s: when to try again, in seconds; what an HTTP answer puts into ``Retry-After``.
    """

    def __init__(self, message: str = "", *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueShareError(QueueFullError):
    """One owner has as many jobs waiting or running as it may; there is room for those of others."""


class QueueUnavailableError(EnvironmentFault):
    """The broker or the store of the jobs cannot be reached, or the queue is closed."""


class StoreFullError(DiskFullError, QueueUnavailableError):
    """The disk on which the jobs are kept has no room: what is accepted already is waited for, nothing more is."""


class OverrunError(EnvironmentFault):
    """The work took longer than it may, and was given up."""


class MissingExtraError(EnvironmentFault, ImportError):
    """An optional part of bshm is not installed."""


class EncoderMissingError(MissingExtraError):
    """The FFmpeg that is installed has no encoder for what was asked for."""
