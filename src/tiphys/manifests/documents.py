"""
Reads YAML and JSON text into plain data that remembers where everything stands.

Scalars mean what they mean to Kubernetes tools (YAML 1.1: ``yes`` is true, ``0123`` is octal,
dates stay text).  Nothing here raises: what cannot be read becomes a :class:`Problem`.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from tiphys.languages import LanguageError
from tiphys.languages.yaml_json import key_text
from tiphys.languages.yaml_json import scalar as scalar_value
from tiphys.manifests.findings import FieldPath, Place

MAX_DEPTH = 100
MAX_VALUES = 200_000  # aliases of aliases grow exponentially

_SEPARATOR = re.compile(r"^(?:---|\.\.\.)(?=\s|$)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%.*$", re.MULTILINE)
_COMMENT = re.compile(r"\s*(?:#.*)?$")


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with the text itself."""

    message: str
    place: Place
    hint: str = ""


@dataclasses.dataclass(frozen=True)
class Document:
    """
    One document of a text.

    *data* is None where the text could not be read, or says so; *places* has the line and column
    of each member and item by its path, the document's own under the empty one.
    """

    data: Any
    places: dict[FieldPath, Place]
    problems: list[Problem]


@dataclasses.dataclass(frozen=True, slots=True)
class _Node:
    """A value and where it begins; mappings are lists of pairs until they are built."""

    value: Any
    place: Place
    kind: type = object
    text: str = ""


class _Unreadable(Exception):
    """The document cannot be read beyond this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@functools.lru_cache(maxsize=1024)  # reloading hundreds of files parses those that changed
def read(text: str) -> tuple[Document, ...]:
    """
    All documents of *text* that are not empty; a broken one does not hide the others.

    Nobody may change what is returned: the same text gives the same documents again.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        text = text.replace("\t", " ")  # JSON may be indented with tabs; its texts hold none
    documents = (_read_one(part, line) for part, line in _parts(text))
    return tuple(found for found in documents if found.data is not None or found.problems)


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """The documents of a text with the number of lines before each."""
    marks = [match.start() for match in _SEPARATOR.finditer(text)]
    for start, end in zip([0, *marks], [*marks, len(text)], strict=True):
        part = _DIRECTIVE.sub("", text[start:end]) if start == 0 else text[start:end]
        if part.startswith("..."):
            part = "   " + part[3:]
        yield part, text.count("\n", 0, start)


def _read_one(text: str, lines_before: int) -> Document:
    if all(_COMMENT.match(line) for line in text.removeprefix("---").splitlines()):
        return Document(None, {}, [])
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    composer = _Composer(lines_before)
    try:
        root = composer.document(yaml.parse(text))
        builder = _Builder()
        data = builder.build(root, ()) if root else None
    except _Unreadable as stop:
        return Document(None, {}, [stop.problem])
    except RecursionError:
        return Document(None, {}, [Problem("nested too deeply", Place(lines_before + 1, 1))])
    except YAMLError as error:
        return Document(None, {}, [_syntax_problem(error, text, lines_before)])
    return Document(data, builder.places, builder.problems)


