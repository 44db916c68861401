"""Bodies of requests as objects of a type: unknown fields dropped, wrong types refused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tiphys.testing.kubernetes._answers import bad_request
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._types import Type

JSON_NAMES = {bool: "bool", int: "number", float: "number", str: "string", dict: "object",
              list: "array"}  # fmt: skip
EXPECTED = {"string": str, "boolean": bool, "integer": int, "time": str, "bytes": str}


def clone(value: Any) -> Any:
    """A deep copy of JSON."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    return [clone(item) for item in value] if isinstance(value, list) else value


class Unfit(Exception):
    """A value of a wrong type."""


def decode(value: Any, kind: Type, unknown: list[str], *, lean: bool) -> Any:
    """
    A copy of *value* as *kind*; the paths of fields that do not exist are added to *unknown*.

    ``null`` in an object means that the field is absent, and so do empty maps and lists where
    the object is to be *lean*, as built-in kinds are.  Raises :exc:`Unfit` for wrong types.
    """
    return _decode(value, kind, "", unknown, lean)


def _decode(value: Any, kind: Type, path: str, unknown: list[str], lean: bool) -> Any:
    if value is None or kind.shape == "any":
        return clone(value)
    if kind.shape == "scalar":
        return _scalar(value, kind.scalar, path)
    if kind.shape in ("struct", "map"):
        _expect(value, dict, path)
        return dict(_members(value, kind, path, unknown, lean))
    _expect(value, list, path)
    return [_decode(item, kind.item, f"{path}[{i}]", unknown, lean) for i, item in enumerate(value)]


def _members(
    value: dict[str, Any], kind: Type, path: str, unknown: list[str], lean: bool
) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        child = kind.child(key)
        if child is None:
            unknown.append(here)
            continue
        if item is None and not (kind.open and child.shape == "any"):
            continue
        result = _decode(item, child, here, unknown, lean)
        if result or not (lean and child.shape in ("map", "atomic", "set", "keyed")):
            yield key, result


def _scalar(value: Any, scalar: str, path: str) -> Any:
    if scalar in ("quantity", "intstr"):
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            _refuse(value, "string", path)
        return value if scalar == "intstr" or isinstance(value, str) else str(value)
    _expect(value, EXPECTED[scalar], path)
    if scalar == "bytes":
        _check_base64(value)
    if scalar == "time":
        _check_time(value)
    return value


def _expect(value: Any, kind: type, path: str) -> None:
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return
    _refuse(value, JSON_NAMES[kind], path)


def _refuse(value: Any, expected: str, path: str) -> None:
    got = JSON_NAMES.get(type(value), "null")
    raise Unfit(f"json: cannot unmarshal {got} into Go struct field {path} of type {expected}")


def _check_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("illegal base64 data at input byte 0") from None


def _check_time(text: str) -> None:
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        message = f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse'
        raise Unfit(message) from None


def checked(value: Any, kind: Kind, validation: str) -> tuple[Any, list[str]]:
    """
    *value* as *kind*, and warnings; *validation* is ``Ignore``, ``Warn`` or ``Strict``.

    Raises a 400 for wrong types, and for unknown fields where they are not allowed.
    """
    unknown: list[str] = []
    said = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
    try:
        result = decode(value, kind.type, unknown, lean=not kind.custom)
    except Unfit as error:
        raise bad_request(f"{said}{error}") from None
    complaints = [f'unknown field "{path}"' for path in unknown]
    if validation == "Strict" and complaints:
        raise bad_request(f"{said}strict decoding error: {', '.join(complaints)}")
    return result, complaints if validation == "Warn" else []
