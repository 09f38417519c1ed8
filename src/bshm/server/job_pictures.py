"""Turn the pictures of a request (a form, a zip, base64 or URLs) into the items that ``submit`` takes."""

from __future__ import annotations

import asyncio
import os
import secrets
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.requests import Request

from bshm.errors import FetchError, PictureTooLargeError, UrlRefusedError
from bshm.jobs import JobItem
from bshm.server import archives, intake
from bshm.server.answers import FieldError
from bshm.server.service import Service, until_gone
from bshm.server.settings import Settings
from bshm.server.statuses import detail_of

# Downloads of one job at the same time; the limit of all jobs is eight.
_DOWNLOADS = 4


class JobPicture(BaseModel):
    """One picture of a job in JSON."""

    model_config = ConfigDict(extra="forbid")

    image: str | None = Field(None, description="The picture as base64.")
    image_url: str | None = Field(
        None,
        max_length=4096,
        description="URL of the picture, instead of image; needs a service started with --allow-urls.",
    )
    name: str | None = Field(
        None, max_length=1024, description="File name of the picture; the result is named after it.", examples=["a.jpg"]
    )


class Spool:
    """Keeps pictures until ``submit``: beside the files of the queue if it has any, otherwise in memory."""

    def __init__(self, folder: Path | None, made: list[Path]) -> None:
        self._folder = folder
        self._made = made

    def keep(self, name: str, source: BinaryIO) -> JobItem:
        """An item with everything from the position of ``source``."""
        name = _file_name(name)
        if self._folder is None:
            return JobItem(name, data=source.read())
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f".upload-{secrets.token_hex(12)}"
        self._made.append(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            archives.copy(source, target)
        return JobItem(name, path=path)


def from_form(uploads: list[UploadFile], zips: list[UploadFile], spool: Spool, settings: Settings) -> list[JobItem]:
    """The pictures of a form, or of a zip in it.

    Raises:
        FieldError, PictureTooLargeError, UnreadablePictureError: there are too many of them, or they are too large.
    """
    if len(uploads) > settings.max_job_items:
        raise FieldError({"image": f"a job takes up to {settings.max_job_items:,} pictures; got {len(uploads):,}."})
    items: list[JobItem] = []
    for upload in uploads:
        if (upload.size or 0) > settings.max_upload_bytes:
            raise FieldError({"image": f"{upload.filename!r} has more than {settings.max_upload_bytes:,} bytes."})
        items.append(spool.keep(upload.filename or "picture", upload.file))
    for archive in zips:
        archives.unpack(
            archive.file,
            lambda name, file: items.append(spool.keep(name, file)),
            most_items=settings.max_job_items,
            most_item=settings.max_upload_bytes,
            most_bytes=settings.max_job_bytes,
        )
    return items


async def from_json(request: Request, pictures: dict[str, JobPicture], spool: Spool, service: Service) -> list[JobItem]:
    """The pictures of a job in JSON, a few at a time, while the client waits.

    Args:
        request: the request of the client.
        pictures: maps positions in the body, such as ``images.3.``, to pictures.
        spool: keeps the pictures.
        service: fetches pictures from URLs.

    Raises:
        FieldError, FetchError, PictureTooLargeError: one cannot be read or fetched; the error names its position.
        TimeRanOutError: they took longer than a request may.
        ClientGoneError: the client disconnected.
    """
    settings = service.settings
    left = settings.max_job_bytes
    slots = asyncio.Semaphore(_DOWNLOADS)

    async def item(place: str, wanted: JobPicture) -> JobItem:
        nonlocal left
        async with slots:
            data = await _bytes_of(wanted, place, service)
            left -= len(data)
            if left < 0:
                raise PictureTooLargeError(
                    f"the pictures of a job may have up to {settings.max_job_bytes:,} bytes in total; these have more."
                )
            name = wanted.name or urlsplit(wanted.image_url or "").path
            return await service.pool.beside(partial(spool.keep, name, BytesIO(data)))

    async def all_of_them() -> list[JobItem]:
        tasks = [asyncio.ensure_future(item(*each)) for each in pictures.items()]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    work = asyncio.ensure_future(all_of_them())
    try:
        return await until_gone(
            request, work, settings.request_timeout_s, advice="Send fewer URLs at once, or the pictures themselves."
        )
    finally:
        # No file may be added after the kept files were deleted.
        await asyncio.wait([work])


async def _bytes_of(wanted: JobPicture, place: str, service: Service) -> bytes:
    most = service.settings.max_upload_bytes
    if not wanted.image_url:
        return await service.pool.beside(partial(intake.decoded, wanted.image, f"{place}image", most=most))
    try:
        return await service.fetched(wanted.image_url)
    except (UrlRefusedError, FetchError, PictureTooLargeError) as error:
        if not place:  # there is only one
            raise
        if isinstance(error, UrlRefusedError):  # its message is not for clients
            raise FieldError({f"{place}image_url": detail_of(error)}) from error
        raise type(error)(f"{place}image_url: {error}") from error


def forget(paths: list[Path]) -> None:
    """Delete the files of a refused job; an accepted job has taken its files."""
    for path in paths:
        path.unlink(missing_ok=True)


def _file_name(name: str) -> str:
    """The last part of a client's file name, without characters that are not valid."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(char for char in last if char.isprintable())[:200]
    return plain.strip(". ") or "picture"
