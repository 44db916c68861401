"""
Conditions: dependency names joined by ``&&``, ``||`` and parentheses (spec: sensors 13).

``&&`` binds tighter than ``||``; blanks and line ends are free.  A name may stand in quotes, which
is the only way to write one that holds blanks or operators.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NoReturn

from tiphys.languages import CompileError

__all__ = ["Condition", "parse"]

MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""
    \s*
    (?: (?P<operator> && | \|\| | [()] )
      | (?P<quote> ["'] ) (?P<quoted> .*? ) (?P=quote)
      | (?P<word> [^\s()&|"']+ )
      | (?P<other> \S )
    )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class _Name:
    """One dependency."""

    name: str

    def holds(self, present: Collection[str]) -> bool:
        return self.name in present


@dataclasses.dataclass(frozen=True)
class _All:
    """Joined by ``&&``."""

    parts: tuple[_Node, ...]

    def holds(self, present: Collection[str]) -> bool:
        return all(part.holds(present) for part in self.parts)


@dataclasses.dataclass(frozen=True)
class _Any:
    """Joined by ``||``."""

    parts: tuple[_Node, ...]

    def holds(self, present: Collection[str]) -> bool:
        return any(part.holds(present) for part in self.parts)


_Node = _Name | _All | _Any


@dataclasses.dataclass(frozen=True)
class Condition:
    """
    A parsed condition.

    *expression* is its text with declared names and no blanks; *names* are the dependencies that
    it uses, each once, in order; *needs_state* tells whether events must be kept until others
    come.
    """

    expression: str
    names: tuple[str, ...]
    needs_state: bool
    _root: _Node = dataclasses.field(repr=False)

    def holds(self, present: Collection[str]) -> bool:
        """Is it true when exactly the dependencies of *present* have an event?"""
        return self._root.holds(present)


def parse(text: str, names: Sequence[str]) -> Condition:
    """
    Read *text*; *names* are the declared dependencies, and an empty text means all of them.

    A name that is not declared is looked for once more with ``-`` and ``_`` taken as the same;
    of several the last one counts.  Raises :exc:`tiphys.languages.CompileError` with the position.
    """
    if text:
        return _Parser(text, names).parse()
    if not names:
        raise CompileError("there are no dependencies", text, 0)
    leaves = tuple(_Name(name) for name in names)
    return Condition(
        expression="&&".join(names),
        names=tuple(dict.fromkeys(names)),
        needs_state=len(leaves) > 1,
        _root=_All(leaves) if len(leaves) > 1 else leaves[0],
    )


@dataclasses.dataclass(frozen=True)
class _Token:
    """A piece of the text; a name is resolved, the end has no text."""

    kind: Literal["operator", "name", "end"]
    text: str
    position: int


class _Parser:
    """Recursive descent over one text."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self._text = text
        self._declared = dict.fromkeys(names)
        self._folded = {_fold(name): name for name in names}
        self._tokens = list(self._tokenize())
        self._index = 0
        self._depth = 0

    def parse(self) -> Condition:
        root = self._any()
        if self._at(")"):
            self._fail("this parenthesis was never opened", self._here.position)
        if self._here.kind != "end":
            self._fail(f"expected `&&` or `||` before `{self._here.text}`", self._here.position)
        names = (token.text for token in self._tokens if token.kind == "name")
        operators = {token.text for token in self._tokens if token.kind == "operator"}
        return Condition(
            expression="".join(token.text for token in self._tokens),
            names=tuple(dict.fromkeys(names)),
            needs_state="&&" in operators,
            _root=root,
        )

    def _tokenize(self) -> Iterator[_Token]:
        end = len(self._text.rstrip())
        position = 0
        while position < end:
            match = _TOKEN.match(self._text, position, end)
            assert match is not None  # every character but a blank starts a token
            position = match.end()
            group = match.lastgroup or ""
            start = match.start(group)
            if group == "operator":
                yield _Token("operator", match[group], start)
            elif group == "other":
                self._fail(_advice(match[group]), start)
            else:
                yield _Token("name", self._resolve(match[group], start), start)
        yield _Token("end", "", end)

    def _resolve(self, name: str, position: int) -> str:
        if name in self._declared:
            return name
        if _fold(name) not in self._folded:
            self._refuse(name, position)
        return self._folded[_fold(name)]

    def _refuse(self, name: str, position: int) -> NoReturn:
        if name in {"and", "or"}:
            self._fail(f"`{name}` is written `{'&&' if name == 'and' else '||'}`", position)
        if name == "not" or name.startswith("!"):
            self._fail("conditions have no negation", position)
        if not any(character.isalnum() for character in name):
            self._fail(f"`{name}` is unknown here; only `&&`, `||` and parentheses are", position)
        near = difflib.get_close_matches(name, self._declared, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        self._fail(f"there is no dependency `{name}`{hint}", position)

    @property
    def _here(self) -> _Token:
        return self._tokens[self._index]

    def _at(self, operator: str) -> bool:
        return self._here.kind == "operator" and self._here.text == operator

    def _accept(self, operator: str) -> bool:
        found = self._at(operator)
        self._index += found
        return found

    def _any(self) -> _Node:
        parts = [self._all()]
        while self._accept("||"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else _Any(tuple(parts))

    def _all(self) -> _Node:
        parts = [self._primary()]
        while self._accept("&&"):
            parts.append(self._primary())
        return parts[0] if len(parts) == 1 else _All(tuple(parts))

    def _primary(self) -> _Node:
        token = self._here
        if token.kind == "name":
            self._index += 1
            return _Name(token.text)
        if not self._accept("("):
            found = f"found `{token.text}`" if token.text else "the condition ends here"
            self._fail(f"expected a dependency, but {found}", token.position)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} parentheses inside each other", token.position)
        inside = self._any()
        self._depth -= 1
        if not self._accept(")"):
            here = self._here
            if here.kind == "end":
                self._fail("this parenthesis is never closed", token.position)
            self._fail(f"expected `&&`, `||` or `)` before `{here.text}`", here.position)
        return inside

    def _fail(self, message: str, position: int) -> NoReturn:
        raise CompileError(message, self._text, position)


def _fold(name: str) -> str:
    return name.replace("-", "_")


def _advice(character: str) -> str:
    if character in "&|":
        return f"`{character}` is written `{character * 2}`"
    return "this quote is never closed"
