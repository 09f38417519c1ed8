"""A batch of thousands of pictures on this machine, each processed once.  ``ray_engine`` uses many machines.

gather -> work list -> (known already | copied | read, decode, matte, encode, log, write) -> records
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.bulk.batch import BatchRecord, records
from bshm.bulk.finding import PassedOver, is_url
from bshm.bulk.gathering import gather
from bshm.bulk.items import ItemReader
from bshm.bulk.report import Thumbnailer
from bshm.bulk.worker import Ledger, Worker
from bshm.bulk.worklist import WorkList
from bshm.concurrency.overlap import ClosableLock
from bshm.errors import BshmError
from bshm.options import BatchOptions, Limits, MatteOptions

if TYPE_CHECKING:
    from bshm.bulk.review import Review
    from bshm.edit.background import Paints
    from bshm.edit.spec import Edit
    from bshm.pipeline import Matting
    from bshm.types import Picture

# Limits of pictures on the page: anything larger than a photograph would delay the end of a batch.
_THUMBNAIL_PX = 260
_MOST_PIXELS = 60_000_000


def listed(inputs: Iterable[str | Path], *, folder: Path, suffix: str, passed_over: PassedOver) -> WorkList:
    """All pictures that the inputs name, each with its own output; raises the errors of ``gather``."""
    work = WorkList()
    for item in gather(inputs, folder=folder, suffix=suffix, passed_over=passed_over):
        work.add(item)
    return work


def settings_of(
    model: str,
    weights: str,
    options: MatteOptions,
    edit: Edit,
    background: Picture | None,
    background_model: str | None = None,
) -> dict[str, object]:
    """Everything that determines a result, by name, for the journal.

    Args:
        model: name of the model.
        weights: SHA-256 of the weights.
        options: options of the mattes; limits do not change results.
        edit: options of the results.
        background: the background picture: another picture with the same name makes other results.
        background_model: the model that paints the background, as in ``Painter.model``.
    """
    made: dict[str, object] = {name: value for name, value in edit.to_json().items() if name != "version"}
    if background is not None:
        made["background"] = hashlib.sha256(background.pixels.tobytes()).hexdigest()
    if background_model is not None:
        made["background_model"] = background_model
    how = {"exact": options.exact, "decontaminate": options.decontaminate, "shrink_to": options.shrink_to}
    return {"model": model, "weights": weights, **how, **made}


def run_here(
    matting: Matting,
    work: WorkList,
    ledger: Ledger,
    *,
    options: MatteOptions,
    edit: Edit,
    background: Picture | Paints | None,
    batch: BatchOptions,
    review: Review | None = None,
) -> Generator[BatchRecord, None, None]:
    """Process the list on this machine with one session; every error of a picture is in its record.

    Leaving the loop cancels, as in ``bshm.bulk.batch.run``.
    """
    write_lock = ClosableLock()
    worker = Worker(
        matting,
        ledger,
        options=options,
        edit=edit,
        background=background,
        overwrite=batch.overwrite,
        write_lock=write_lock,
        review=review,
    )
    return records(work.items(), worker.do, lambda item: item.job(ledger.folder), batch=batch, write_lock=write_lock)


def thumbnails(work: WorkList, reader: ItemReader) -> Thumbnailer:
    """A function that makes a thumbnail of a record's input, if it is on this machine and can be read."""

    def thumbnail(record: BatchRecord) -> str | None:
        if record.job.number is None:
            return None
        item = work.get(record.job.number)
        if is_url(item.source):
            return None
        from bshm.files import decode, thumbnail

        try:
            picture = decode.decode(reader.read(item), name=item.name, limits=Limits(max_pixels=_MOST_PIXELS))
            return thumbnail.small(picture, longest_px=_THUMBNAIL_PX)
        except (BshmError, MemoryError):
            return None

    return thumbnail
