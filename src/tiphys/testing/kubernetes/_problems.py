"""What is wrong with an object: the causes of a 422, in the words of an API server."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an object: a cause of a 422."""

    reason: str
    field: str
    message: str

    @classmethod
    def required(cls, field: str, text: str = "") -> Problem:
        """A value is missing."""
        return cls("FieldValueRequired", field, "Required value" + (f": {text}" if text else ""))

    @classmethod
    def invalid(cls, field: str, value: Any, text: str) -> Problem:
        """A value is not allowed."""
        return cls("FieldValueInvalid", field, f"Invalid value: {quoted(value)}: {text}")

    @classmethod
    def unsupported(cls, field: str, value: Any, allowed: Sequence[str]) -> Problem:
        """A value is none of the allowed ones."""
        known = ", ".join(f'"{text}"' for text in allowed)
        message = f"Unsupported value: {quoted(value)}: supported values: {known}"
        return cls("FieldValueNotSupported", field, message)

    @classmethod
    def forbidden(cls, field: str, text: str) -> Problem:
        """A value may not be there, or not change."""
        return cls("FieldValueForbidden", field, f"Forbidden: {text}")

    @classmethod
    def duplicate(cls, field: str, value: Any) -> Problem:
        """A value is there twice."""
        return cls("FieldValueDuplicate", field, f"Duplicate value: {quoted(value)}")


def quoted(value: Any) -> str:
    """A value as messages show it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return "null" if value is None else str(value)
