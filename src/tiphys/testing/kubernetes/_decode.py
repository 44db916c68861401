"""Bodies of requests as objects of a type: unknown fields dropped, wrong types refused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tiphys.testing.kubernetes._answers import ApiError, bad_request
from tiphys.testing.kubernetes._types import Type

JSON_NAMES = {bool: "bool", int: "number", float: "number", str: "string", dict: "object",
              list: "array"}  # fmt: skip
EXPECTED = {"string": str, "boolean": bool, "integer": int, "time": str, "bytes": str}


def clone(value: Any) -> Any:
    """A deep copy of JSON."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    return [clone(item) for item in value] if isinstance(value, list) else value


def decode(value: Any, kind: Type, unknown: list[str]) -> Any:
    """
    A copy of *value* as *kind*; the paths of fields that do not exist are added to *unknown*.

    ``null`` in an object means that the field is absent.  Raises a 400 for wrong types.
    """
    return _decode(value, kind, "", unknown)


def _decode(value: Any, kind: Type, path: str, unknown: list[str]) -> Any:
    if value is None or kind.shape == "any":
        return clone(value)
    if kind.shape == "scalar":
        return _scalar(value, kind.scalar, path)
    if kind.shape in ("struct", "map"):
        _expect(value, dict, path)
        return dict(_members(value, kind, path, unknown))
    _expect(value, list, path)
    return [_decode(item, kind.item, f"{path}[{i}]", unknown) for i, item in enumerate(value)]


def _members(
    value: dict[str, Any], kind: Type, path: str, unknown: list[str]
) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        child = kind.child(key)
        if child is None:
            unknown.append(here)
        elif item is not None or (kind.shape == "struct" and child.shape == "any" and kind.open):
            yield key, _decode(item, child, here, unknown)


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
    raise bad_request(
        f"json: cannot unmarshal {got} into Go struct field {path} of type {expected}"
    )


def _check_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request("illegal base64 data at input byte 0") from None


def _check_time(text: str) -> None:
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        message = f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse'
        raise bad_request(message) from None


def checked(value: Any, kind: Type, validation: str) -> tuple[Any, list[str]]:
    """
    *value* as *kind*, and warnings; *validation* is ``Ignore``, ``Warn`` or ``Strict``.

    Raises a 400 for unknown fields where they are not allowed.
    """
    unknown: list[str] = []
    result = decode(value, kind, unknown)
    complaints = [f'unknown field "{path}"' for path in unknown]
    if validation == "Strict" and complaints:
        raise strict_error(complaints)
    return result, complaints if validation == "Warn" else []


def strict_error(complaints: list[str]) -> ApiError:
    """What ``fieldValidation=Strict`` answers."""
    return bad_request(f"strict decoding error: {', '.join(complaints)}")
