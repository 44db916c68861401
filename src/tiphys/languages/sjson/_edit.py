"""Replacing, adding, and removing one value; every other character of the text stays."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.gjson._budget import MAX_DEPTH, Budget
from tiphys.languages.gjson._document import MAX_PATH
from tiphys.languages.gjson._parse import members, parse
from tiphys.languages.gjson._result import Kind, Result
from tiphys.languages.gjson._scan import elements, skip_blanks, trim
from tiphys.languages.gjson._search import search
from tiphys.languages.sjson._path import Part, read_path
from tiphys.languages.sjson._source import string_source

__all__ = ["edit"]


def edit(text: str, path: str, raw: str | None) -> str:
    """
    *text* with the source *raw* at *path*, or without the value there when *raw* is None.

    Raises EvaluationError and LimitExceeded.
    """
    if not path:
        raise EvaluationError("path cannot be empty")
    if len(path) > MAX_PATH:
        raise LimitExceeded(f"path is longer than {MAX_PATH} characters")
    try:
        return _edit(text, path, raw, Budget())
    except RecursionError:
        raise LimitExceeded("path is nested too deeply") from None


def _edit(text: str, path: str, raw: str | None, budget: Budget) -> str:
    parts = read_path(path)
    if parts is None:
        if raw is None:
            raise EvaluationError("cannot delete value from a complex path")
        return _replace_found(text, search(text, path, budget), raw)
    if len(parts) > MAX_DEPTH:
        raise LimitExceeded(f"path has more than {MAX_DEPTH} components")
    return _edit_plain(text, parts, raw, budget)


def _edit_plain(text: str, parts: Sequence[Part], raw: str | None, budget: Budget) -> str:
    before: list[str] = []
    after: list[str] = []
    inner = text
    for depth, part in enumerate(parts):
        found = _find(inner, part, budget, removing=raw is None)
        if found.index == 0:
            if raw is None:
                return text
            created = _add(inner, parts[depth:], raw, budget)
            return "".join([*before, created, *reversed(after)])
        before.append(inner[: found.index])
        after.append(inner[found.index + len(found.raw) :])
        inner = found.raw
    head, tail = "".join(before), "".join(reversed(after))
    if raw is not None:
        return head + raw + tail
    head, is_first = _without_tail(head)
    if is_first:
        following = skip_blanks(after[-1], 0)
        if after[-1][following : following + 1] == ",":
            tail = tail[following + 1 :]
    return head + tail


def _find(text: str, part: Part, budget: Budget, *, removing: bool) -> Result:
    if removing and part.appends:
        count = search(text, "#", budget).integer()
        if count > 0:
            return search(text, str(count - 1), budget)
    return search(text, part.path, budget)


def _add(text: str, parts: Sequence[Part], raw: str, budget: Budget) -> str:
    """*text* with a new member for *parts*; what is neither array nor object is replaced."""
    index = parts[0].index
    container = parse(text)
    if container.type is not Kind.JSON:
        container = parse("{}" if index is None else "[]")
    source = container.raw
    following = source[skip_blanks(source, 1) :][:1]
    comma = "," if following not in ("", "}", "]") else ""
    if container.is_object:
        end = max(source.rfind("}"), 0)
        return f"{source[:end]}{comma}{_member(parts, raw, budget)}}}"
    if parts[0].appends:
        return f"{trim(source).removesuffix(']')}{comma}{_built(parts, raw, budget)}]"
    if index is None:
        raise EvaluationError(f"cannot set array element for non-numeric key '{parts[0].key}'")
    raws = [source[begin:end] for begin, end in elements(source)]
    raws += _padding(index - len(raws), budget)
    return f"[{','.join([*raws, _built(parts, raw, budget)])}]"


def _member(parts: Sequence[Part], raw: str, budget: Budget) -> str:
    return f"{string_source(parts[0].key)}:{_built(parts, raw, budget)}"


def _built(parts: Sequence[Part], raw: str, budget: Budget) -> str:
    """The value *raw* inside the arrays and objects that all but the first of *parts* name."""
    for part in reversed(parts[1:]):
        if part.index is not None or part.appends:
            raw = f"[{','.join([*_padding(part.index or 0, budget), raw])}]"
        else:
            raw = f"{{{string_source(part.key)}:{raw}}}"
    return raw


def _padding(count: int, budget: Budget) -> list[str]:
    budget.write(5 * max(count, 0))
    return ["null"] * count


def _without_tail(head: str) -> tuple[str, bool]:
    """
    *head* without the comma and key that end it, and whether no other member was before.

    Looks backwards for the key, so in broken text it may cut off more.
    """
    position = max(head.rfind(mark) for mark in ("[", ",", ":"))
    if position < 0 or head[position] == "[":
        return head, position >= 0
    if head[position] == ",":
        return head[:position], False
    quote_position = head.rfind('"', 0, position)
    while True:
        quote_position = head.rfind('"', 0, max(quote_position, 0))
        if quote_position < 0:
            return head, False
        if head[quote_position - 1 : quote_position] != "\\":
            break
        quote_position -= 1
    position = max(head.rfind(mark, 0, quote_position) for mark in ("{", ","))
    if position < 0:
        return head, False
    return (head[: position + 1], True) if head[position] == "{" else (head[:position], False)


def _replace_found(text: str, found: Result, raw: str) -> str:
    """*text* with *raw* in all places that a search found; unchanged when it found none."""
    if not found.exists:
        return text
    original = text
    if found.index:
        text = _spliced(text, found.index, len(found.raw), raw)
    if found.indexes:
        values = [value for _, _, value in members(found)]
        if len(values) != len(found.indexes):
            return original
        places = zip(found.indexes, values, strict=True)
        for index, value in sorted(places, key=lambda place: place[0], reverse=True):
            text = _spliced(text, index, len(value.raw), raw)
    return text


def _spliced(text: str, index: int, length: int, raw: str) -> str:
    if index + length > len(text):
        raise EvaluationError("path finds no place in the document")
    return text[:index] + raw + text[index + length :]
