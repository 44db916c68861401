"""JSON documents in the form of Avro, as far as their schema can tell what is meant."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import fastavro
import fastavro.schema
import orjson

_INTEGERS = {"int": 31, "long": 63}  # bits of magnitude
_FRACTIONS = ("float", "double")


class NotOfSchema(ValueError):
    """A value is none of what its schema allows; the message has the path to it."""


class AvroSchema:
    """
    A schema, and how JSON becomes a value of it.

    JSON has one kind of number and no bytes, so numbers become what the schema demands where that
    loses nothing, and texts become bytes as in Avro's own JSON (a character is a byte).
    """

    def __init__(self, text: str) -> None:
        """Raises :exc:`ValueError` for what is no schema."""
        self._named: dict[str, Any] = {}
        try:
            self._schema = fastavro.schema.parse_schema(orjson.loads(text), self._named)
        except (
            fastavro.schema.SchemaParseException,
            fastavro.schema.UnknownType,
            KeyError,
            TypeError,
        ) as error:
            raise ValueError(f"it is no Avro schema: {error}") from error

    def encode(self, document: Any) -> bytes:
        """*document* in Avro's binary form.  Raises :exc:`NotOfSchema`."""
        value = self._value(self._schema, document, "")
        stream = io.BytesIO()
        try:
            fastavro.schemaless_writer(stream, self._schema, value)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise NotOfSchema(str(error)) from error
        return stream.getvalue()

    def _value(self, schema: Any, given: Any, path: str) -> Any:
        """*given* as a value of *schema*."""
        if isinstance(schema, list):
            return self._of_union(schema, given, path)
        kind = schema["type"] if isinstance(schema, Mapping) else schema
        if kind in self._named:
            return self._value(self._named[kind], given, path)
        if isinstance(kind, Mapping | list):
            return self._value(kind, given, path)
        if kind in ("record", "error"):
            return self._record(schema, _expect(dict, kind, given, path), path)
        if kind == "array":
            items = enumerate(_expect(list, kind, given, path))
            return [self._value(schema["items"], v, f"{path}[{i}]") for i, v in items]
        if kind == "map":
            members = _expect(dict, kind, given, path).items()
            return {k: self._value(schema["values"], v, f"{path}.{k}") for k, v in members}
        return _scalar(kind, schema, given, path)

    def _record(self, schema: Mapping[str, Any], given: dict[str, Any], path: str) -> Any:
        record = {}
        for field in schema["fields"]:
            name = field["name"]
            if name in given:
                record[name] = self._value(field["type"], given[name], f"{path}.{name}")
            elif "default" not in field:
                raise NotOfSchema(f"{path}.{name} is missing")
        return record

    def _of_union(self, branches: list[Any], given: Any, path: str) -> Any:
        """The first branch that takes *given* as it is, or else the first that takes it at all."""
        found = []
        for branch in branches:
            try:
                value = self._value(branch, given, path)
            except NotOfSchema:
                continue
            if type(value) is type(given):
                return value
            found.append(value)
        if not found:
            raise NotOfSchema(f"{path or 'the document'} is none of what its union allows")
        return found[0]


def _scalar(kind: str, schema: Any, given: Any, path: str) -> Any:
    """A value without parts."""
    if kind in _INTEGERS:
        limit = 1 << _INTEGERS[kind]
        number = _expect((int, float), kind, given, path)
        if number != int(number) or not -limit <= number < limit:
            raise NotOfSchema(f"{path or 'the document'} is no {kind}: {number}")
        return int(number)
    if kind in _FRACTIONS:
        return float(_expect((int, float), kind, given, path))
    if kind in ("bytes", "fixed"):
        text: str = _expect(str, kind, given, path)
        try:
            data = text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise NotOfSchema(f"{path or 'the document'} has characters beyond a byte") from error
        if kind == "fixed" and len(data) != schema["size"]:
            raise NotOfSchema(f"{path} is not of {schema['size']} bytes")
        return data
    if kind == "enum":
        symbol = _expect(str, kind, given, path)
        if symbol not in schema["symbols"]:
            raise NotOfSchema(f"{path} is none of {', '.join(schema['symbols'])}")
        return symbol
    expected = {"null": type(None), "boolean": bool, "string": str}[kind]
    return _expect(expected, kind, given, path)


def _expect(kind: type | tuple[type, ...], name: str, given: Any, path: str) -> Any:
    """*given*, which must be of *kind*; true and false are no numbers."""
    if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
        raise NotOfSchema(f"{path or 'the document'} must be of the type {name}")
    return given
