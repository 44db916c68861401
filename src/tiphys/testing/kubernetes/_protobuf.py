"""
Bodies in protobuf, as kubectl sends for what it creates by options (``kubectl create secret``).

Answers are JSON, which it accepts.  ``types/wire.txt`` has the numbers of the fields, one or more
lines a struct; a struct that is not there, or has other fields, cannot be read.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from tiphys.testing.kubernetes._answers import bad_request
from tiphys.testing.kubernetes._types import SCALAR, Type, builtin

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
Numbers = Mapping[int, str]
EMPTY_FIELDS = frozenset(["status"])  # sent although there is nothing in them


def decode_protobuf(body: bytes) -> dict[str, Any]:
    """The object in *body*.  Raises a 400 for what cannot be read."""
    if not body.startswith(MAGIC):
        raise bad_request("the body of the request is no protobuf object")
    try:
        wrapper = dict(_read(body[len(MAGIC) :]))
        meta = dict(_read(wrapper[1]))
        kind = meta[2].decode()
        found = _message(wrapper.get(2, b""), kind)
        return {"apiVersion": meta[1].decode(), "kind": kind, **found}
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise bad_request(f"the protobuf object cannot be read: {error!r}") from error


@functools.cache
def _numbers() -> Mapping[str, Numbers]:
    """The names of the fields of each struct by number."""
    found: dict[str, dict[int, str]] = {}
    text = (resources.files(__package__) / "types" / "wire.txt").read_text()
    for line in text.splitlines():
        if not line.startswith("#"):
            name, *fields = line.split()
            for field in fields:
                key, _, number = field.partition("=")
                found.setdefault(name, {})[int(number)] = key
    return found


@functools.cache
def _names() -> Mapping[Type, str]:
    """The names of the structs."""
    return {kind: name for name, kind in builtin().items()}


def _message(data: bytes, name: str) -> dict[str, Any]:
    kind, numbers = builtin()[name], _numbers()[name]
    result: dict[str, Any] = {}
    for number, value in _read(data):
        if number not in numbers:
            raise KeyError(f"field {number} of {name}")
        key = numbers[number]
        child = builtin()["ObjectMeta"] if key == "metadata" else kind.fields[key]
        if child.shape == "map":
            entry = dict(_read(value))
            item = _value(entry.get(2, b""), child.item)
            result.setdefault(key, {})[entry.get(1, b"").decode()] = item
        elif child.shape in ("atomic", "set", "keyed"):
            result.setdefault(key, []).append(_value(value, child.item))
        elif (found := _value(value, child)) not in ("", None):
            result[key] = found
    return {key: value for key, value in result.items() if value or key not in EMPTY_FIELDS}


def _value(value: Any, kind: Type) -> Any:
    if kind.shape == "struct":
        return _message(value, _names()[kind])
    if kind.shape == "any":
        return {}
    if kind is SCALAR["boolean"]:
        return bool(value)
    if kind is SCALAR["integer"]:
        return value - (1 << 64) if value >> 63 else value
    if kind is SCALAR["bytes"]:
        return base64.b64encode(value).decode()
    if kind is SCALAR["time"]:
        seconds = dict(_read(value)).get(1)
        return seconds and datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if kind is SCALAR["quantity"]:
        return dict(_read(value)).get(1, b"").decode()
    if kind is SCALAR["intstr"]:
        parts = dict(_read(value))
        return parts.get(3, b"").decode() if parts.get(1) else parts.get(2, 0)
    return value.decode()


def _read(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: numbers for varints, bytes for everything else."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        if tag & 7 == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
        elif tag & 7 == 2:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise IndexError("the message is cut")
            yield tag >> 3, data[position : position + length]
            position += length
        else:
            raise KeyError(f"wire type {tag & 7}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, position
