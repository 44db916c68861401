"""Decoded JSON that counts how often it is looked through, so that a query can be stopped."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator
from typing import Any

from tiphys.languages._errors import LimitExceeded

__all__ = ["MAX_STEPS", "Steps"]

MAX_STEPS = 100_000
"""Members and elements that one evaluation may look at, filters inside filters included."""

_USUAL_PATH = 100  # characters; what a longer path does with each member counts as more steps


class Steps:
    """The steps of one evaluation of *path*, counted by the values that counted() returns."""

    def __init__(self, path: str) -> None:
        self.taken = 0
        self.weight = 1 + len(path) // _USUAL_PATH

    def spend(self, steps: int) -> None:
        """Count *steps*; raises LimitExceeded beyond MAX_STEPS."""
        self.taken += steps * self.weight
        if self.taken > MAX_STEPS:
            raise LimitExceeded(f"JSONPath takes more than {MAX_STEPS} steps")

    def counted(self, value: Any) -> Any:
        """*value* with dicts and lists that count."""
        if isinstance(value, dict):
            return _Object(self, {key: self.counted(item) for key, item in value.items()})
        if isinstance(value, list):
            return _Array(self, [self.counted(item) for item in value])
        return value


class _Object(dict[str, Any]):
    __slots__ = ("_steps",)

    def __init__(self, steps: Steps, members: dict[str, Any]) -> None:
        super().__init__(members)
        self._steps = steps

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]  # that of a dict is narrower
        self._steps.spend(len(self))
        return super().items()


class _Array(list[Any]):
    __slots__ = ("_steps",)

    def __init__(self, steps: Steps, elements: list[Any]) -> None:
        super().__init__(elements)
        self._steps = steps

    def __iter__(self) -> Iterator[Any]:
        self._steps.spend(len(self))
        return super().__iter__()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            self._steps.spend(len(self))
        return super().__getitem__(index)
