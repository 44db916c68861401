"""Searching a JSON text for a path, on broken text exactly as in Argo Events."""

from __future__ import annotations

from tiphys.languages.gjson import _scan
from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._components import (
    ArrayComponent,
    array_component,
    object_component,
    split_pipe,
)
from tiphys.languages.gjson._modifiers import KEEPING, modified, read_modifier
from tiphys.languages.gjson._multipath import Multipath, read_multipath
from tiphys.languages.gjson._parse import members, parse, result_at
from tiphys.languages.gjson._result import MISSING, Kind, Result
from tiphys.languages.gjson._strings import unescape
from tiphys.languages.gjson._wildcard import matches

__all__ = ["search", "search_in"]

_CONSTANTS = frozenset({"true", "false", "null", "nan", "inf"})


def search(text: str, path: str, budget: Budget) -> Result:
    """
    Find *path* in *text*.

    Raises LimitExceeded.
    """
    budget.read(len(text))
    budget.enter()
    found = None
    if len(path) > 1:
        if path[0] in "@!":
            found = _search_made(text, path, budget)
        elif path[0] in "[{":
            multipath = read_multipath(path)
            if multipath.is_closed and multipath.rest[:1] in ("", ".", "|"):
                found = _search_multipath(text, path, multipath, budget)
            else:
                path = multipath.rest  # what is no multipath is passed over
    if found is None:
        found = _Search(text, budget).run(path)
    budget.leave()
    return found


def search_in(value: Result, path: str, budget: Budget) -> Result:
    """Find *path* in *value*, with positions counted where those of *value* are."""
    found = search(value.raw, path, budget)
    if found is MISSING:
        return found
    if found.indexes is not None:
        found.indexes = [index + value.index for index in found.indexes]
    else:
        found.index += value.index
    known = value.origin >= 0 and found.origin >= 0
    found.origin = value.origin + found.origin if known else -1
    return found


def _search_made(text: str, path: str, budget: Budget) -> Result | None:
    """The value that a modifier or a constant makes; None when *path* begins with neither."""
    if path[0] == "!":
        constant = _constant(path)
        return constant and _search_rest(*constant, budget, kept=False)
    use = read_modifier(path)
    if use is None:
        return None
    if use.name == "dig":
        made = _dig(text, use.argument, budget)
    else:
        made = modified(use.name, text, use.argument, budget)
    kept = made is text and use.name in KEEPING
    if not kept:
        budget.write(len(made))
    return _search_rest(made, use.rest, budget, kept=kept)


def _search_rest(text: str, rest: str, budget: Budget, *, kept: bool) -> Result:
    """Go on in *text*, which is the searched text itself if it was *kept*."""
    if rest[:1] in (".", "|"):
        found = search(text, rest[1:], budget)
        if found is not MISSING:
            found.index, found.indexes = 0, None
    else:
        found = parse(text)
    if not kept and found is not MISSING:
        found.origin = -1
    return found


def _dig(text: str, path: str, budget: Budget) -> str:
    """The list of what *path* finds in the value and in all values inside it, outermost first."""
    raws = []
    waiting = [parse(text)]
    while waiting:
        value = waiting.pop()
        found = search_in(value, path, budget)
        if found.exists:
            raws.append(found.raw)
            budget.write(len(found.raw))
        if value.type is Kind.JSON:
            waiting.extend(reversed([member for _, _, member in members(value)]))
    return f"[{','.join(raws)}]"


def _constant(path: str) -> tuple[str, str] | None:
    """The value that a path beginning with ``!`` names, and what follows it."""
    if path[1] in '{["+-0123456789':
        end = min(_scan.balanced(path, 1), len(path))
        return path[1:end], path[end:]
    end = min((place for place in map(path.find, "|.") if place >= 0), default=len(path))
    name = path[1:end]
    return (name, path[end:]) if name.lower() in _CONSTANTS else None


def _search_multipath(text: str, path: str, multipath: Multipath, budget: Budget) -> Result:
    parts = []
    for selector in multipath.selectors:
        found = search(text, selector.path, budget)
        if found.exists:
            raw = found.raw or found.string() or "null"
            parts.append(f"{selector.key}:{raw}" if path[0] == "{" else raw)
            budget.write(len(parts[-1]))
    joined = ",".join(parts)
    made = Result(Kind.JSON, f"[{joined}]" if path[0] == "[" else f"{{{joined}}}")
    if multipath.rest:
        made = search_in(made, multipath.rest[1:], budget)
        if made is not MISSING:
            made.index = 0
    return made


