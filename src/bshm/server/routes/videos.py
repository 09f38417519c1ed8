"""``/videos``: clips, as jobs."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile

from bshm.errors import (
    CorrectionsError,
    EncoderMissingError,
    MissingExtraError,
    OptionError,
    UnreadableVideoError,
    UrlRefusedError,
    VideoTooLargeError,
)
from bshm.files import decode
from bshm.jobs import ANONYMOUS, ClipOptions, JobItem, JobRecord, JobRequest
from bshm.jobs.clip_work import MEDIA_TYPES, file_name, told
from bshm.jobs.clips import Behind
from bshm.jobs.scratch import Scratch
from bshm.server import answers, intake, ranges
from bshm.server.answers import FieldError
from bshm.server.filenames import disposition, portable
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
from bshm.server.refusals import NotOfferedError
from bshm.server.schema import BINARY, PROBLEMS, request_body
from bshm.server.service import Service, until_gone
from bshm.server.settings import Settings
from bshm.server.video_fields import (
    FORMATS,
    MOST_CORRECTIONS,
    VideoFields,
    clip_options_of,
    container_field,
    field_error,
    output_of,
)
from bshm.video.codecs import CODECS, TARGETS

router = APIRouter(tags=["videos"])

# A folder of an upload that is older was left by a process that was killed.
_ORPHAN_S = 86400.0
# More than any field may hold: which one is too long is told by its name.
_MOST_TEXT = 4 * MOST_CORRECTIONS
# How long the last frame lasts is not always known; what is a little later than it, the worker decides.
_CLOCK_S = 0.1
_UPLOADS = ("file", "background_image", "background_video")
_BEHIND: dict[str, Behind] = {"background_image": "picture", "background_video": "video"}


class VideoJobFields(VideoFields, JobTerms):
    """What may be said beside a clip: what is made of it, and what may be said of any job."""


_BODY = request_body(
    VideoJobFields,
    {
        "file": {**BINARY, "description": "The clip."},
        "background_image": {**BINARY, "description": "A picture to lay the people over."},
        "background_video": {**BINARY, "description": "A clip to lay the people over; it begins anew at its end."},
    },
    {},
)
_BODY["content"]["application/json"]["example"] = {"url": "https://clips.example.org/anna.mp4", "for": "web"}
_FILE = {
    "description": "The file.",
    "content": {kind: {"schema": BINARY} for kind in sorted(set(MEDIA_TYPES.values()))},
    "headers": {name: {"schema": {"type": "string"}} for name in ("Content-Disposition", "Accept-Ranges", "ETag")},
}
_FILES: dict[int | str, dict[str, Any]] = {
    200: _FILE,
    206: {**_FILE, "description": "The part of it that Range asks for."},
    416: {"description": "Range asks for what lies behind the end; Content-Range has the size."},
    **PROBLEMS,
}
_RANGE = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": meaning,
        }
        for name, meaning in (
            ("Range", "One range of bytes, `bytes=0-999`."),
            ("If-Range", "The ETag of the file that a part is there of; of another one all is sent."),
        )
    ]
}


@router.get("/capabilities", summary="What is offered here", responses=PROBLEMS)
async def capabilities(request: Request) -> dict[str, Any]:
    """Whether there are jobs and videos, and what a video may be."""
    service: Service = request.app.state.service
    settings = service.settings
    why = await service.pool.beside(partial(_not_offered, service))
    videos: dict[str, Any] = {"offered": why is None, "why": why}
    if why is None:
        videos |= {
            "max_bytes": settings.max_video_bytes,
            "max_seconds": settings.max_video_s,
            "max_pixels": settings.max_video_pixels,
            "max_background_bytes": settings.max_upload_bytes,
            "for": list(TARGETS),
            "formats": list(FORMATS),
            "codecs": await service.pool.beside(_codecs),
        }
    return {"jobs": settings.jobs, "urls": settings.allow_urls, "videos": videos}


@router.post(
    "/videos",
    status_code=202,
    summary="Accept a clip to be worked on later",
    responses={
        202: {
            "description": "Accepted; the job survives a restart of the service.",
            "headers": {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}},
        },
        501: {"description": "Videos are not offered here."},
        **PROBLEMS,
    },
    openapi_extra={"requestBody": _BODY, "parameters": [IDEMPOTENCY_HEADER]},
)
async def submit(request: Request) -> Response:
    """Send the clip as `file` (multipart/form-data), or its address as `url`; the other fields are the options of
    `bshm video`.

    curl -F file=@anna.mp4 -F for=web http://127.0.0.1:8000/videos -i
    """
    service: Service = request.app.state.service
    settings = service.settings
    caller: str = request.scope["state"]["caller"]
    rate = service.rates.charge(caller, 1)
    why = await service.pool.beside(partial(_not_offered, service))
    if why is not None:
        raise NotOfferedError(why)
    _, queue = parts(request)
    with ExitStack() as stack:
        folder = await service.pool.beside(
            lambda: stack.enter_context(Scratch(queue.scratch, orphan_s=_ORPHAN_S).folder())
        )
        async with intake.body(request, most_files=len(_UPLOADS), most_part=_MOST_TEXT) as body:
            uploads = _uploads(body)
            fields = body.model(VideoJobFields)
            clip = uploads.get("file")
            if (clip is None) == (fields.url is None):
                raise FieldError({"file": "send the clip in file, or its address in url: one of the two."})
            options, behind_url = clip_options_of(
                fields,
                behind=next((kind for name, kind in _BEHIND.items() if name in uploads), None),
                model=settings.model,
            )
            target = webhook(fields.webhook_url, caller, settings)
            key = idempotency_key(request, fields)
            if options.model != settings.model:  # refused now rather than by a worker
                await service.pool.beside(partial(service.pool.weights_sha256, options.model))
            name = portable((clip.filename or "clip") if clip is not None else _last(fields.url or ""))
            path = folder / file_name(name)
            if clip is not None:
                await _kept(service, clip, path, "file", settings.max_video_bytes)
            background = None
            for field in _BEHIND:
                if field in uploads:
                    background = folder / ("behind.mp4" if field == "background_video" else "behind.png")
                    await _kept(service, uploads[field], background, field, settings.max_upload_bytes)
        # The upload's own file is gone by now; what comes from elsewhere is fetched here, never by a worker.
        if fields.url is not None:
            await until_gone(
                request,
                _fetched(service, fields.url, path),
                settings.video_upload_timeout_s + 10,
                advice="Send the clip itself.",
            )
        if behind_url is not None:
            background = folder / "behind.png"
            await service.pool.beside(partial(background.write_bytes, await service.fetched(behind_url)))
        look = partial(_check, path, background, options, fields, folder, name, settings)
        await service.pool.beside(look, timeout_s=settings.job_timeout_s)
        made = JobRequest(
            items=(JobItem(name, path=path, background=background),),
            options=options,
            owner=owner_of(request),
            idempotency_key=key,
            webhook=target,
            keep_s=settings.jobs_keep_s if fields.keep_s is None else fields.keep_s,
        )
        # Without keys all jobs are one owner's.
        share = service.jobs_share if made.owner != ANONYMOUS else None
        record = await service.pool.beside(lambda: queue.submit(made, share=share), timeout_s=settings.job_timeout_s)
    headers = {"Location": f"{settings.root_path}/videos/{record.id}", **({} if rate is None else rate.headers())}
    return as_json(described(record, settings.root_path), status=202, headers=headers)


@router.get(
    "/videos",
    summary="The caller's videos",
    response_class=Response,
    responses={200: {"description": "A part of them, newest first."}, **PROBLEMS},
)
async def listing(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
    cursor: Annotated[str | None, Query(max_length=100, description="From `next` of the part before.")] = None,
) -> Response:
    """Newest first; `next` leads to the next part. It needs an API key."""
    records, following = await listed(request, "video", limit, cursor)
    root_path = parts(request)[0].settings.root_path
    place = None if following is None else f"{root_path}/videos?{following}"
    return as_json({"videos": [described(record, root_path) for record in records], "next": place})


@router.get(
    "/videos/{job_id}",
    summary="How far a video is",
    response_class=Response,
    responses={200: {"description": "The job."}, **PROBLEMS},
)
async def look(request: Request, job_id: str) -> Response:
    """State, progress in frames, and where the results are."""
    service, queue = parts(request)
    owner = owner_of(request)
    record = await service.pool.beside(lambda: of_kind(queue.get(job_id, owner), "video"))
    headers = {} if record.has_ended else {"Retry-After": "1"}
    return as_json(described(record, service.settings.root_path), headers=headers)


@router.get(
    "/videos/{job_id}/result",
    summary="The result",
    response_class=Response,
    responses=_FILES,
    openapi_extra=_RANGE,
)
async def result(request: Request, job_id: str) -> Response:
    """The file that was made; of several the first of composite, cutout, alpha, foreground."""
    return await _file(request, job_id, None)


@router.get(
    "/videos/{job_id}/results/{name}",
    summary="One of several results",
    response_class=Response,
    responses=_FILES,
    openapi_extra=_RANGE,
)
async def one_result(request: Request, job_id: str, name: str) -> Response:
    """`name` is composite, cutout, alpha or foreground."""
    return await _file(request, job_id, name)


@router.delete(
    "/videos/{job_id}",
    status_code=204,
    summary="Stop a video and delete all of it",
    response_class=Response,
    responses={204: {"description": "It is gone."}, **PROBLEMS},
)
async def delete(request: Request, job_id: str) -> Response:
    """What runs stops after its next frame."""
    service, queue = parts(request)
    owner = owner_of(request)

    def gone() -> None:
        of_kind(queue.get(job_id, owner), "video")
        queue.delete(job_id, owner)

    await service.pool.beside(gone)
    return Response(status_code=204)


def described(record: JobRecord, root_path: str = "") -> dict[str, Any]:
    """A video as its owner may see it.

    Args:
        record: the job.
        root_path: below which the service is shown.
    """
    item = record.items[0]
    place = f"{root_path}/videos/{record.id}"
    done = item.progress
    progress: dict[str, Any] = {
        "frames_done": 0 if done is None else done.frames,
        "frames_total": None if done is None else done.of,
    }
    if done is not None:
        progress |= {"fps": done.fps, "eta_s": done.left_s}
    results = {
        each.product: {
            "url": f"{place}/results/{each.product}",
            "name": each.name,
            "media_type": each.media_type,
            "size": each.size,
            "details": dict(each.details),
        }
        for each in item.outputs
    }
    return {
        "id": record.id,
        "status": record.state,
        "state": record.state,
        "name": item.name,
        "progress": progress,
        "result": f"{place}/result" if results else None,
        "results": results,
        "details": dict(item.details),
        "error": None if record.error is None else problem(record.error),
        **times(record),
    }


async def _file(request: Request, job_id: str, product: str | None) -> Response:
    service, queue = parts(request)
    owner = owner_of(request)

    found = await service.pool.beside(lambda: queue.output(job_id, product, owner))
    headers = {"Content-Disposition": disposition("attachment", found.name)}
    try:
        return ranges.answer(request, found, headers)
    except ranges.UnsatisfiableError:
        return answers.problem(
            416,
            "The range is not there",
            f"the file has {found.size:,} bytes, and the range begins behind its end. Ask for an earlier one.",
            kind="urn:bshm:problem:range-not-satisfiable",
            request_id=answers.id_of(request),
            headers={"Content-Range": f"bytes */{found.size}", "Accept-Ranges": "bytes"},
        )


def _not_offered(service: Service) -> str | None:
    """Why videos are not made here; None where they are."""
    if not service.settings.videos or not service.settings.jobs:
        return "videos are switched off here."
    try:
        import bshm.video.library  # noqa: F401 - looks whether PyAV is there
    except MissingExtraError:
        return "videos need an optional part of the service: pip install 'bshm[video]', and start it again."
    return None


def _codecs() -> list[str]:
    from bshm.video import measuring

    here = measuring.codecs_here()
    return [name for name in CODECS if name in here]


def _uploads(body: intake.Body) -> dict[str, UploadFile]:
    """The files of a request, by their fields.

    Raises:
        FieldError: one has no such name, or came twice, or they contradict each other.
    """
    strange = {name for name, _ in body.files} - set(_UPLOADS)
    if strange:
        raise FieldError(dict.fromkeys(sorted(strange), "no upload of that name is taken."))
    found = dict(body.files)
    if len(found) < len(body.files):
        raise FieldError({"file": "one file of each name is taken. Send a video a request."})
    if len(set(_BEHIND) & set(found)) > 1:
        raise FieldError({"background_video": "send background_image or background_video, not both."})
    return found


async def _kept(service: Service, upload: UploadFile, path: Path, field: str, most: int) -> None:
    """Put an upload into a file."""
    if (upload.size or 0) > most:
        what = "a video" if field == "file" else f"a {field}"
        raise VideoTooLargeError(f"{what} may have {most:,} bytes here; this one has {upload.size:,}.")

    def copy() -> None:
        with path.open("wb") as target:
            shutil.copyfileobj(upload.file, target, 1024 * 1024)

    await service.pool.beside(copy, timeout_s=service.settings.job_timeout_s)


async def _fetched(service: Service, url: str, path: Path) -> None:
    if not service.settings.allow_urls:
        raise UrlRefusedError("URLs are not fetched here. Send the clip itself, or start with --allow-urls.")
    await service.pool.fetch_video(url, path)


def _check(
    path: Path,
    background: Path | None,
    options: ClipOptions,
    fields: VideoJobFields,
    folder: Path,
    name: str,
    settings: Settings,
) -> None:
    """See that a clip can be made into what is asked for, at a cost that is allowed.

    Raises:
        FieldError: a field asks for what is not possible.
        VideoTooLargeError, UnreadableVideoError, UnreadablePictureError: clip or background cannot be used.
    """
    from bshm.video import measuring
    from bshm.video.conversion import check, plan

    output = output_of(options, folder)
    video, most_pixels = options.video, settings.max_video_pixels
    try:
        planned = plan(path, output, video)
        measuring.check_encoders(packing for _, packing in planned.values())
    except OptionError as error:
        raise FieldError({container_field(fields): told(error, folder, name)}) from error
    except EncoderMissingError as error:
        field = "codec" if "codec" in fields.model_fields_set else container_field(fields)
        raise FieldError({field: str(error)}) from error
    try:
        clip = measuring.measure(path)
        if clip.pixels > most_pixels:
            raise VideoTooLargeError(
                f"a frame of a video may have {most_pixels:,} pixels here; one of {name} has {clip.pixels:,}. "
                "Scale it down first."
            )
        if video.start_s >= clip.seconds > 0:
            raise FieldError({"start": f"the video ends at {clip.seconds:.2f} s; got {video.start_s:g}."})
        wanted_s = min(clip.seconds, video.end_s or clip.seconds) - video.start_s
        if wanted_s > settings.max_video_s:
            raise VideoTooLargeError(
                f"a video may take {settings.max_video_s:g} seconds here; {name}, or the part of it from start to end, "
                f"takes {wanted_s:.1f}. Send a part of it: start and end."
            )
        for each in video.corrections:
            is_later = each.time_s is not None and each.time_s >= clip.seconds + _CLOCK_S
            if clip.frames and (is_later or (each.frame or 0) >= clip.frames):
                raise CorrectionsError(
                    f"the corrections at {each.when} lie outside: {name} has {clip.frames} frames and ends at "
                    f"{clip.seconds:.2f} s. Give the time or the number of a frame that is there."
                )
        check(path, output, video, trimaps=settings.limits)
    except CorrectionsError as error:
        raise FieldError({"corrections": told(error, folder, name)}) from error
    except OptionError as error:
        if isinstance(error, FieldError):
            raise
        raise field_error(error, told(error, folder, name)) from error
    except UnreadableVideoError as error:
        raise UnreadableVideoError(told(error, folder, name)) from error
    if background is None:
        return
    if options.background == "picture":
        decode.size_of(background.read_bytes(), name="the background", limits=settings.limits)
        return
    try:
        behind = measuring.measure(background)
        if behind.pixels > most_pixels:
            raise VideoTooLargeError(
                f"a frame of a video may have {most_pixels:,} pixels here; one of the background has "
                f"{behind.pixels:,}. Scale it down first."
            )
    except UnreadableVideoError as error:
        raise FieldError({"background_video": told(error, folder, "the background")}) from error


def _last(url: str) -> str:
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1]) or "clip"
