"""The exit codes.  Scripts rely on them, so a number never gets a second meaning."""

from __future__ import annotations

from bshm import errors
from bshm.cli.interrupts import INTERRUPTED

OK = 0
SOME_FAILED = 1
USAGE = 2
RULES_NOT_MET = 22
BUG = 70  # EX_SOFTWARE of BSD's sysexits.h
BROKEN_PIPE = 141  # 128 + SIGPIPE

# The most specific class of an error decides.
OF_ERROR: dict[type[BaseException], int] = {
    errors.CallerError: USAGE,
    errors.SourceNotFoundError: 3,
    errors.UnreadablePictureError: 4,
    errors.NoPicturesError: 5,
    errors.PictureTooLargeError: 6,
    errors.UrlRefusedError: 7,
    errors.FetchError: 8,
    errors.DataFolderError: 9,
    errors.OutputExistsError: 10,
    errors.OutputError: 11,
    errors.DiskFullError: 12,
    errors.UnknownModelError: 13,
    errors.DeviceUnavailableError: 14,
    errors.ModelFileError: 15,
    errors.MemoryExhaustedError: 16,
    MemoryError: 16,
    errors.CheckpointError: 17,
    errors.MissingExtraError: 18,
    errors.EnvironmentFault: 19,
    errors.QueueUnavailableError: 20,
    errors.UnknownPresetError: 21,
    errors.ManifestError: 23,
    errors.WorkerLostError: 24,
    errors.NobodyThereError: 25,
    errors.CorrectionsError: 26,
    errors.PainterModelError: 30,
    errors.HubUnreachableError: 31,
    errors.PaintingWithheldError: 32,
}

MEANINGS: dict[int, str] = {
    OK: "everything was done",
    SOME_FAILED: "some of several pictures or clips failed; stderr names each (a single one has its own code)",
    USAGE: "a flag or its value is wrong",
    3: "no such file",
    4: "not a picture or a video, or a damaged one",
    5: "a folder or a pattern without pictures or clips",
    6: "the picture is larger than allowed",
    7: "the URL is not allowed",
    8: "a picture or a model could not be downloaded",
    9: "evaluation or training data is incomplete",
    10: "the output already exists",
    11: "the output cannot be written",
    12: "the disk is full",
    13: "no model of that name",
    14: "the device cannot run here",
    15: "a model file is missing or damaged",
    16: "the picture does not fit into memory",
    17: "a training checkpoint cannot be used",
    18: "an optional part of bshm, or an encoder, is not installed",
    19: "something else on this machine is at fault",
    20: "the broker or the store of the jobs cannot be reached",
    21: "no preset of that name",
    RULES_NOT_MET: "a picture does not meet the rules of its preset",
    23: "a manifest cannot be read",
    24: "the machine that worked on a picture was lost on every attempt",
    25: "--people found nobody, or a click hit nobody",
    26: "corrections cannot be read, or belong to another picture",
    30: "the model for --background-prompt cannot be opened",
    31: "the hub of the model for --background-prompt cannot be reached",
    32: "the model's own filter withheld the background that it painted",
    BUG: "a fault in bshm itself; please report it",
    INTERRUPTED: "interrupted with Ctrl-C; nothing half-written is left",
    BROKEN_PIPE: "the reader of stdout closed it",
}


def code_of(error: BaseException) -> int:
    """The exit code of an error's class, or of the nearest base class that has one.

    >>> code_of(errors.DiskFullError()), code_of(errors.ShapeError()), code_of(ZeroDivisionError())
    (12, 2, 70)
    """
    return next((OF_ERROR[each] for each in type(error).__mro__ if each in OF_ERROR), BUG)


def table() -> str:
    """The codes and their meanings, one per line."""
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())
