"""Keys: values of events by which a mechanism tells them apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tiphys.languages import LanguageError, paths
from tiphys.sensors.event import Event


class KeyPath:
    """
    A path into the data of an event; an empty one gives every event the same key.

    Raises the errors of :mod:`tiphys.languages` when it does not compile.
    """

    def __init__(self, text: str) -> None:
        self._path = paths.compile(text) if text else None

    def of(self, event: Event) -> str | None:
        """
        The value as text; None when the event has none.

        Bytes that are not UTF-8, which foreign publishers may send, are written as escapes: keys
        lie in the bucket as JSON, and events with different ones must stay apart.
        """
        if self._path is None:
            return ""
        try:
            found = self._path.get(event.document)
        except LanguageError:
            return None
        if not found.exists:
            return None
        return found.string().encode("utf-8", "backslashreplace").decode()

    def of_first(self, events: Mapping[str, Event], order: Iterable[str]) -> str:
        """The value in the first event in *order*; those without a value share the empty key."""
        first = next((events[name] for name in order if name in events), None)
        return "" if first is None else self.of(first) or ""
