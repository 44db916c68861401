"""
Loads manifests from files, directories and standard input.

Nothing here raises for what it reads: whatever is wrong becomes a :class:`Finding`, and one broken
document hides no other.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tiphys.manifests import documents
from tiphys.manifests.common import Block
from tiphys.manifests.event_bus import EventBusSpec
from tiphys.manifests.event_source import EventSourceSpec
from tiphys.manifests.findings import Finding, Origin, Place, nearest
from tiphys.manifests.objects import (
    API_VERSION,
    AnyManifest,
    ConfigMap,
    EventBus,
    EventSource,
    Metadata,
    Other,
    Secret,
    Sensor,
)
from tiphys.manifests.secret import ConfigMapSpec, SecretSpec
from tiphys.manifests.sensor import SensorSpec
from tiphys.manifests.validation import Mismatch, fit

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")
TEST_SUFFIXES = tuple(f".test{suffix}" for suffix in SUFFIXES)

# Kinds of the same API version that belong to other Argo projects.
_ARGO_KINDS = frozenset(
    {
        "AnalysisRun",
        "AnalysisTemplate",
        "AppProject",
        "Application",
        "ApplicationSet",
        "ClusterAnalysisTemplate",
        "ClusterWorkflowTemplate",
        "CronWorkflow",
        "Experiment",
        "Rollout",
        "Workflow",
        "WorkflowArtifactGCTask",
        "WorkflowEventBinding",
        "WorkflowTaskResult",
        "WorkflowTaskSet",
        "WorkflowTemplate",
    }
)
_SPECS: dict[type[AnyManifest], type[Block]] = {
    EventSource: EventSourceSpec,
    EventBus: EventBusSpec,
    Sensor: SensorSpec,
    Secret: SecretSpec,
    ConfigMap: ConfigMapSpec,
}
_KINDS = {(cls.api_version, cls.kind): cls for cls in _SPECS}
_OUR_KINDS = [cls.kind for cls in (EventSource, EventBus, Sensor)]

ManifestT = TypeVar("ManifestT", EventSource, EventBus, Sensor, Secret, ConfigMap)


@dataclasses.dataclass
class Loaded:
    """
    What the files hold.

    *objects* fit their models; of *damaged* ones some values did not.  *others* are of kinds that
    do not concern us.  *files* are the names of the files that were read.
    """

    objects: list[AnyManifest] = dataclasses.field(default_factory=list)
    damaged: list[AnyManifest] = dataclasses.field(default_factory=list)
    others: list[Other] = dataclasses.field(default_factory=list)
    findings: list[Finding] = dataclasses.field(default_factory=list)
    files: list[str] = dataclasses.field(default_factory=list)

    @property
    def event_sources(self) -> list[EventSource]:
        """The EventSources among the objects."""
        return self._of(EventSource)

    @property
    def event_buses(self) -> list[EventBus]:
        """The EventBuses among the objects."""
        return self._of(EventBus)

    @property
    def sensors(self) -> list[Sensor]:
        """The Sensors among the objects."""
        return self._of(Sensor)

    @property
    def secrets(self) -> list[Secret]:
        """The Secrets among the objects."""
        return self._of(Secret)

    @property
    def config_maps(self) -> list[ConfigMap]:
        """The ConfigMaps among the objects."""
        return self._of(ConfigMap)

    def _of(self, cls: type[ManifestT]) -> list[ManifestT]:
        return [found for found in self.objects if isinstance(found, cls)]


def load(paths: Iterable[Path | str], *, stdin: BinaryIO | None = None) -> Loaded:
    """
    Read every document of *paths*: files, directories (recursively, in order of names, hidden
    entries left out), or ``-`` for *stdin*.

    Files named ``*.test.yaml`` are unit tests for manifests and left out.
    """
    loading = _Loading()
    for path in paths:
        if str(path) == STDIN:
            loading.add_bytes("<stdin>", (stdin or sys.stdin.buffer).read())
        elif Path(path).is_dir():
            loading.add_directory(Path(path))
        else:
            loading.add_file(Path(path))
    return loading.loaded


def load_text(text: str, file: str = "<text>") -> Loaded:
    """Read every document of *text*."""
    loading = _Loading()
    loading.add_text(file, text)
    return loading.loaded


class _Loading:
    """One run over all paths."""

    def __init__(self) -> None:
        self.loaded = Loaded()
        self._seen: set[Path] = set()

    def add_directory(self, directory: Path) -> None:
        before = len(self.loaded.files)
        for path in self._files_in(directory):
            self.add_file(path, named=False)
        if len(self.loaded.files) == before:
            message = f"there are no manifests ({', '.join(SUFFIXES)}) in this directory"
            self._find("warning", "empty", Origin(str(directory), {}), message)

    def _files_in(self, directory: Path) -> Iterator[Path]:
        try:
            entries = sorted(directory.iterdir())
        except OSError as error:
            self._unreadable(directory, error)
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if self._is_new(entry):
                    yield from self._files_in(entry)
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                yield entry

    def add_file(self, path: Path, *, named: bool = True) -> None:
        """*named*: by the user, not found in a directory."""
        if path.name.lower().endswith(TEST_SUFFIXES) or not self._is_new(path):
            return
        try:
            content = path.read_bytes()
        except OSError as error:
            self._unreadable(path, error)
            return
        self.add_bytes(str(path), content, named=named)

    def _is_new(self, path: Path) -> bool:
        real = Path(os.path.realpath(path))
        new = real not in self._seen
        self._seen.add(real)
        return new

    def _unreadable(self, path: Path, error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        self._find("error", "unreadable", Origin(str(path), {}), f"cannot be read: {reason}")

    def add_bytes(self, file: str, content: bytes, *, named: bool = True) -> None:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            origin = Origin(file, {(): Place(line, 1)})
            self.loaded.files.append(file)
            self._find("error", "syntax", origin, "this line is not UTF-8 text")
            return
        self.add_text(file, text, named=named)

    def add_text(self, file: str, text: str, *, named: bool = True) -> None:
        self.loaded.files.append(file)
        found = documents.read(text)
        for document in found:
            origin = Origin(file, document.places)
            for problem in document.problems:
                self._find(
                    "error",
                    "syntax",
                    Origin(file, {(): problem.place}),
                    problem.message,
                    problem.hint,
                )
            if document.data is not None:
                self._add_document(origin, document.data, named)
        if not found and named:
            self._find("warning", "empty", Origin(file, {}), "there is no manifest in this file")

    def _add_document(self, origin: Origin, data: Any, named: bool) -> None:
        if not isinstance(data, dict):
            if named:
                message = "a manifest is a mapping with `apiVersion`, `kind` and `metadata`"
                self._find("error", "kind", origin, message)
            return
        items = data.get("items")
        if str(data.get("kind", "")).endswith("List") and isinstance(items, list):
            for index, item in enumerate(items):
                self._add_document(origin.below(("items", index)), item, True)
            return
        if (cls := self._class(origin, data, named)) is not None:
            self._add_object(cls, origin, data)

    def _class(self, origin: Origin, data: dict[str, Any], named: bool) -> type[AnyManifest] | None:
        """The class of an object of ours; tells of those that were probably meant to be."""
        version, kind = _text(data.get("apiVersion")), _text(data.get("kind"))
        ours = version is not None and version.startswith("argoproj.io/")
        if version and kind and (cls := _KINDS.get((version, kind))) is not None:
            return cls
        if kind in _OUR_KINDS and (ours or version is None):
            found = f"`{version}`" if version else "missing"
            message = f"the apiVersion of {kind} is `{API_VERSION}`, but here it is {found}"
            self._find("error", "kind", origin, message, path="apiVersion")
        elif ours and kind is None:
            self._find("error", "kind", origin, "`kind` is missing")
        elif ours and kind not in _ARGO_KINDS and nearest(kind or "", _OUR_KINDS):
            message = f"there is no kind `{kind}`{nearest(kind or '', _OUR_KINDS)}"
            self._find("error", "kind", origin, message, path="kind")
        elif kind is None and version is None:
            if named:
                message = "this is no manifest: `apiVersion` and `kind` are missing"
                self._find("warning", "kind", origin, message)
        else:
            metadata = data.get("metadata")
            name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
            self.loaded.others.append(Other(str(kind), name, origin, data))
        return None

    def _add_object(self, cls: type[AnyManifest], origin: Origin, data: dict[str, Any]) -> None:
        metadata = fit(Metadata, data.get("metadata") or {})
        mismatches = [_below("metadata", mismatch) for mismatch in metadata.mismatches]
        if "metadata" not in data:
            mismatches.append(Mismatch(("metadata",), "`metadata` is missing"))
        if cls in (Secret, ConfigMap):
            body = {key: data[key] for key in data if key not in ("apiVersion", "kind", "metadata")}
            spec = fit(_SPECS[cls], body, secret=cls is Secret)
            mismatches += spec.mismatches
        else:
            spec = fit(_SPECS[cls], data.get("spec") or {})
            mismatches += [_below("spec", mismatch) for mismatch in spec.mismatches]
            if data.get("spec") is None:
                mismatches.append(Mismatch(("spec",), "`spec` is missing"))
        for found in mismatches:
            self.loaded.findings.append(
                origin.finding("error", "type", found.path, found.message, found.hint)
            )
        if spec.model is None or metadata.model is None:
            return
        misfits = tuple(found.path for found in mismatches)
        made = cls(metadata.model, spec.model, origin, data, misfits)  # type: ignore[arg-type]
        (self.loaded.damaged if mismatches else self.loaded.objects).append(made)

    def _find(
        self,
        severity: Any,
        rule: str,
        origin: Origin,
        message: str,
        hint: str = "",
        path: str = "",
    ) -> None:
        steps = (path,) if path else ()
        self.loaded.findings.append(origin.finding(severity, rule, steps, message, hint))


def _text(value: Any) -> str | None:
    """*value* if it is a text that says something."""
    return value if isinstance(value, str) and value else None


def _below(key: str, mismatch: Mismatch) -> Mismatch:
    return dataclasses.replace(mismatch, path=(key, *mismatch.path))
