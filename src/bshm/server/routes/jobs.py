"""``/jobs``: pictures that are processed later, so that no connection has to stay open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from bshm.edit.words import PictureBackground
from bshm.errors import JobNotFoundError, JobUnfinishedError
from bshm.jobs import ANONYMOUS, JobOptions, JobRecord, JobRequest, JobResult
from bshm.server import archives, intake
from bshm.server.answers import FieldError
from bshm.server.fields import PictureFields, edit_of, matte_options_of, model_of
from bshm.server.filenames import disposition, portable
from bshm.server.job_pictures import JobPicture, Spool, forget, from_form, from_json
from bshm.server.job_requests import (
    IDEMPOTENCY_HEADER,
    JobTerms,
    as_json,
    idempotency_key,
    listed,
    of_kind,
    owner_of,
    parts,
    problem,
    times,
    webhook,
)
from bshm.server.pictures import picture
from bshm.server.schema import BASE64, BINARY, PROBLEMS, request_body
from bshm.server.service import Service
from bshm.server.settings import Settings

router = APIRouter(tags=["jobs"])


class JobFields(PictureFields, JobTerms):
    """The fields of a job: those of a single picture, and those of any job."""


class JsonJobFields(JobFields):
    """The fields of a job in JSON: those of a form, and its pictures."""

    image: str | None = None
    images: list[JobPicture] | None = None


_IMAGES = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "properties": {**JobPicture.model_json_schema()["properties"], "image": BASE64},
    },
    "description": "The pictures, each as base64 or as a URL.",
}
_BODY = request_body(
    JobFields,
    {
        "image": {"type": "array", "items": BINARY, "description": "The pictures."},
        "archive": {**BINARY, "description": "A zip file of pictures, instead of image."},
        "background_image": {**BINARY, "description": "A picture to put behind the people."},
    },
    {
        "images": _IMAGES,
        "image": {**BASE64, "description": "One picture, instead of images."},
        "background_image": {**BASE64, "description": "A picture to put behind the people."},
    },
)
_BODY["content"]["application/json"]["example"] = {
    "images": [
        {"name": "dot.gif", "image": "R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs="},
        {"name": "ben.jpg", "image_url": "https://pictures.example.org/ben.jpg"},
    ],
    "background": "white",
    "format": "jpg",
    "idempotency_key": "order-17",
}


@router.post(
    "/jobs",
    status_code=202,
    summary="Create a job",
    responses={
        202: {
            "description": "The job is accepted; it survives a restart of the service.",
            "headers": {"Location": {"description": "Address of the job.", "schema": {"type": "string"}}},
        },
        **PROBLEMS,
    },
    openapi_extra={
        "requestBody": _BODY,
        "parameters": [IDEMPOTENCY_HEADER],
    },
)
async def submit(request: Request) -> Response:
    """Send one or more `image` files, a zip file as `archive`, or an `image_url` (multipart/form-data); or a list of
    `images`, each as base64 or as a URL (application/json).

    curl -F image=@a.jpg -F image=@b.jpg -F background=white http://127.0.0.1:8000/jobs -i
    curl --json '{"images": [{"image_url": "https://pictures.example.org/a.jpg"}]}' http://127.0.0.1:8000/jobs -i
    """
    service, queue = parts(request)
    settings = service.settings
    caller: str = request.scope["state"]["caller"]
    rate = service.rates.charge(caller, 1)
    spooled: list[Path] = []
    try:
        async with intake.body(
            request, most_files=settings.max_job_items + 2, most_part=settings.max_upload_bytes
        ) as body:
            background = await picture(service, body, "background_image", settings.max_upload_bytes)
            is_json = intake.kind_of(request.headers) == intake.JSON
            pictures = _pictures(body, settings) if is_json else {}
            uploads = [upload for name, upload in body.files if name == "image"]
            zips = [upload for name, upload in body.files if name == "archive"]
            strange = {name for name, _ in body.files} - {"image", "archive", "background_image"}
            if strange:
                raise FieldError(
                    dict.fromkeys(sorted(strange), "is not a known upload. Use image, archive or background_image.")
                )
            fields = body.model(JobFields)
            if not is_json and (len(zips) > 1 or sum(map(bool, (uploads, zips, fields.image_url))) != 1):
                raise FieldError(
                    {"image": "send either pictures in image, one zip file in archive, or a URL in image_url."}
                )
            told = webhook(fields.webhook_url, caller, settings)
            key = idempotency_key(request, fields)
            if len(pictures) > 1:  # before anything is fetched for them
                rate = service.rates.charge(caller, len(pictures) - 1)
            options = await _options(fields, background, service)
            spool = Spool(queue.spool, spooled)
            if is_json:
                items = await from_json(request, pictures, spool, service)
            elif fields.image_url is not None:
                fetched = BytesIO(await service.fetched(fields.image_url))
                items = [await service.pool.beside(partial(spool.keep, urlsplit(fields.image_url).path, fetched))]
            else:
                # This may copy many pictures to disk, so it gets the time of a job.
                items = await service.pool.beside(
                    partial(from_form, uploads, zips, spool, settings), timeout_s=settings.job_timeout_s
                )
        made = JobRequest(
            items=tuple(items),
            options=options,
            owner=owner_of(request),
            idempotency_key=key,
            webhook=told,
            keep_s=settings.jobs_keep_s if fields.keep_s is None else fields.keep_s,
        )
        if not is_json and len(items) > 1:  # each picture counts; their sizes are not known yet
            rate = service.rates.charge(caller, len(items) - 1)
        # Without keys, all jobs have the same owner.
        share = service.jobs_share if made.owner != ANONYMOUS else None
        record = await service.pool.beside(lambda: queue.submit(made, share=share), timeout_s=settings.job_timeout_s)
    finally:
        await service.pool.beside(lambda: forget(spooled))
    headers = {"Location": f"{settings.root_path}/jobs/{record.id}", **({} if rate is None else rate.headers())}
    return as_json(described(record, settings.root_path), status=202, headers=headers)


@router.get(
    "/jobs",
    summary="List your jobs",
    response_class=Response,
    responses={200: {"description": "One page of jobs, newest first."}, **PROBLEMS},
)
async def listing(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="Largest number of jobs on a page.")] = 100,
    cursor: Annotated[str | None, Query(max_length=100, description="Taken from `next` of the previous page.")] = None,
) -> Response:
    """The jobs of your API key, newest first; `next` is the address of the next page. It needs a key: without keys, a
    job belongs to everybody who knows its id."""
    records, following = await listed(request, "picture", limit, cursor)
    root_path = parts(request)[0].settings.root_path
    place = None if following is None else f"{root_path}/jobs?{following}"
    return as_json({"jobs": [_summary(record, root_path) for record in records], "next": place})


@router.get(
    "/jobs/{job_id}",
    summary="Show a job",
    response_class=Response,
    responses={200: {"description": "The job."}, **PROBLEMS},
)
async def look(request: Request, job_id: str) -> Response:
    """The state and progress of the job, and the state of each picture."""
    service, queue = parts(request)
    owner = owner_of(request)
    record = await service.pool.beside(lambda: of_kind(queue.get(job_id, owner), "picture"))
    headers = {} if record.has_ended else {"Retry-After": "1"}
    return as_json(described(record, service.settings.root_path), headers=headers)


@router.get(
    "/jobs/{job_id}/results/{index}",
    summary="Download one result",
    response_class=Response,
    responses={200: {"description": "The result.", "content": {"image/*": {"schema": BINARY}}}, **PROBLEMS},
)
async def result(request: Request, job_id: str, index: str) -> Response:
    """The result is available as soon as this picture is done. Pictures are counted from 0."""
    service, queue = parts(request)
    owner = owner_of(request)
    if not (index.isascii() and index.isdecimal() and len(index) <= 6):
        raise JobNotFoundError(f"the job has no result {index[:20]!r}: pictures are counted from 0.")
    found = await service.pool.beside(lambda: queue.result(job_id, int(index), owner))
    headers = {"Content-Disposition": disposition("attachment", found.name)}
    if found.path is not None:
        return FileResponse(found.path, media_type=found.media_type, headers=headers)
    return Response(found.read(), media_type=found.media_type, headers=headers)


@router.get(
    "/jobs/{job_id}/results",
    summary="Download all results as a zip file",
    response_class=Response,
    responses={
        200: {"description": "The results.", "content": {"application/zip": {"schema": BINARY}}},
        **PROBLEMS,
    },
)
async def results(request: Request, job_id: str) -> Response:
    """The results of a job that has ended; each name begins with the number of the picture, counted from 0.

    If pictures failed, the zip contains errors.json: [{"index": 1, "name": "ben.png", "error": {"code": "…",
    "message": "…"}}].
    """
    service, queue = parts(request)
    owner = owner_of(request)
    record = await service.pool.beside(lambda: of_kind(queue.get(job_id, owner), "picture"))
    done = [index for index, item in enumerate(record.items) if item.state == "done"]
    if not record.has_ended or not done:
        raise JobUnfinishedError(
            "the job has not ended yet. Try again later." if not record.has_ended else "the job has no results."
        )
    width = len(str(len(record.items)))
    failed = [
        {"index": index, "name": item.name, "error": problem(item.error)}
        for index, item in enumerate(record.items)
        if item.error is not None
    ]

    def files() -> Iterator[archives.Member]:
        for index in done:
            found = queue.result(job_id, index, owner)
            yield archives.Member(f"{index:0{width}}-{portable(found.name)}", found.size, partial(_opened, found))
        if failed:  # results cannot have this name: they begin with a number
            told = json.dumps(failed, ensure_ascii=False, indent=2) + "\n"
            data = told.encode("utf-8", "replace")
            yield archives.Member("errors.json", len(data), partial(BytesIO, data))

    headers = {"Content-Disposition": disposition("attachment", f"{job_id}.zip")}
    if request.method == "HEAD":  # its size is not known before all of it is read
        response = Response(media_type="application/zip", headers=headers)
        del response.headers["Content-Length"]
        return response
    packed = archives.pack(files(), made_at=record.ended_at)
    return StreamingResponse(packed, media_type="application/zip", headers=headers)


@router.delete(
    "/jobs/{job_id}",
    status_code=204,
    summary="Cancel and delete a job",
    response_class=Response,
    responses={204: {"description": "The job is deleted."}, **PROBLEMS},
)
async def delete(request: Request, job_id: str) -> Response:
    """Deletes the job with its pictures and results. A picture in progress is finished, but its result is discarded."""
    service, queue = parts(request)
    owner = owner_of(request)

    def gone() -> None:
        of_kind(queue.get(job_id, owner), "picture")
        queue.delete(job_id, owner)

    await service.pool.beside(gone)
    return Response(status_code=204)


def described(record: JobRecord, root_path: str = "") -> dict[str, Any]:
    """Describe a job to its owner.

    Args:
        record: the job.
        root_path: path prefix of the service.
    """
    place = _results(record, root_path)
    items = []
    for index, item in enumerate(record.items):
        entry: dict[str, Any] = {"name": item.name, "state": item.state}
        if item.state == "done":
            entry |= {"result": f"{place}/{index}", "media_type": item.media_type, "size": item.size}
            entry |= {"details": dict(item.details)}
        if item.error is not None:
            entry["error"] = problem(item.error)
        items.append(entry)
    return _summary(record, root_path, items=items)


def _results(record: JobRecord, root_path: str) -> str:
    return f"{root_path}/jobs/{record.id}/results"


def _summary(record: JobRecord, root_path: str, **more: Any) -> dict[str, Any]:
    """Describe a job without its pictures; ``more`` comes after its progress."""
    done, total = record.progress
    return {
        "id": record.id,
        "state": record.state,
        "progress": {"done": done, "total": total},
        **more,
        "results": _results(record, root_path) if record.state == "done" else None,
        "error": None if record.error is None else problem(record.error),
        **times(record),
    }


async def _options(fields: JobFields, background: bytes | None, service: Service) -> JobOptions:
    settings = service.settings
    edit, background_url = edit_of(fields, has_background=background is not None)
    service.painted_by(edit)
    if background_url is not None:
        background = await service.fetched(background_url)
    if background is not None:
        edit = replace(edit, background=PictureBackground.of(background))
    model = model_of(fields, settings.model)
    if model != settings.model:  # refuse it now, and not later for each picture
        await service.pool.beside(partial(service.pool.weights_sha256, model))
    # The URL is fetched before the job is accepted; workers fetch nothing.
    how = replace(matte_options_of(fields), limits=replace(settings.limits, allow_urls=False))
    return JobOptions(edit, model, how, background)


def _pictures(body: intake.Body, settings: Settings) -> dict[str, JobPicture]:
    """Take the pictures out of a job in JSON, by their place in it; the other fields stay in the body."""
    many = body.fields.get("images")
    # Count them before each is checked.
    if isinstance(many, list) and len(many) > settings.max_job_items:
        raise FieldError({"images": f"a job takes up to {settings.max_job_items:,} pictures; got {len(many):,}."})
    fields = body.model(JsonJobFields)
    if sum(map(bool, (fields.images, fields.image, fields.image_url))) != 1:
        raise FieldError({"images": "send either pictures in images, one picture in image, or a URL in image_url."})
    for name in ("images", "image"):
        body.fields.pop(name, None)
    if not fields.images:
        return {"": JobPicture(image=fields.image, image_url=fields.image_url, name=None)}
    faults = {
        f"images.{index}": "needs either the picture in image or its URL in image_url."
        for index, each in enumerate(fields.images)
        if bool(each.image) == bool(each.image_url)
    }
    if faults:
        raise FieldError(faults)
    return {f"images.{index}.": each for index, each in enumerate(fields.images)}


def _opened(found: JobResult) -> BinaryIO:
    return found.path.open("rb") if found.path is not None else BytesIO(found.data or b"")
