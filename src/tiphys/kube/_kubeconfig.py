"""Kubeconfig files: read, merged the way kubectl merges them, and asked for a context."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiphys.errors import ClusterNotConfigured
from tiphys.languages import EvaluationError, yaml_json

HOME = Path("~/.kube/config")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A cluster, user or context, and the directory that its relative paths start from."""

    settings: Mapping[str, Any]
    directory: Path

    def text(self, key: str) -> str:
        """The text under *key*; empty where it is absent."""
        value = self.settings.get(key)
        return value if isinstance(value, str) else ""

    def path(self, key: str) -> Path | None:
        """The file named under *key*."""
        return self.directory / Path(self.text(key)).expanduser() if self.text(key) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The merged content of one or several files."""

    files: Sequence[Path]
    current_context: str
    contexts: Mapping[str, Entry]
    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]

    def context(self, name: str | None) -> tuple[str, Entry, Entry, Entry]:
        """
        Name, context, cluster and user of the context *name*, or of the current one.

        Raises :exc:`ClusterNotConfigured` for one that is missing or points nowhere.
        """
        name = name or self.current_context
        files = ", ".join(map(str, self.files))
        if not name:
            raise ClusterNotConfigured(f"{files}: there is no current-context")
        context = self._entry(self.contexts, "context", name)
        cluster = self._entry(self.clusters, "cluster", context.text("cluster"))
        user = context.text("user")
        entry = self._entry(self.users, "user", user) if user else Entry({}, Path())
        return name, context, cluster, entry

    def _entry(self, entries: Mapping[str, Entry], kind: str, name: str) -> Entry:
        if name in entries:
            return entries[name]
        files = ", ".join(map(str, self.files))
        known = ", ".join(entries) or "none"
        raise ClusterNotConfigured(f"{files}: there is no {kind} {name!r}; there are: {known}")


def from_environment() -> list[Path]:
    """The files that ``KUBECONFIG`` names, whether they exist or not."""
    return [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]


def read(files: Sequence[Path]) -> Kubeconfig | None:
    """
    Merge *files*, of which the first that says something wins; None when none exists.

    Raises :exc:`ClusterNotConfigured` for a file that cannot be read or is no kubeconfig.
    """
    found = [(file, _document(file)) for file in files if file.expanduser().is_file()]
    if not found:
        return None
    current = (document.get("current-context") for _, document in found)
    return Kubeconfig(
        [file for file, _ in found],
        next((name for name in current if isinstance(name, str) and name), ""),
        _merged(found, "contexts", "context"),
        _merged(found, "clusters", "cluster"),
        _merged(found, "users", "user"),
    )


def _document(file: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(yaml_json.convert(file.expanduser().read_bytes()))
    except (OSError, EvaluationError, ValueError) as error:
        raise ClusterNotConfigured(f"{file}: cannot be read as a kubeconfig: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise ClusterNotConfigured(f"{file}: is no kubeconfig")
    return document


def _merged(
    found: Sequence[tuple[Path, Mapping[str, Any]]], plural: str, singular: str
) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for file, document in found:
        for item in document.get(plural) or []:
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                entry = Entry(item.get(singular) or {}, file.expanduser().absolute().parent)
                entries.setdefault(item["name"], entry)
    return entries
