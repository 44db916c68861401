"""Collects what the rules find in one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from tiphys.manifests.components import Components
from tiphys.manifests.findings import FieldPath, Finding, Origin, Severity


@dataclasses.dataclass(frozen=True)
class Scope:
    """
    A place in an object, and the list where its findings go.

    What Argo Events refuses is an error.  What it accepts but cannot work with is an error too
    where the scope is *strict*, else a warning, so that manifests which run today still do.
    """

    origin: Origin
    path: FieldPath
    findings: list[Finding]
    components: Components
    strict: bool = True

    def at(self, *steps: str | int) -> Scope:
        """The same for a place further inside."""
        return dataclasses.replace(self, path=(*self.path, *steps))

    def refuse(self, message: str, *, rule: str = "invalid", hint: str = "") -> None:
        """Report what Argo Events refuses as well."""
        self._add("error", rule, message, hint)

    def broken(self, rule: str, message: str, *, hint: str = "") -> None:
        """Report what cannot work, although Argo Events accepts it."""
        self._add("error" if self.strict else "warning", rule, message, hint)

    def warn(self, rule: str, message: str, *, hint: str = "") -> None:
        """Report what is probably not meant."""
        self._add("warning", rule, message, hint)

    def note(self, rule: str, message: str) -> None:
        """Report what is good to know."""
        self._add("note", rule, message, "")

    def _add(self, severity: Severity, rule: str, message: str, hint: str) -> None:
        self.findings.append(self.origin.finding(severity, rule, self.path, message, hint))


def is_one_of(value: str, known: Collection[str]) -> bool:
    """Is *value* given and known?  An empty one is the default."""
    return not value or value in known
