"""Documents that many paths are evaluated on, and compiled paths."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from tiphys.languages._errors import CompileError, LimitExceeded
from tiphys.languages.gjson import _parse
from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._components import array_component, object_component
from tiphys.languages.gjson._result import MISSING, Kind, Result
from tiphys.languages.gjson._scan import trim
from tiphys.languages.gjson._search import search
from tiphys.languages.gjson._valid import is_valid

__all__ = ["MAX_PATH", "Document", "Path", "compile", "get", "parse", "valid"]

MAX_PATH = 16_384
"""Characters that a path may have."""

_PLAIN = re.compile(r"(?:[^.|*?\\#@!\[{]|\\.)+(?:\.(?:[^.|*?\\#@!\[{]|\\.)+)*", re.DOTALL)
_NO_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_UNDECODED: Final = object()
_UNREADABLE: Final = object()
_ABSENT: Final = object()


class _Number(str):
    """A number in a decoded document, as its source text."""

    __slots__ = ()


class Document:
    """
    The JSON text of one event, decoded at most once however many paths look into it.

    *text* may be anything: paths find in broken JSON what Argo Events finds there.
    """

    __slots__ = ("_tree", "text")

    def __init__(self, text: bytes | str) -> None:
        self.text = _as_text(text)
        self._tree: Any = _UNDECODED

    @property
    def valid(self) -> bool:
        """Whether the text is valid JSON; like Argo Events, this does not look at its encoding."""
        return self.tree is not _UNREADABLE or is_valid(self.text)

    def at(self, location: Sequence[str | int]) -> Result:
        """
        The value under the keys and indexes of *location*, negative indexes from the end.

        Of equal keys the first counts. Does not exist in text that is not valid JSON in UTF-8.
        """
        node = self.tree
        if node is _UNREADABLE:
            return _located(self.text, location) if _is_strict(self.text) else MISSING
        for step in location:
            if type(node) is dict and isinstance(step, str):
                node = node.get(step, _ABSENT)
            elif type(node) is list and isinstance(step, int) and -len(node) <= step < len(node):
                node = node[step]
            else:
                return MISSING
        return _result(node, lambda: _located(self.text, location).raw)

    @property
    def tree(self) -> Any:
        """
        The decoded text, numbers as their source.

        No dict and no list where only a search of the text can tell what Argo Events finds: for
        broken JSON, and where an object has two equal keys.
        """
        if self._tree is _UNDECODED:
            self._tree = _decoded(self.text)
        return self._tree


def _as_text(text: bytes | str) -> str:
    if isinstance(text, bytes):
        return text.decode("utf-8", "surrogateescape")
    return text if text.isascii() else _NO_CHARACTER.sub("\ufffd", text)


def _is_strict(text: str) -> bool:
    """Whether *text* is JSON in UTF-8 without NaN, and without halves of surrogate pairs."""
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def _decoded(text: str) -> Any:
    try:
        return _decode(trim(text))[0] if _is_strict(text) else _UNREADABLE
    except (ValueError, RecursionError):
        return _UNREADABLE


def _located(text: str, location: Sequence[str | int]) -> Result:
    """The value at *location* of a valid JSON text."""
    value = _parse.parse(text)
    for step in location:
        found = None
        if isinstance(step, str) and value.is_object:
            found = next((item for _, key, item in _parse.members(value) if key == step), None)
        elif isinstance(step, int) and value.is_array:
            items = [item for _, _, item in _parse.members(value)]
            found = items[step] if -len(items) <= step < len(items) else None
        if found is None:
            return MISSING
        value = found
    return value


def _result(node: Any, raw: Callable[[], str]) -> Result:
    """The result for a decoded value, whose source is looked for only when it is asked for."""
    kind = type(node)
    if kind is str:
        return Result(Kind.STRING, raw, node)
    if kind is _Number:
        return Result(Kind.NUMBER, str(node))
    if kind is dict or kind is list:
        return Result(Kind.JSON, raw)
    return _CONSTANTS[node]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("two equal keys")
    return members


_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_Number, parse_float=_Number
).raw_decode


class Path:
    """A path, ready to be evaluated; made by compile()."""

    __slots__ = ("_keys", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._keys = _plain_keys(text)

    def __repr__(self) -> str:
        """The path."""
        return f"<Path {self.text!r}>"

    def get(self, document: Document | bytes | str) -> Result:
        """What the path finds in *document*. Raises LimitExceeded when it takes too much."""
        if isinstance(document, Document):
            node = document.tree
            if self._keys is not None and type(node) in (dict, list):
                return self._walk(document, node)
            return self._search(document.text)
        return self._search(_as_text(document))

    def _search(self, text: str) -> Result:
        try:
            return search(text, self.text, Budget())
        except RecursionError:
            raise LimitExceeded("path is nested too deeply") from None

    def _walk(self, document: Document, node: Any) -> Result:
        for key, index in self._keys or ():
            if type(node) is dict:
                node = node.get(key, _ABSENT)
            elif type(node) is list:
                if index is None:
                    return self._search(document.text)
                node = node[index] if 0 <= index < len(node) else _ABSENT
            else:
                return MISSING
        return _result(node, functools.partial(self._raw, document))

    def _raw(self, document: Document) -> str:
        return self._search(document.text).raw


_CONSTANTS = {
    True: Result(Kind.TRUE, "true"),
    False: Result(Kind.FALSE, "false"),
    None: Result(Kind.NULL, "null"),
    _ABSENT: MISSING,
}


def _plain_keys(path: str) -> tuple[tuple[str, int | None], ...] | None:
    """
    Key and index of each component of a path of keys only; None for other paths.

    An escaped key has no index: escapes mean nothing to arrays, which must then read the path
    themselves.
    """
    if not _PLAIN.fullmatch(path):
        return None
    keys: list[tuple[str, int | None]] = []
    rest: str | None = path
    while rest is not None:
        component = object_component(rest)
        index = array_component(rest).index if "\\" not in path else None
        keys.append((component.part, index))
        rest = component.rest
    return tuple(keys)


@functools.lru_cache(maxsize=4096)
def compile(path: str) -> Path:
    """
    Prepare *path*; every text is a path, the empty one the name of a key.

    Raises CompileError when it is longer than MAX_PATH.
    """
    if len(path) > MAX_PATH:
        raise CompileError(f"path is longer than {MAX_PATH} characters", path, MAX_PATH)
    return Path(_as_text(path))


def get(text: Document | bytes | str, path: str) -> Result:
    """What *path* finds in *text*. Raises CompileError and LimitExceeded."""
    return compile(path).get(text)


def valid(text: bytes | str) -> bool:
    """Whether *text* is valid JSON; like Argo Events, this does not look at its encoding."""
    return is_valid(_as_text(text))


def parse(text: bytes | str) -> Result:
    """The value of *text* itself; it does not exist where *text* begins with none."""
    return _parse.parse(_as_text(text))
