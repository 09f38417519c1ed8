"""Gather the items of a batch from folders, patterns, manifests, zips and URLs, one after the other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from bshm.bulk import manifest
from bshm.bulk.batch import name_of_url
from bshm.bulk.finding import PassedOver, find, is_pattern, is_picture_name, is_url, key, stem
from bshm.bulk.items import Item, open_zip
from bshm.errors import (
    BshmError,
    ManifestError,
    NoPicturesError,
    OptionError,
    OutputExistsError,
    SourceNotFoundError,
    UnreadablePictureError,
    option,
)
from bshm.files import zips


def gather(inputs: Iterable[str | Path], *, folder: Path, suffix: str, passed_over: PassedOver) -> Iterator[Item]:
    """The items that the inputs name, in their order; an item that cannot be processed has an error.

    A result goes below ``folder``, with the name of its picture and the sub-folders of that in a folder, a zip or a
    manifest's relative path.  A manifest's ``output`` overrides this.

    Args:
        inputs: files, folders with everything below them, patterns, manifests, zips, URLs.
        folder: the folder of the results, which is not searched.
        suffix: suffix of results whose name is not in a manifest.
        passed_over: counts the skipped files.

    Raises:
        OptionError: ``folder`` is an input or a parent of one.
        NoPicturesError: a folder, a pattern, a zip or a manifest without pictures.
        ManifestError, SourceNotFoundError, UnreadablePictureError: a manifest or a zip cannot be read.
        MissingExtraError: a manifest is Parquet, and pyarrow is not installed.
    """
    number = 0
    for given in map(str, inputs):
        for item in _named_by(given, folder, suffix, passed_over):
            yield replace(item, number=number)
            number += 1


def _named_by(given: str, folder: Path, suffix: str, passed_over: PassedOver) -> Iterator[Item]:
    if is_url(given):
        yield _item(given, Path(), suffix)
        return
    if _within(given if not is_pattern(given) else os.path.dirname(given) or ".", folder):  # noqa: PTH120
        raise OptionError(
            f"the results would go into {folder}, where the pictures are, or above them. Give "
            f"{option('output')} another folder."
        )
    is_folder = os.path.isdir(given)  # noqa: PTH112 - Path.is_dir() may raise
    if not is_folder and manifest.is_manifest(given):
        yield from _by_manifest(Path(given), folder, suffix)
    elif not is_folder and given.lower().endswith(".zip"):
        yield from _in_zip(given, suffix, passed_over)
    else:
        for found in find(given, outside=folder, recursive=True, several=True, passed_over=passed_over):
            if found.error is not None:
                yield Item(0, found.source, error=found.error)
            else:
                yield _item(found.source, found.below, suffix)


def _by_manifest(path: Path, folder: Path, suffix: str) -> Iterator[Item]:
    some = False
    for row in manifest.rows(path):
        some = True
        if row.problem is not None:
            yield Item(0, row.place, error=ManifestError(row.problem))
            continue
        try:
            source = _from_manifest(row.input, path.parent)
            output = None if row.output is None else _below(row.output, suffix, row.place)
        except BshmError as error:
            yield Item(0, row.input, error=error)
            continue
        below = PurePosixPath() if is_url(row.input) else PurePosixPath(row.input.replace(os.sep, "/")).parent
        kept = Path() if below.is_absolute() or ".." in below.parts else Path(below)
        item = _item(source, kept, suffix)
        if not is_url(source) and _within(source, folder):
            reason = f"{source} is in the folder of the results. Move it, or give {option('output')} another folder."
            item = Item(0, source, error=OutputExistsError(reason))
        yield item if output is None or item.error is not None else replace(item, output=output)
    if not some:
        raise NoPicturesError(f"the manifest {path} has no rows.")


def _from_manifest(given: str, base: Path) -> str:
    if not is_url(given):
        return str(base / given)
    if given[:7].lower() == "file://":
        parts = urlsplit(given)
        if parts.netloc not in ("", "localhost"):
            raise SourceNotFoundError(f"{given} is on another machine. Use a local path or an http(s) URL.")
        return unquote(parts.path)
    return given


def _below(output: str, suffix: str, place: str) -> str:
    """A path from a manifest or a zip, checked to stay below the folder of the results."""
    path = PurePosixPath(output.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", output) or not path.name:
        raise OptionError(f"{place} would be written to {output!r}, outside the folder of the results.")
    return str(path if path.suffix else path.with_name(f"{path.name}.{suffix}"))


def _in_zip(given: str, suffix: str, passed_over: PassedOver) -> Iterator[Item]:
    some = False
    with open_zip(given) as archive:
        for entry in zips.files_in(archive):
            path = zips.path_in(entry)
            kind = PurePosixPath(path).suffix.lower()
            if not is_picture_name(path):
                passed_over.kinds[kind] += 1
                continue
            some = True
            try:
                yield Item(0, given, entry.filename, _below(f"{_without_suffix(path)}.{suffix}", suffix, path))
            except OptionError as error:
                yield Item(0, given, entry.filename, error=UnreadablePictureError(str(error)))
    if not some:
        raise NoPicturesError(f"the zip {given} holds no pictures.")


def _without_suffix(path: str) -> str:
    parent, _, name = path.rpartition("/")
    return f"{parent}/{stem(Path(name))}" if "/" in path else stem(Path(name))


def _item(source: str, below: Path, suffix: str) -> Item:
    name = stem(Path(name_of_url(source) if is_url(source) else source))
    if not name:
        return Item(0, source, error=SourceNotFoundError(f"{source} names no picture."))
    return Item(0, source, output=(below / f"{name}.{suffix}").as_posix())


def _within(path: str, folder: Path) -> bool:
    """Whether ``path`` is ``folder`` or is in it."""
    inner, outer = key(Path(path)), key(folder)
    return inner == outer or inner.startswith(os.path.join(outer, ""))  # noqa: PTH118
