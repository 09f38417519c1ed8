"""All errors that bshm raises on purpose.

    BshmError
    ├── CallerError                 the call is wrong; correct it
    │   ├── OptionError             an option has a wrong value, or two contradict each other
    │   │   └── RegionError         a region is empty or reaches beyond the picture
    │   ├── MattingClosedError      the Matting is closed
    │   ├── ShapeError              an array has the wrong shape, dtype or range
    │   ├── UnknownModelError       no model has this name
    │   ├── UnknownPresetError      no preset has this name
    │   ├── OutputExistsError       the output already exists, and overwriting was not asked for
    │   ├── JobNotFoundError        no job with this id, or it belongs to somebody else
    │   ├── JobUnfinishedError      the job does not have this result, or not yet
    │   └── IdempotencyError        the idempotency key belongs to another request
    ├── InputError                  the input is bad; use another one
    │   ├── SourceNotFoundError     no such file or folder
    │   ├── NoPicturesError         a folder or a pattern has no pictures
    │   ├── ManifestError           a list of pictures cannot be read
    │   ├── UnreadablePictureError  not a picture, truncated, empty
    │   │   └── UnreadableVideoError  not a video, damaged, or not supported
    │   ├── PictureTooLargeError    it has more pixels or bytes than allowed
    │   │   └── VideoTooLargeError    it is longer, its frames are larger, or it has more bytes than allowed
    │   ├── UrlRefusedError         the guard does not allow the URL
    │   ├── FetchError              the URL is allowed but could not be downloaded
    │   ├── NobodyThereError        the selected person does not exist
    │   ├── CorrectionsError        corrections cannot be read, or belong to another picture
    │   ├── PaintingWithheldError   the model's own filter withheld the background that it painted
    │   └── DataFolderError         training or evaluation data is incomplete
    └── EnvironmentFault            something is wrong with the machine; repair it
        ├── DeviceUnavailableError  the requested device does not work
        ├── ModelFileError          a model file is missing, damaged or does not match its card
        │   └── ParityError         an exported network computes something else than the trained one
        ├── PainterModelError       a model for painting backgrounds cannot be opened or cannot inpaint
        ├── HubUnreachableError     the hub of such a model cannot be reached
        ├── OutputError             the output cannot be written
        │   └── DiskFullError
        ├── MemoryExhaustedError    the picture does not fit into memory
        ├── WorkerLostError         a machine or process died with its pictures
        ├── CheckpointError         a training checkpoint cannot be read or belongs to another run
        ├── QueueFullError          there is no space for another job at the moment
        │   └── QueueShareError     one owner has reached its limit of jobs
        ├── QueueUnavailableError   the broker or the job store cannot be reached, or the queue is closed
        │   └── StoreFullError      the disk of the jobs is full (also a DiskFullError)
        ├── OverrunError            the work took longer than its time limit
        └── MissingExtraError       an optional part of bshm is not installed
            └── EncoderMissingError  this FFmpeg cannot write what was asked for

A message says what was expected, what was given, and what to do.  One table maps this tree to exit codes
(``bshm.cli``), another to HTTP statuses.

A message names an option with ``option("crop_margin")``, the name of its field in Python.  Each interface shows it in
its own way (``told``); the command line shows ``--crop-margin``.
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
    "HubUnreachableError",
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
    "PainterModelError",
    "PaintingWithheldError",
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
    "VideoTooLargeError",
    "WorkerLostError",
]

# Marks the name of an option within a message.  User input is quoted with repr(), so it cannot contain the mark.
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
        """The name of the wrong option in Python; None if the message does not begin with an option."""
        return self._parts[1] if len(self._parts) > 1 and not self._parts[0] else None

    def fault(self, name_of: Callable[[str], str] = str) -> str:
        """The message without the option at its beginning.

        >>> OptionError(f"{option('quality')} takes 1 to 100; got 0.").fault()
        'takes 1 to 100; got 0.'
        """
        rest = self._parts[2:] if self.option else self._parts
        return _joined(rest, name_of).removeprefix(":").lstrip()

    def told(self, name_of: Callable[[str], str]) -> str:
        """The message with the options written by ``name_of``.

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
    """A region is empty or reaches beyond the picture.

    Attributes:
        empty: whether it is empty.
    """

    def __init__(self, message: str = "", *, empty: bool = False) -> None:
        super().__init__(message)
        self.empty = empty


