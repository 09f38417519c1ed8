"""Frozen dataclasses as plain JSON values and back.

How a class is written and read is derived once from its type hints, not again for each picture of a record.
If a field may hold one of several classes, the JSON says which: ``{"kind": "plain", "rgba": …}``.
"""

from __future__ import annotations

import base64
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bshm.errors import OptionError

Json = Any
T = TypeVar("T")
_KIND = "kind"


def to_json(value: Any) -> Json:
    """A frozen dataclass as plain JSON values; bytes become ``{"base64": …}``.

    Raises:
        OptionError: it holds something that JSON does not have.
    """
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        tagged = _tagged(type(value))
        made = {name: to_json(getattr(value, name)) for name in _names(type(value))}
        for name in tagged:
            if type(getattr(value, name)) in tagged[name].values():
                made[name] = {_KIND: _tag(type(getattr(value, name))), **made[name]}
        return made
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    raise OptionError(f"a job is written as JSON, which has no {type(value).__name__}: {value!r}.")


def from_json(kind: type[T], value: Json) -> T:
    """The inverse of ``to_json`` for dataclasses.

    Raises:
        OptionError: ``kind`` does not have a name, or does not allow a value.
    """
    made: T = _reader(kind)(value)  # type: ignore[arg-type]  # a class is hashable
    return made


def _tag(kind: type) -> str:
    return kind.__name__.lower()


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _tagged(kind: type) -> dict[str, dict[str, type]]:
    """The fields that hold one of several classes, with these classes by their tags."""
    found = {name: _classes(_hints(kind)[name]) for name in _names(kind)}
    return {name: classes for name, classes in found.items() if len(classes) > 1}


def _classes(hint: Any) -> dict[str, type]:
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return {_tag(each): each for each in kinds if isinstance(each, type) and is_dataclass(each)}


def _as_it_is(value: Json) -> Any:
    return MappingProxyType(value) if isinstance(value, dict) else value


@cache
def _reader(hint: Any) -> Callable[[Json], Any]:
    """The function that makes a value of a type from its JSON."""
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass_reader(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union_reader(hint, args)
    if origin is tuple:
        return _tuple_reader(args)
    if hint is bytes:
        return _bytes
    return _as_it_is


@cache
def _steps(kind: type) -> dict[str, Callable[[Json], Any] | None]:
    """The reader of each field; None for the many fields that need none."""
    hints = _hints(kind)
    return {name: _reader(hints[name]) if _may_be_mapping(hints[name]) else None for name in _names(kind)}


def _dataclass_reader(kind: Any) -> Callable[[Json], Any]:
    def read(value: Json) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, Mapping):
            raise OptionError(f"{kind.__name__} must be a mapping; got {value!r:.80}.")
        steps = _steps(kind)
        unknown = value.keys() - steps.keys()
        if unknown:
            raise OptionError(f"{kind.__name__} has no {', '.join(sorted(map(repr, unknown)))}.")
        try:
            return kind(**{name: each if (step := steps[name]) is None else step(each) for name, each in value.items()})
        except TypeError as error:
            raise OptionError(f"{kind.__name__} is incomplete: {error}.") from error

    return read


def _may_be_mapping(hint: Any) -> bool:
    return hint not in (str, int, float, bool) and get_origin(hint) is not Literal


def _tuple_reader(kinds: tuple[Any, ...]) -> Callable[[Json], Any]:
    if kinds[-1] is Ellipsis:
        step = _reader(kinds[0])
        return lambda value: tuple(map(step, value)) if isinstance(value, (list, tuple)) else value
    steps = [_reader(each) for each in kinds]

    def read(value: Json) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        if len(value) != len(steps):
            raise OptionError(f"{len(steps)} values are required; got {value!r:.80}.")
        return tuple(step(each) for step, each in zip(steps, value, strict=True))

    return read


def _union_reader(hint: Any, kinds: tuple[Any, ...]) -> Callable[[Json], Any]:
    """Read None, a plain value, bytes, a tuple, or one of several dataclasses by its ``kind``."""
    classes = _classes(hint)
    steps = {tag: _reader(each) for tag, each in classes.items()}
    sequence = next((_reader(each) for each in kinds if get_origin(each) is tuple), None)
    takes_bytes = bytes in kinds

    def read(value: Json) -> Any:
        if value is None or isinstance(value, (str, int, float)):
            return value
        if isinstance(value, Mapping):
            if takes_bytes and set(value) == {"base64"}:
                return _bytes(value)
            if len(steps) == 1:
                return next(iter(steps.values()))(value)
            if steps:
                tag = value[_KIND] if _KIND in value else _told_by_names(value, classes)
                if tag not in steps:
                    raise OptionError(f"the kind of {value!r:.80} is needed: {', '.join(sorted(steps))}.")
                return steps[tag]({name: each for name, each in value.items() if name != _KIND})
        if sequence is not None and isinstance(value, list):
            return sequence(value)
        return _as_it_is(value)

    return read


def _told_by_names(value: Mapping[str, Json], classes: Mapping[str, type]) -> str | None:
    """bshm 0.1 wrote no kind: its classes are recognised by their field names, which all differ."""
    found = [tag for tag, kind in classes.items() if set(value) == set(_names(kind))]
    return found[0] if len(found) == 1 else None


def _bytes(value: Json) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, Mapping) else value
