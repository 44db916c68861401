"""
Parameters: values carried from events into triggers (spec: sensors 15).

Everything is compiled once per sensor.  Resolving reads an event; applying and building a payload
write JSON text in place, so that what no parameter touches stays as it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

from tiphys.errors import ParameterError
from tiphys.languages import LanguageError, gjson, paths, sjson, template
from tiphys.languages.gjson import Document, Kind
from tiphys.manifests.common import Parameter, ParameterSource
from tiphys.sensors.event import Event

Events = Mapping[str, Event]
_RAW_KINDS = frozenset([Kind.NUMBER, Kind.TRUE, Kind.FALSE, Kind.NULL, Kind.JSON])


class _Path(Protocol):
    def get(self, document: Document) -> gjson.Result: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A resolved value: its text, and whether the JSON type may be kept with ``useRawData``."""

    text: str
    kind: Kind


class CompiledParameter:
    """One parameter.  What cannot be compiled falls back as what fails at run time does."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self.source = parameter.src or ParameterSource()
        source = self.source
        self._of_data = bool(source.data_key or source.data_template)
        self._key = source.data_key if self._of_data else source.context_key
        self._path: _Path | LanguageError | None = None
        if self._key:
            self._path = _compiled_path(self._key)
        text = source.data_template if self._of_data else source.context_template
        self._template = _compiled_template(text) if text else None

    def resolve(self, events: Events) -> Value | None:
        """
        The value, or None where its event has not come and there is no default.

        Raises :exc:`ParameterError`.
        """
        source = self.source
        event = events.get(source.dependency_name)
        if event is None:
            return None if source.value is None else Value(source.value, Kind.STRING)
        if self._path is None and self._template is None:
            return Value(event.json if source.value is None else source.value, Kind.STRING)
        try:
            return self._found_in(event)
        except (ParameterError, LanguageError) as error:
            if source.value is not None:
                return Value(source.value, Kind.STRING)
            raise ParameterError(
                f"unable to resolve '{source.dependency_name}' parameter value. err: {error}",
                retryable=False,
            ) from error

    def _found_in(self, event: Event) -> Value:
        document = event.data_document if self._of_data else event.context_document
        failure: LanguageError | None = None
        if self._template is not None:
            try:
                return Value(self._rendered(event), Kind.STRING)
            except LanguageError as error:
                failure = error
        if isinstance(self._path, LanguageError):
            raise self._path
        if self._path is not None:
            found = self._path.get(document)
            if found.exists:
                text = "null" if found.type is Kind.NULL else found.string()
                return Value(text, found.type)
            failure = failure or LanguageError(f"path '{self._key}' does not exist")
        raise failure or LanguageError("nothing to resolve")

    def _rendered(self, event: Event) -> str:
        if isinstance(self._template, LanguageError):
            raise self._template
        assert self._template is not None
        text = self._template.render(event.data_value if self._of_data else event.context_value)
        if text in ("", "<no value>"):
            shown = self.source.data_template or self.source.context_template
            raise LanguageError(f"template evaluated to empty string or no value: {shown}")
        return text


def compile_parameters(parameters: Sequence[Parameter]) -> list[CompiledParameter]:
    """Compile a list; never fails (lint reports what is broken)."""
    return [CompiledParameter(parameter) for parameter in parameters]


def apply(document: str, parameters: Sequence[CompiledParameter], events: Events) -> str:
    """
    Lay *parameters* over the JSON text *document*, one after the other (spec: sensors 15.4).

    Raises :exc:`ParameterError`.
    """
    for compiled in parameters:
        value = compiled.resolve(events)
        if value is None:
            continue
        document = _stored(document, compiled, _combined(document, compiled, value))
    return document


def build_payload(parameters: Sequence[CompiledParameter], events: Events) -> bytes | None:
    """
    The payload document (spec: sensors 15.6); None when nothing makes one.

    Raises :exc:`ParameterError`.
    """
    document: str | None = None
    for compiled in parameters:
        value = compiled.resolve(events)
        if value is None:
            continue
        if not compiled.parameter.dest:
            return value.text.encode("utf-8", "surrogateescape")
        # A destination with wildcards matches nothing in an empty document, and leaves it empty.
        document = _stored(document, compiled, value) or None
    return None if document is None else document.encode("utf-8", "surrogateescape")


def _combined(document: str, compiled: CompiledParameter, value: Value) -> Value:
    """*value* after the parameter's operation."""
    operation = compiled.parameter.operation
    if operation in ("", "overwrite"):
        return value
    if operation not in ("append", "prepend"):
        message = f"unsupported trigger parameter operation: {operation}"
        raise ParameterError(message, retryable=False)
    current = gjson.get(document, compiled.parameter.dest)
    if not current.exists:
        return value
    texts = (current.string(), value.text)
    return Value("".join(texts if operation == "append" else reversed(texts)), Kind.STRING)


def _stored(document: str | None, compiled: CompiledParameter, value: Value) -> str:
    """*document* with *value* at the parameter's destination (spec: sensors 15.5)."""
    dest = compiled.parameter.dest
    try:
        if compiled.source.use_raw_data and value.kind in _RAW_KINDS:
            return sjson.set_raw(document, dest, value.text)
        return sjson.set_value(document, dest, value.text)
    except LanguageError as error:
        raise ParameterError(f"cannot set '{dest}': {error}", retryable=False) from error


def _compiled_path(text: str) -> _Path | LanguageError:
    try:
        return paths.compile(text)
    except LanguageError as error:
        return error


def _compiled_template(text: str) -> template.Template | LanguageError:
    try:
        return template.compile(text)
    except LanguageError as error:
        return error
