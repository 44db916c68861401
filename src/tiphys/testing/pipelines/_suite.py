"""Unit tests for manifests as files: ``*.test.yaml`` (docs/guide/testing-manifests.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from tiphys.errors import ManifestError
from tiphys.manifests import documents
from tiphys.manifests.common import Block
from tiphys.manifests.findings import FieldPath, Origin, nearest
from tiphys.manifests.loader import TEST_SUFFIXES
from tiphys.manifests.validation import fit
from tiphys.testing.pipelines._confinement import leads_out
from tiphys.testing.pipelines._findings import first_of
from tiphys.testing.pipelines._given import Given, event, moment, read_json, recorded
from tiphys.triggers import triggers

PAYLOADS = ("data", "data_file", "body", "body_file", "recorded")
FILES = ("data_file", "body_file", "recorded")


class GivenEvent(Block):
    """One entry of ``events``."""

    source: str = Field("", description="Name of the EventSource.")
    event: str = Field("", description="Name of the event in it.")
    data: Any = Field(None, description="The payload, as sensors see it.")
    data_file: str = Field("", description="JSON file with the payload.")
    body: Any = Field(None, description="Body of a webhook; with `header` it is the payload.")
    body_file: str = Field("", description="JSON file with the body of a webhook.")
    header: dict[str, str | list[str]] = Field({}, description="Header of a webhook.")
    recorded: str = Field("", description="File or folder of `tiphys events record`.")
    at: str = Field("", description="When it comes: a time, or `+5m` after the event before.")
    id: str = Field("", description="Id of the event; its number when empty.")
    type: str = Field("", description="CloudEvents type; that of the event source when empty.")

    def given(self, folder: Path) -> list[Given]:
        """The events that the entry stands for.  Raises :exc:`ManifestError`."""
        used = [name for name in PAYLOADS if name in self.model_fields_set]
        if len(used) > 1:
            names = " and ".join(f"`{_alias(name)}`" for name in used)
            raise ManifestError(f"an event has one payload, but here are {names}")
        if self.recorded:
            return self._recorded(folder)
        for name, value in (("source", self.source), ("event", self.event)):
            if not value:
                raise ManifestError(f"`{name}` is missing")
        payload = self._payload(folder)
        if self.header and not payload.keys() <= {"body"}:
            raise ManifestError("`header` belongs to `body`; `data` is the whole payload")
        header = self.header or None
        at = moment(self.at) if self.at else None
        return [
            event(
                self.source, self.event, **payload, header=header, id=self.id, at=at, type=self.type
            )
        ]

    def _recorded(self, folder: Path) -> list[Given]:
        events = recorded(folder / self.recorded)
        if not self.at:
            return events
        if len(events) > 1:
            raise ManifestError("`at` fits one recorded event; here are several, with their times")
        return [dataclasses.replace(events[0], at=moment(self.at))]

    def _payload(self, folder: Path) -> dict[str, Any]:
        """The argument of :func:`event` that gives the payload."""
        given = self.model_fields_set
        if self.data_file or self.body_file:
            name = "data" if self.data_file else "body"
            return {name: read_json(folder / (self.data_file or self.body_file))}
        return {name: getattr(self, name) for name in ("data", "body") if name in given}


class Expectation(Block):
    """One entry of ``expect``; a trigger type among its members has the expected options."""

    sensor: str = Field("", description="Name of the Sensor.")
    trigger: str = Field("", description="Name of the trigger.")
    none: bool = Field(False, description="The trigger (without one: no trigger) acts.")
    because: str = Field("", description="Part of the reason why it does not.")
    error: str = Field("", description="Part of the error with which the action fails.")
    payload: Any = Field(None, description="The payload that is sent.")
    resource: Any = Field(None, description="The object that is created.")
    events: dict[str, str | int] = Field({}, description="Ids of the events by dependency.")
    at: str = Field("", description="When: a time, or `+30s` after the event that decided it.")
    exactly: bool = Field(False, description="Mappings have no further members.")

    @property
    def blocks(self) -> dict[str, Any]:
        """The expected options by trigger type."""
        return dict(self.model_extra or {})


def _as_list(value: Any) -> Any:
    """``none``, one expectation, or several of them: as several."""
    if value == "none":
        return [{"none": True}]
    return [value] if isinstance(value, Mapping) else value


class CaseBlock(Block):
    """One entry of ``tests``."""

    name: str = Field(description="What the manifests should do, in words.")
    events: list[GivenEvent] = Field(min_length=1, description="What comes, in order.")
    until: str = Field("", description="How far time goes on after the last event.")
    expect: Annotated[list[Expectation], BeforeValidator(_as_list)] = Field(
        min_length=1, description="What is done about them."
    )
    strict: bool = Field(False, description="No trigger acts that is not expected to.")


class SuiteBlock(Block):
    """A file."""

    manifests: list[str] = Field(["."], description="Files and folders, from the file's folder.")
    tests: list[CaseBlock] = Field(description="The tests.")


@dataclasses.dataclass(frozen=True)
class Case:
    """One test: *block* in *file*, at *line*."""

    name: str
    file: str
    line: int
    block: CaseBlock

    def events(self) -> list[Given]:
        """The events of the test.  Raises :exc:`ManifestError`."""
        folder = Path(self.file).parent
        found = []
        for number, entry in enumerate(self.block.events, 1):
            try:
                found += entry.given(folder)
            except ManifestError as error:
                path = error.path or f"events[{number - 1}]"
                file, line = error.file or self.file, error.line if error.file else self.line
                raise ManifestError(error.message, path=path, file=file, line=line) from error
        return found


@dataclasses.dataclass(frozen=True)
class Suite:
    """The tests of one file, and the manifests that they are about."""

    file: str
    manifests: tuple[str, ...]
    cases: list[Case]

    @classmethod
    def read(cls, path: Path, *, within: Path | None = None) -> Suite:
        """
        Read a file.

        *within*: it may name no file outside of this folder.  Raises :exc:`ManifestError` with the
        place of what is wrong in it.
        """
        data, origin = _document(path)
        fitted = fit(SuiteBlock, data)
        errors = [
            origin.finding("error", "unknown-key", steps, message)
            for steps, message in _unknown_keys(SuiteBlock, data)
        ]
        errors += [
            origin.finding("error", "type", found.path, found.message, found.hint)
            for found in fitted.mismatches
        ]
        if fitted.model is not None:
            errors += [
                origin.finding(
                    "error",
                    "outside",
                    steps,
                    f"{name!r} leads out of the files that may be read here",
                )
                for steps, name in _files(fitted.model)
                if leads_out(path.parent / name, within)
            ]
        if errors or fitted.model is None:
            raise first_of(errors)
        cases = []
        for index, block in enumerate(fitted.model.tests):
            place = origin.place(("tests", index))
            cases.append(Case(block.name, str(path), place.line if place else 1, block))
        folder = path.parent
        return cls(str(path), tuple(str(folder / m) for m in fitted.model.manifests), cases)


def discover(path: Path) -> list[Path]:
    """
    The test files in a folder, in order of names; hidden folders are left out.

    A file is taken as it is.  Raises :exc:`ManifestError` when there is no such path.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ManifestError("there is no such file or folder", file=str(path))
    return sorted(
        found
        for found in path.rglob("*.test.*")
        if found.name.lower().endswith(TEST_SUFFIXES)
        and found.is_file()
        and not any(part.startswith(".") for part in found.relative_to(path).parts)
    )


