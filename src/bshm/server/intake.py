"""Read the fields of a request body: multipart, form or JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from bshm.errors import PictureTooLargeError
from bshm.server.answers import FieldError
from bshm.server.refusals import ClientGoneError

Model = TypeVar("Model", bound=BaseModel)

_MOST_FIELDS = 64
JSON = "application/json"
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


class Body:
    """The parts of a request.

    Attributes:
        fields: texts by name (in JSON, any values); empty ones count as not given.
        files: uploads by name, in the order of arrival.
    """

    def __init__(self, fields: Mapping[str, Any], files: list[tuple[str, UploadFile]]) -> None:
        self.fields = dict(fields)
        self.files = files

    async def file(self, name: str, *, most: int) -> bytes | None:
        """The bytes of the upload called ``name``; None if there is none.

        Raises:
            PictureTooLargeError: it has more than ``most`` bytes.
            FieldError: there are several.
        """
        found = [upload for each, upload in self.files if each == name]
        if len(found) > 1:
            raise FieldError({name: f"takes one file; got {len(found)}. For several pictures use POST /jobs."})
        return await read(found[0], most=most) if found else None

    def base64(self, name: str, *, most: int) -> bytes | None:
        """The bytes that the field ``name`` holds as base64, a data: URL or not; None if there is none."""
        text = self.fields.pop(name, None)
        return None if text is None else decoded(text, name, most=most)

    def model(self, kind: type[Model]) -> Model:
        """The fields as a ``kind``.

        Raises:
            FieldError: a field is wrong or unknown.
        """
        try:
            return kind.model_validate(self.fields)
        except ValidationError as error:
            raise FieldError(dict(_explained(dict(each), kind) for each in error.errors())) from error


def kind_of(headers: Headers) -> str:
    """The content type, without its parameters.

    >>> kind_of(Headers({"Content-Type": "Application/JSON; charset=utf-8"}))
    'application/json'
    """
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def read(upload: UploadFile, *, most: int) -> bytes:
    """The bytes of one upload.

    Raises:
        PictureTooLargeError: it has more than ``most``.
    """
    if upload.size is not None and upload.size > most:
        raise _too_large(most)
    return await upload.read()


@asynccontextmanager
async def body(request: Request, *, most_files: int = 4, most_part: int) -> AsyncIterator[Body]:
    """The body of a request; its uploads are deleted afterwards.

    Args:
        request: a request with a form or JSON.
        most_files: largest number of uploads.
        most_part: largest size in bytes of a part that is not an upload, such as base64.

    Raises:
        FieldError: it is neither, or is damaged.
        ClientGoneError: the client disconnected before the end.
    """
    kind = kind_of(request.headers)
    form: FormData | None = None
    try:
        try:
            if kind not in (*_FORMS, JSON):
                raise FieldError({"Content-Type": f"must be {_FORMS[0]} or {JSON}; got {kind[:80]!r}."})
            if kind == JSON:
                parts = Body(_json(await request.body()), [])
            else:
                form = await request.form(
                    max_files=most_files, max_fields=_MOST_FIELDS, max_part_size=int(most_part * 4 / 3) + 1024
                )
                parts = _form(form)
        except ClientDisconnect as error:
            raise ClientGoneError("the client disconnected before its request was complete.") from error
        except HTTPException as error:
            raise FieldError({"body": f"{error.detail}"}) from error
        except (FormParserError, UnicodeDecodeError, KeyError) as error:
            raise FieldError({"body": f"is damaged: {error}."}) from error
        yield parts
    finally:
        if form is not None:
            await form.close()


def decoded(text: object, name: str, *, most: int) -> bytes:
    """Decode base64, as a data: URL or not.

    Args:
        text: value of the field.
        name: name of the field.
        most: largest number of bytes.

    Raises:
        FieldError: it is not base64.
        PictureTooLargeError: it has more than ``most`` bytes.
    """
    if not isinstance(text, str):
        raise FieldError({name: "must be base64 text."})
    if text[:5].lower() == "data:":
        text = text.partition(",")[2]
    if len(text) > most * 4 / 3 + 1024:
        raise _too_large(most)
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FieldError({name: f"is not base64: {error}."}) from error
    if len(data) > most:
        raise _too_large(most)
    return data


def _explained(fault: dict[str, Any], kind: type[BaseModel]) -> tuple[str, str]:
    """A field and its error: pydantic's message says what was needed, but not what was sent."""
    name = ".".join(map(str, fault["loc"])) or "body"
    if fault["type"] == "extra_forbidden":
        close = get_close_matches(name, kind.model_fields, n=1)
        return name, "is no field here. " + (f"Did you mean {close[0]}?" if close else "/docs lists all fields.")
    given = fault["input"]
    told = f"; got {str(given)[:40]!r}." if isinstance(given, (str, int, float)) else "."
    return name, f"{fault['msg']}{told}"


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FieldError({"body": f"is not valid JSON: {error}."}) from error
    if not isinstance(value, dict):
        raise FieldError({"body": f"must be a JSON object; got {type(value).__name__}."})
    return {name: each for name, each in value.items() if each is not None and each != ""}


def _form(form: FormData) -> Body:
    fields: dict[str, Any] = {}
    files = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            # Browsers send an empty upload without a name for a file input that was not used.
            if value.size or value.filename:
                files.append((name, value))
        elif value != "":
            if name in fields:
                raise FieldError({name: "is given twice."})
            fields[name] = value
    return Body(fields, files)


def _too_large(most: int) -> PictureTooLargeError:
    return PictureTooLargeError(f"a picture may have up to {most:,} bytes; this one has more. Send a smaller one.")
