"""What is wrong with a manifest, and where."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Literal

Severity = Literal["error", "warning", "note"]
FieldPath = tuple[str | int, ...]
"""A place inside a document: ``("spec", "triggers", 0, "template")``."""

_PLAIN_KEY = re.compile(r"[\w-]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of a text, both from 1."""

    line: int
    column: int


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong, or worth knowing, in words.

    *rule* is the stable name of the check (docs/reference/lint.md lists them).  *steps* lead to
    the field inside the document, *hint* tells what to do about it; each is empty, and *line* and
    *column* are absent, where there is none.
    """

    severity: Severity
    rule: str
    message: str
    file: str = ""
    line: int | None = None
    column: int | None = None
    steps: FieldPath = ()
    hint: str = ""

    @property
    def path(self) -> str:
        """The field inside the document: ``spec.triggers[0].template.http.url``."""
        return dotted(self.steps)


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where an object stands: its file, and the line and column of each of its members."""

    file: str
    places: Mapping[FieldPath, Place]

    def place(self, path: FieldPath) -> Place | None:
        """The place of *path*, or of the nearest parent that is there."""
        for length in range(len(path), -1, -1):
            if (found := self.places.get(path[:length])) is not None:
                return found
        return None

    def below(self, path: FieldPath) -> Origin:
        """The origin of the object that stands at *path* in this one."""
        length = len(path)
        inside = {at[length:]: place for at, place in self.places.items() if at[:length] == path}
        return Origin(self.file, inside)

    def finding(
        self, severity: Severity, rule: str, path: FieldPath, message: str, hint: str = ""
    ) -> Finding:
        """A finding at *path*."""
        place = self.place(path)
        return Finding(
            severity,
            rule,
            message,
            file=self.file,
            line=place.line if place else None,
            column=place.column if place else None,
            steps=path,
            hint=hint,
        )


def dotted(path: FieldPath) -> str:
    """``spec.triggers[0].template``; keys that hold other characters stand in quotes."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean `x`?`` with the known name that is most like *name*, if there is one."""
    lowered = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f"; did you mean `{lowered[found[0]]}`?" if found else ""