def _document(path: Path) -> tuple[Any, Origin]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ManifestError(f"cannot be read: {reason.lower()}", file=str(path)) from error
    found = documents.read(text)
    for document in found:
        for problem in document.problems:
            raise ManifestError(problem.message, file=str(path), line=problem.place.line)
    if len(found) != 1 or not isinstance(found[0].data, dict):
        raise ManifestError("a test file is one document, a mapping with `tests`", file=str(path))
    return found[0].data, Origin(str(path), found[0].places)


def _unknown_keys(
    model: type[BaseModel], data: Any, path: FieldPath = ()
) -> Iterator[tuple[FieldPath, str]]:
    """The keys of *data*, and of the blocks inside it, that nothing reads."""
    if not isinstance(data, Mapping):
        return
    known = {field.alias or name for name, field in model.model_fields.items()}
    if model is Expectation:
        known |= set(triggers.names())
    for key in data:
        if key not in known:
            yield (*path, key), f"unknown key `{key}`{nearest(str(key), known)}"
    for key, inner in _INSIDE.get(model, {}).items():
        value = data.get(key)
        for index, each in enumerate(value if isinstance(value, list) else []):
            yield from _unknown_keys(inner, each, (*path, key, index))
        if isinstance(value, Mapping):
            yield from _unknown_keys(inner, value, (*path, key))


_INSIDE: dict[type[BaseModel], dict[str, type[BaseModel]]] = {
    SuiteBlock: {"tests": CaseBlock},
    CaseBlock: {"events": GivenEvent, "expect": Expectation},
}


def _files(suite: SuiteBlock) -> Iterator[tuple[FieldPath, str]]:
    """Every file and folder that a suite names, after the place where it does."""
    for index, name in enumerate(suite.manifests):
        yield ("manifests", index), name
    for number, case in enumerate(suite.tests):
        for index, given in enumerate(case.events):
            for key in FILES:
                if name := getattr(given, key):
                    yield ("tests", number, "events", index, _alias(key)), name


def _alias(name: str) -> str:
    return GivenEvent.model_fields[name].alias or name