class _Composer:
    """Makes a tree of the parser's events; an alias is the very node that its anchor names."""

    def __init__(self, lines_before: int) -> None:
        self._lines_before = lines_before
        self._anchors: dict[str, _Node] = {}

    def document(self, events: Iterator[Event]) -> _Node | None:
        self._events = events
        for event in events:
            if isinstance(event, DocumentStartEvent):
                root = self._node(next(events), 0)
                for _ in events:  # the parser finds errors behind the value only when it is driven
                    pass
                return root
        return None

    def _node(self, event: Any, depth: int) -> _Node:
        place = Place(event.start_mark.line + 1 + self._lines_before, event.start_mark.column + 1)
        if depth > MAX_DEPTH:
            raise _Unreadable(Problem(f"more than {MAX_DEPTH} levels inside each other", place))
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                message = f"there is no anchor `&{event.anchor}` before this alias"
                raise _Unreadable(Problem(message, place, "text that begins with `*` needs quotes"))
            return self._anchors[event.anchor]
        if isinstance(event, MappingStartEvent):
            node = _Node(list(self._pairs(depth)), place, dict)
        elif isinstance(event, SequenceStartEvent):
            node = _Node(list(self._items(depth)), place, list)
        else:
            node = _Node(self._scalar(event, place), place, text=event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _items(self, depth: int) -> Iterator[_Node]:
        while not isinstance(event := next(self._events), SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _pairs(self, depth: int) -> Iterator[tuple[_Node | None, _Node]]:
        """Keys and values; the key of a merge is None."""
        while not isinstance(event := next(self._events), MappingEndEvent):
            merge = isinstance(event, ScalarEvent) and event.implicit[0] and event.value == "<<"
            key = self._node(event, depth + 1)
            yield (None if merge else key), self._node(next(self._events), depth + 1)

    def _scalar(self, event: Any, place: Place) -> Any:
        try:
            value = scalar_value(event)
        except LanguageError as error:
            raise _Unreadable(Problem(str(error).removeprefix("yaml: "), place)) from error
        if isinstance(value, float) and value * 0 != 0:
            message = f"`{event.value}` has no place in a manifest, because JSON cannot hold it"
            raise _Unreadable(Problem(message, place, "put it in quotes if it is a text"))
        return _joined(value) if isinstance(value, str) else value


class _Builder:
    """Turns a tree into plain data, noting the place of everything."""

    def __init__(self) -> None:
        self.places: dict[FieldPath, Place] = {}
        self.problems: list[Problem] = []
        self._count = 0

    def build(self, node: _Node, path: FieldPath) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _Unreadable(Problem(f"more than {MAX_VALUES} values", node.place))
        self.places.setdefault(path, node.place)
        if node.kind is list:
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.kind is not dict:
            return node.value
        members: dict[str, Any] = {}
        for name, (key, value) in self._members(node).items():
            self.places[(*path, name)] = key.place
            members[name] = self.build(value, (*path, name))
        return members

    def _members(self, node: _Node) -> dict[str, tuple[_Node, _Node]]:
        """Keys and values with merges resolved: what the mapping says itself comes first."""
        own: dict[str, tuple[_Node, _Node]] = {}
        merged: dict[str, tuple[_Node, _Node]] = {}
        for key, value in node.value:
            if key is None:
                for source in self._merge_sources(value):
                    for name, pair in self._members(source).items():
                        merged.setdefault(name, pair)
                continue
            name = self._name(key)
            if name in own:
                first = own[name][0].place
                written = f"`{name}`" if key.text == name else f"`{key.text}` (read as `{name}`)"
                message = f"duplicate key {written}; line {first.line} has it already"
                self.problems.append(Problem(message, key.place))
            own[name] = (key, value)
        return own | {name: pair for name, pair in merged.items() if name not in own}

    def _merge_sources(self, node: _Node) -> list[_Node]:
        sources = node.value if node.kind is list else [node]
        self._count += len(sources)
        for source in sources:
            if source.kind is not dict:
                raise _Unreadable(Problem("`<<` merges only mappings", source.place))
        return list(sources)

    def _name(self, key: _Node) -> str:
        if key.kind is object:
            try:
                return key_text(key.value)
            except LanguageError:
                pass
        raise _Unreadable(
            Problem(
                "this key is not a text",
                key.place,
                "values such as {{ .Input }} need quotes" if key.kind is dict else "",
            )
        )


def _joined(text: str) -> str:
    """Join the halves of characters that JSON writes as two escapes."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_EXPLANATIONS = [
    (r"found character '\\t'", "a tab cannot indent here", "use spaces"),
    (
        r"found character '(.)' that cannot start any token",
        "a text cannot begin with `{0}`",
        "put the text in quotes",
    ),
    (
        r"mapping values are not allowed here",
        "this `:` cannot start a value here",
        "check the indentation of this line and the one before; a text that holds `: ` needs "
        "quotes",
    ),
    (
        r"could not find expected ':'",
        "the text before this line is neither `key: value` nor part of the line above it",
        "check for a forgotten `:` or a wrong indentation",
    ),
    (
        r"expected <block end>, but found",
        "this line's indentation fits none of the lines above",
        "members of one mapping, or items of one list, begin in the same column",
    ),
    (
        r"expected ',' or '([\]}])', but got",
        "the bracket that is opened {1} is not closed with `{0}`",
        "",
    ),
    (
        r"expected the node content, but found '<stream end>'",
        "the text ends where a value should be",
        "check for a bracket that is not closed",
    ),
    (r"expected the node content, but found '(.*)'", "a value should be here, not `{0}`", ""),
    (r"found unexpected end of stream", "the quote that is opened {1} is never closed", ""),
    (
        r"found unknown escape character '(.)'",
        "`\\{0}` means nothing between double quotes",
        "write `\\\\`, or use single quotes",
    ),
    (
        r"expected alphabetic or numeric character",
        "`*` and `&` begin an alias or an anchor here",
        "put the text in quotes",
    ),
    (r"found undefined tag handle '(.*)'", "there is no tag `{0}`", "put the text in quotes"),
    (
        r"expected chomping or indentation indicators",
        "only `-`, `+` or a number may follow `|` or `>`",
        "put the text on the next line",
    ),
]


def _syntax_problem(error: YAMLError, text: str, lines_before: int) -> Problem:
    """Put the parser's complaint in plain words."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        place = Place(before.count("\n") + 1 + lines_before, len(before) - before.rfind("\n"))
        return Problem("a control character cannot stand in a manifest", place)
    if not isinstance(error, MarkedYAMLError) or error.problem is None:
        return Problem("not readable as YAML", Place(lines_before + 1, 1))
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    opened = error.context_mark
    start = f"in line {opened.line + 1 + lines_before}" if opened else "above"
    place = Place(line + 1 + lines_before, column + 1)
    for pattern, message, hint in _EXPLANATIONS:
        if (match := re.search(pattern, error.problem)) is not None:
            groups = match.groups() or ("",)
            return Problem(message.format(groups[0], start), place, hint)
    return Problem(f"not readable as YAML: {error.problem}", place)