class MattingClosedError(CallerError):
    """The Matting is closed."""


class ShapeError(CallerError, ValueError):
    """An array has the wrong shape, dtype or range."""


class UnknownModelError(CallerError, LookupError):
    """No model has this name."""


class UnknownPresetError(CallerError, LookupError):
    """No preset has this name."""


class OutputExistsError(CallerError, FileExistsError):
    """The output already exists, and overwriting was not asked for."""


class JobNotFoundError(CallerError, LookupError):
    """There is no job with this id, or it belongs to somebody else; the error does not say which."""


class JobUnfinishedError(CallerError):
    """The job does not have this result: it is not finished, it failed, or it was cancelled."""


class IdempotencyError(CallerError):
    """The idempotency key already belongs to another request."""


class InputError(BshmError):
    """The input is bad."""


class SourceNotFoundError(InputError, FileNotFoundError):
    """There is no such file or folder."""


class NoPicturesError(InputError):
    """A folder or a pattern matched no picture."""


class ManifestError(InputError):
    """A list of pictures cannot be read, or has no column that names them."""


class UnreadablePictureError(InputError):
    """The bytes cannot be decoded as a picture."""


class UnreadableVideoError(UnreadablePictureError):
    """The file cannot be decoded as a video, or is damaged."""


class PictureTooLargeError(InputError):
    """The picture has more pixels or bytes than allowed."""


class VideoTooLargeError(PictureTooLargeError):
    """The video is longer, its frames are larger, or it has more bytes than allowed."""


class UrlRefusedError(InputError):
    """The URL is not allowed."""


class FetchError(InputError):
    """The URL is allowed, but could not be downloaded."""


class NobodyThereError(InputError):
    """A person was selected by number or place, but nobody is there."""


class CorrectionsError(InputError, ValueError):
    """Corrections of a matte cannot be read, leave the picture or belong to another one, or mean nothing there."""


class PaintingWithheldError(InputError):
    """The model's own filter keeps back what it painted."""


class DataFolderError(InputError):
    """Training or evaluation data is incomplete or does not fit together."""


class EnvironmentFault(BshmError):
    """Something is wrong with the machine."""


class DeviceUnavailableError(EnvironmentFault):
    """The requested device does not work on this machine."""


class ModelFileError(EnvironmentFault):
    """A model file is missing, damaged or does not match its card."""


class ParityError(ModelFileError):
    """An exported network computes something else than the trained one."""


class PainterModelError(EnvironmentFault):
    """A model that paints backgrounds is none, or cannot be opened."""


class HubUnreachableError(EnvironmentFault):
    """The hub that a model is on cannot be reached."""


class OutputError(EnvironmentFault, OSError):
    """The output cannot be written."""


class DiskFullError(OutputError):
    """There is no space for the output."""


class MemoryExhaustedError(EnvironmentFault, MemoryError):
    """The picture does not fit into memory."""


class WorkerLostError(EnvironmentFault):
    """The machine or process died in every attempt."""


class CheckpointError(EnvironmentFault):
    """A training checkpoint cannot be read or belongs to another run."""


class QueueFullError(EnvironmentFault):
    """There is no space for another job at the moment.

    Attributes:
        retry_after_s: seconds after which to try again; the ``Retry-After`` of an HTTP answer.
    """

    def __init__(self, message: str = "", *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueShareError(QueueFullError):
    """One owner has reached its limit of jobs; other owners may still submit jobs."""


class QueueUnavailableError(EnvironmentFault):
    """The broker or the job store cannot be reached, or the queue is closed."""


class StoreFullError(DiskFullError, QueueUnavailableError):
    """The disk of the jobs is full: accepted jobs continue, but no more are accepted."""


class OverrunError(EnvironmentFault):
    """The work took longer than its time limit and was given up."""


class MissingExtraError(EnvironmentFault, ImportError):
    """An optional part of bshm is not installed."""


class EncoderMissingError(MissingExtraError):
    """The installed FFmpeg does not have the required encoder."""