class _Search:
    """
    One walk through a text towards one path.

    The methods that walk return where they stopped and whether they found the path. A path that
    was not found under a key is looked for under the next equal key.
    """

    __slots__ = ("budget", "pipe", "text", "value")

    def __init__(self, text: str, budget: Budget) -> None:
        self.text = text
        self.budget = budget
        self.value = MISSING
        self.pipe: str | None = None

    def run(self, path: str) -> Result:
        """Find *path*, which begins neither with a modifier, a constant nor a multipath."""
        text = self.text
        if path.startswith(".."):
            self.array(0, path[2:])
        else:
            brackets = [place for place in map(text.find, "{[") if place >= 0]
            if brackets:
                self.container(min(brackets), path)
        value = self.value
        if self.pipe is not None:
            value = search_in(value, self.pipe, self.budget)
            if value is not MISSING:
                value.index = 0
        elif value is not MISSING:
            value.index = max(value.origin, 0)
        return value

    def container(self, position: int, path: str) -> tuple[int, bool]:
        """Search the object or array that begins at *position*."""
        self.budget.enter()
        walk = self.object if self.text[position] == "{" else self.array
        outcome = walk(position + 1, path)
        self.budget.leave()
        return outcome

    def object(self, position: int, path: str) -> tuple[int, bool]:
        """Search the members of an object from *position* on."""
        text, size = self.text, len(self.text)
        component = object_component(path)
        part, rest = component.part, component.rest
        if component.pipe is not None:
            self.pipe = component.pipe
        while (position := _scan.next_key(text, position)) < size:
            if text[position] == "}":
                return position + 1, False
            end = _scan.string_end(text, position + 1)
            if end < 0:
                break
            key = text[position + 1 : end - 1]
            if "\\" in key:
                key = unescape(key)
            matched = matches(key, part, self.budget) if component.wild else key == part
            position = _scan.next_value(text, end)
            if position >= size:
                break
            if matched and rest is not None and text[position] in "{[":
                position, found = self.container(position, rest)
                if found:
                    return position, True
                continue
            end = _scan.value_end(text, position)
            if end < 0:
                break
            if matched and rest is None:
                self.value = result_at(text, position, end)
                return end, True
            position = end
        return max(size, position), False

    def array(self, position: int, path: str) -> tuple[int, bool]:
        """Search the elements of an array from *position* on; the end of the text closes it."""
        text, size = self.text, len(self.text)
        component = array_component(path)
        if component.pipe is not None:
            self.pipe = component.pipe
        query = _Matches(self, component) if component.query is not None else None
        begins = []
        count = 0
        while position <= size:
            if component.each is not None:
                begins.append(position)
            position = _scan.next_element(text, position)
            if position == size or text[position] == "]":
                return position + 1, self.end_of_array(component, query, count, begins)
            chosen = count == component.index and not component.counts
            count += 1
            if chosen and component.rest is not None and text[position] in "{[":
                position, found = self.container(position, component.rest)
                if found:
                    return position, True
                continue
            end = _scan.value_end(text, position)
            if end < 0:
                return size, False
            if query is not None:
                if query.add(position, end):
                    return end, True
            elif chosen and component.rest is None:
                self.value = result_at(text, position, end)
                return end, True
            position = end
        return position, False

    def end_of_array(
        self, component: ArrayComponent, query: _Matches | None, count: int, begins: list[int]
    ) -> bool:
        """Set the value of ``#``, ``#.path``, and ``#(…)#``; whether it is final."""
        if component.part == "#":
            if component.each is not None:
                self.value = self.of_each(component.each, begins)
            else:
                self.value = Result(Kind.NUMBER, str(count))
            return True
        if query is not None and query.query.every and not self.value.exists:
            self.value = query.joined()
        return False

    def of_each(self, path: str, begins: list[int]) -> Result:
        """The list of what *path* finds in the elements that begin at *begins*."""
        text = self.text
        halves = split_pipe(path)
        if halves:
            path, self.pipe = halves
        parts: list[str] = []
        indexes: list[int] = []
        for begin in begins:
            position = _scan.skip_white(text, begin)
            if text[position : position + 1] in ("]", ""):
                continue
            position = _scan.next_value(text, position)
            end = _scan.value_end(text, position) if position < len(text) else -1
            if end < 0:
                continue
            element = result_at(text, position, end)
            element.index = position if element.type is Kind.JSON else 0
            found = search_in(element, path, self.budget)
            if found.exists:
                parts.append(found.raw or found.string())
                indexes.append(found.index)
                self.budget.write(len(parts[-1]))
        return Result(Kind.JSON, f"[{','.join(parts)}]", indexes=indexes)


class _Matches:
    """What a query finds in one array."""

    def __init__(self, walk: _Search, component: ArrayComponent) -> None:
        assert component.query is not None
        self.query = component.query
        self.rest = component.rest
        self.walk = walk
        self.parts: list[str] = []
        self.indexes: list[int] = []

    def add(self, begin: int, end: int) -> bool:
        """Ask the element between *begin* and *end*; whether the search is over."""
        walk = self.walk
        element = result_at(walk.text, begin, end)
        asked = element
        if element.type is Kind.JSON:
            asked = search_in(element, self.query.path, walk.budget)
        elif self.query.path:
            return False
        if not self.query.matches(asked, walk.budget):
            return False
        found = element
        if self.rest is not None:
            halves = split_pipe(self.rest)
            if halves:
                self.rest, walk.pipe = halves
            found = search_in(element, self.rest, walk.budget)
        if not self.query.every:
            walk.value = found
            return True
        raw = found.raw or found.string()
        if raw:
            self.parts.append(raw)
            self.indexes.append(found.index + begin)
            walk.budget.write(len(raw))
        return False

    def joined(self) -> Result:
        """The list of everything found."""
        return Result(Kind.JSON, f"[{','.join(self.parts)}]", indexes=self.indexes or None)
