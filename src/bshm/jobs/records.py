"""Jobs as data: the request that creates one, and the record of its state.

All of these are frozen and survive a round trip through JSON (except for uploaded bytes), so that a record means the
same in SQLite and in Redis.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from bshm.edit.spec import Edit
from bshm.edit.words import PictureBackground
from bshm.errors import BshmError, OptionError
from bshm.jobs.clips import ClipOptions, ClipOutput, ClipProgress
from bshm.jobs.codec import Json, from_json, to_json
from bshm.options import DEFAULT_MODEL, MatteOptions

State = Literal["queued", "running", "done", "failed", "cancelled"]
# The content of a job.  "picture": one or many pictures; "video": one clip.
Kind = Literal["picture", "video"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

ANONYMOUS = "anonymous"
DEFAULT_KEEP_S = 3600.0
MAX_ITEMS = 1000


@dataclass(frozen=True)
class JobItem:
    """One picture of a request, or its clip: its bytes, or a file that holds them.

    Attributes:
        name: its name in messages and in the result's name; a file name, never used as a path.
        data: the bytes; or None.
        path: a file; or None.  An accepted job takes the file over: it is moved, or read and then deleted.  If the job
            is refused, the file stays.
        background: the file of a picture or a clip behind the people of a clip, taken over like ``path``; or None.
    """

    name: str
    data: bytes | None = None
    path: Path | None = None
    background: Path | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.path is None):
            raise OptionError(f"the item {self.name!r} of a job needs either data or a path.")


@dataclass(frozen=True)
class JobOptions:
    """The options for every picture of a job.

    Attributes:
        edit: the options of each result.
        model: name of the weights, which the worker opens.
        matte: the options of each matte, and the limits of a picture.
        background: the file of the picture that ``edit.background`` names by its hash; None if it is not a picture.
    """

    edit: Edit = field(default_factory=Edit)
    model: str = DEFAULT_MODEL
    matte: MatteOptions = field(default_factory=MatteOptions)
    background: bytes | None = None

    def __post_init__(self) -> None:
        behind = self.edit.background
        wanted = behind if isinstance(behind, PictureBackground) else None
        # Never read from a path or a URL that a stranger may have chosen.
        if wanted != (None if self.background is None else PictureBackground.of(self.background)):
            raise OptionError("a picture as the background of a job needs both its hash and its bytes.")

    def to_json(self) -> dict[str, Json]:
        """As a mapping that ``json.dumps`` takes.

        >>> JobOptions.from_json(JobOptions(Edit(crop=True)).to_json()) == JobOptions(Edit(crop=True))
        True
        """
        return {
            "edit": self.edit.to_json(),
            "model": self.model,
            "matte": to_json(self.matte),
            "background": to_json(self.background),
        }

    @staticmethod
    def from_json(value: Mapping[str, Json]) -> JobOptions:
        """The options from their mapping.

        Raises:
            OptionError: a name is unknown, or a value is not allowed.
        """
        if isinstance(value, Mapping) and "edit" in value:
            value = {**value, "edit": Edit.from_json(value["edit"])}
        return from_json(JobOptions, value)


@dataclass(frozen=True)
class Webhook:
    """The receiver of a message when a job has ended.

    Attributes:
        url: gets a signed POST, see ``bshm.jobs.webhooks``.
        secret_ref: names the secret that signs it (e.g. of an API key).  The secret itself is in no record.
    """

    url: str
    secret_ref: str


@dataclass(frozen=True)
class JobRequest:
    """A request for a job.

    Attributes:
        items: 1 to ``MAX_ITEMS`` pictures, whose results keep their order; or one clip, as a file.
        options: options for all items; ``ClipOptions`` make it a job of a clip.
        owner: the id of an API key, or ``"anonymous"``.  Only the owner can use the job.
        idempotency_key: the same owner with the same key and the same request gets the same job again; None makes a
            new job each time.
        webhook: called when the job ends; or None.
        keep_s: how long results and record are kept after the job has ended, in seconds.
    """

    items: tuple[JobItem, ...]
    options: JobOptions | ClipOptions = field(default_factory=JobOptions)
    owner: str = ANONYMOUS
    idempotency_key: str | None = None
    webhook: Webhook | None = None
    keep_s: float = DEFAULT_KEEP_S

    def __post_init__(self) -> None:
        if not 1 <= len(self.items) <= MAX_ITEMS:
            raise OptionError(f"a job takes 1 to {MAX_ITEMS} pictures; got {len(self.items)}.")
        if isinstance(self.options, ClipOptions):
            if len(self.items) != 1 or self.items[0].path is None:
                raise OptionError(f"a job of a clip takes one clip, as a file; got {len(self.items)} items.")
            if (self.items[0].background is not None) != (self.options.background is not None):
                raise OptionError("a background file and its kind in the options belong together. Give both.")
        if not self.owner:
            raise OptionError(f"a job needs an owner; got none. Use {ANONYMOUS!r} for nobody in particular.")
        if self.idempotency_key is not None and not 1 <= len(self.idempotency_key) <= 255:
            raise OptionError(f"an idempotency key has 1 to 255 characters; got {len(self.idempotency_key)}.")
        if not 1 <= self.keep_s <= 31 * 86400:
            raise OptionError(f"results are kept for 1 second to 31 days; got {self.keep_s:g} s.")

    @property
    def kind(self) -> Kind:
        """Whether the job is of pictures or of a clip."""
        return "video" if isinstance(self.options, ClipOptions) else "picture"


@dataclass(frozen=True)
class JobError:
    """Why a picture, or a job, has no result.

    Attributes:
        code: a stable word for programs, see ``code_of``; ``worker_lost`` if the worker died in every attempt.
        message: a sentence for people.
    """

    code: str
    message: str


@dataclass(frozen=True)
class Lease:
    """The claim of a worker on a picture.

    The holder changes it well within ``lapses_s``.  A process that sees it unchanged for longer, by its own clock,
    considers the holder dead, so the clocks of two machines are never compared.

    Attributes:
        token: unguessable and unique to this claim: only its holder may change the item.
        worker: name of the worker.
        renewed_at: its latest sign of life, seconds since 1970 by its own clock; for people.
        renewals: number of renewals; if it stops growing, the holder counts as dead.
        lapses_s: after how many seconds without a renewal; the holder's ``QueueOptions.lease_s``.
    """

    token: str
    worker: str
    renewed_at: float
    renewals: int = 0
    lapses_s: float = 30.0


@dataclass(frozen=True)
class ItemRecord:
    """The state of one picture, or of a clip.

    Attributes:
        name: its name in the request.
        state: as for a job; several workers may have an item each ``running``.
        attempts: how often a worker has started it.
        error: set only if ``state`` is ``failed``.
        media_type: of the result; None unless ``done``, and for a clip.
        size: of the result in bytes; None unless ``done``, and for a clip.
        details: facts about the matte: ``width``, ``height``, ``empty``, ``verdict``, ``model``,
            ``model_sha256``, ``device``, ``timings_ms``.
        input, result: names of the bytes in the store, for drivers; None once they are deleted or before they exist.
        lease: the claim of its worker; None unless ``running``.
        background: for a clip: the name of the bytes of its background; or None.
        outputs: for a clip: its results; empty unless ``done``.
        progress: of a clip: how far it is; None before its first frame.
        parts: of a clip: the names of the bytes of what is finished of it, see ``bshm.jobs.clip_parts``; empty once it
            has ended.
    """

    name: str
    state: State = "queued"
    attempts: int = 0
    error: JobError | None = None
    media_type: str | None = None
    size: int | None = None
    details: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    input: str | None = None
    result: str | None = None
    lease: Lease | None = None
    background: str | None = None
    outputs: tuple[ClipOutput, ...] = ()
    progress: ClipProgress | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delivery:
    """The state of the webhook of a job that has ended.

    Attributes:
        id: the same in every attempt, so that the receiver can drop repeats.
        attempts: number of calls that were started.
        next_at: when the next call is due, in seconds since 1970; None once delivered or given up.
        delivered_at: when it was accepted; None until then.
        last_error: the error of the latest call.
    """

    id: str
    attempts: int = 0
    next_at: float | None = None
    delivered_at: float | None = None
    last_error: str | None = None


@dataclass(frozen=True)
class JobRecord:
    """Everything known about a job.  A snapshot: ``queue.get`` gives a newer one.

    Attributes:
        id: unguessable, 32 characters of A-Z a-z 0-9 - _.
        owner: as in the request.
        state: ``running`` from the start of the first picture; ``queued`` again if no picture is running any more
            because its worker stopped or died; ``done`` when every item has ended and at least one has a result,
            ``failed`` when none has.
        items: in the order of the request.
        options: ``JobOptions.to_json()``, or ``ClipOptions.to_json()``.
        created_at, started_at, ended_at, expires_at: seconds since 1970, UTC; None if that has not happened.
            From ``expires_at`` on, the job may be deleted.
        attempts: how often a worker has taken one of its pictures.
        error: why the job as a whole failed; each item has its own error.
        keep_s, idempotency_key, webhook: as in the request.
        fingerprint: SHA-256 of the request, to compare requests with the same idempotency key; empty without a key.
        delivery: state of the webhook; None without a webhook or before the end.
        dispatched_at: when the message for its next picture was sent to a broker; None if none is on its way.
        revision: counts the changes; a driver replaces a record only if it has not changed in the meantime.
        kind: whether its items are pictures, or its item is a clip.
    """

    id: str
    owner: str
    state: State
    items: tuple[ItemRecord, ...]
    options: Mapping[str, Json]
    created_at: float
    fingerprint: str
    keep_s: float = DEFAULT_KEEP_S
    started_at: float | None = None
    ended_at: float | None = None
    expires_at: float | None = None
    attempts: int = 0
    error: JobError | None = None
    idempotency_key: str | None = None
    webhook: Webhook | None = None
    delivery: Delivery | None = None
    dispatched_at: float | None = None
    revision: int = 0
    kind: Kind = "picture"

    @property
    def has_ended(self) -> bool:
        """Whether it is done, failed or cancelled: its items will not change any more."""
        return self.state in ENDED

    @property
    def progress(self) -> tuple[int, int]:
        """The number of ended items, and of all items."""
        return sum(item.state in ENDED for item in self.items), len(self.items)

    def to_text(self) -> str:
        """As JSON text, for stores."""
        value = to_json(self)
        if self.kind == "picture":
            # Fields of clips are left out, so that workers of a version without clips can read other records.
            del value["kind"]
            for item in value["items"]:
                for name in _OF_CLIPS:
                    del item[name]
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"))

    @staticmethod
    def from_text(text: str | bytes) -> JobRecord:
        """The record from its text."""
        value = json.loads(text)
        # bshm 0.1 had one lease for a whole job: its pictures count as those of a dead worker.
        value.pop("lease", None)
        return from_json(JobRecord, value)


_OF_CLIPS = ("background", "outputs", "progress", "parts")


@dataclass(frozen=True)
class JobResult:
    """The result of one picture: a file, or bytes if the store has no files.

    Attributes:
        name: the picture's name with the suffix of the result, e.g. ``anna.png``.
        media_type: e.g. ``image/png``.
        size: in bytes.
        path: the file, to be read at once (it is deleted when the job expires); or None.
        data: the bytes; or None.
    """

    name: str
    media_type: str
    size: int
    path: Path | None = None
    data: bytes | None = None

    def read(self) -> bytes:
        """The bytes, from the file or from memory."""
        if self.data is not None:
            return self.data
        return b"" if self.path is None else self.path.read_bytes()


def new_id() -> str:
    """An unguessable id: 192 random bits, valid in a URL and as a file name."""
    return secrets.token_urlsafe(24)


_ID = re.compile(r"[A-Za-z0-9_-]{32}")


def is_id(text: str) -> bool:
    """Whether ``text`` could be an id; otherwise it need not be looked up.

    >>> is_id(new_id()), is_id("../../etc/passwd")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


def code_of(error: BaseException) -> str:
    """The stable word for an error: the name of its class; ``internal`` for a fault in bshm itself.

    >>> from bshm import errors
    >>> code_of(errors.UnreadablePictureError("x")), code_of(ZeroDivisionError())
    ('unreadable_picture', 'internal')
    """
    if isinstance(error, MemoryError):
        return "memory_exhausted"
    if not isinstance(error, BshmError):
        return "internal"
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    return name.removesuffix("_error").removesuffix("_fault")
