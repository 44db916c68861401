"""What a path finds: a piece of JSON text and its conversions."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.gjson import _values
from tiphys.languages.gjson._integers import digits, signed_digits
from tiphys.languages.numbers import format_plain, parse_bool

__all__ = ["MISSING", "Kind", "Result", "bool_of"]

_MAX_SAFE = 2**53 - 1
_MIN_INT64 = -(2**63)


class Kind(enum.Enum):
    """The type of a value; the values of the members are the names that Argo Events prints."""

    NULL = "Null"
    FALSE = "False"
    NUMBER = "Number"
    STRING = "String"
    TRUE = "True"
    JSON = "JSON"


class Result:
    """
    One value: its kind, its source text, and conversions that never fail.

    A value that was not found is a NULL without text. *index* is where the text begins in the
    searched document (0: unknown), *indexes* the same for the elements of a ``#`` list, and
    *origin* is like *index*, but known also after a pipe (-1: the text is not of the document).
    """

    __slots__ = ("_raw", "index", "indexes", "origin", "text", "type")

    def __init__(
        self,
        kind: Kind,
        raw: str | Callable[[], str],
        text: str = "",
        index: int = 0,
        indexes: list[int] | None = None,
        origin: int = -1,
    ) -> None:
        self.type = kind
        self._raw = raw
        self.text = text
        self.index = index
        self.indexes = indexes
        self.origin = origin

    def __repr__(self) -> str:
        """The kind and the beginning of the text."""
        return f"<Result {self.type.value} {self.raw[:60]!r}>"

    @property
    def raw(self) -> str:
        """The source text, exactly as it stands in the document."""
        if not isinstance(self._raw, str):
            self._raw = self._raw()  # finding it costs more than finding the value
        return self._raw

    @property
    def exists(self) -> bool:
        """Whether anything was found; a null counts as found."""
        return self.type is not Kind.NULL or self._raw != ""

    @property
    def is_object(self) -> bool:
        """Whether this is a JSON object."""
        return self.type is Kind.JSON and self.raw[:1] == "{"

    @property
    def is_array(self) -> bool:
        """Whether this is a JSON array."""
        return self.type is Kind.JSON and self.raw[:1] == "["

    def string(self) -> str:
        """The value as text: "" for null, the source of arrays, objects, and whole numbers."""
        kind = self.type
        if kind is Kind.STRING:
            return self.text
        if kind is Kind.JSON:
            return self.raw
        if kind is Kind.NUMBER:
            unsigned = self.raw.removeprefix("-")
            if self.raw and (not unsigned or (unsigned.isascii() and unsigned.isdigit())):
                return self.raw
            return format_plain(self.number())
        return {Kind.TRUE: "true", Kind.FALSE: "false"}.get(kind, "")

    def value(self) -> Any:
        """
        The value as Python data: every number a float, of equal keys the first.

        Raises LimitExceeded when arrays and objects are nested too deeply.
        """
        kind = self.type
        if kind is Kind.STRING:
            return self.text
        if kind is Kind.NUMBER:
            return _values.number(self.raw)
        if kind is Kind.JSON:
            return _values.decode(self.raw)
        return {Kind.TRUE: True, Kind.FALSE: False}.get(kind)

    def number(self) -> float:
        """The value as a float; 0 for what is neither a number, a numeric text, nor true."""
        if self.type is Kind.NUMBER:
            return _values.number(self.raw)
        if self.type is Kind.STRING:
            return _values.number(self.text)
        return 1.0 if self.type is Kind.TRUE else 0.0

    def boolean(self) -> bool:
        """True for true, numbers other than 0, and texts such as "true", "T" and "1"."""
        if self.type is Kind.STRING:
            return bool_of(self.text) or False
        if self.type is Kind.NUMBER:
            return _values.number(self.raw) != 0
        return self.type is Kind.TRUE

    def integer(self) -> int:
        """The value as a signed 64-bit integer: digits are exact, fractions are cut off."""
        if self.type is not Kind.NUMBER:
            return 1 if self.type is Kind.TRUE else signed_digits(self.text) or 0
        number = _values.number(self.raw)
        if -_MAX_SAFE <= number <= _MAX_SAFE:
            return int(number)
        if math.isnan(number):
            return _MIN_INT64
        exact = signed_digits(self.raw)
        if exact is not None:
            return exact
        return int(number) if -(2.0**63) <= number < 2.0**63 else _MIN_INT64

    def unsigned(self) -> int:
        """The value as an unsigned 64-bit integer: digits are exact, fractions are cut off."""
        if self.type is not Kind.NUMBER:
            return 1 if self.type is Kind.TRUE else digits(self.text) or 0
        number = _values.number(self.raw)
        if 0 <= number <= _MAX_SAFE:
            return int(number)
        exact = digits(self.raw)
        if exact is not None:
            return exact
        if math.isfinite(number) and -(2.0**63) <= number < 2.0**64:
            return int(number) % 2**64
        return 2**63


MISSING = Result(Kind.NULL, "")
"""What a path without a match gives; never changed, since every search shares it."""


def bool_of(text: str) -> bool | None:
    """Read *text* as a boolean in any case; None for texts that are none."""
    try:
        return parse_bool(text.lower())
    except EvaluationError:
        return None
