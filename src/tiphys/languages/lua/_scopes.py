"""
Blocks of a script while it is translated: which labels a ``goto`` sees, and where it may land.

The rules are those of Lua 5.2: a label is seen in its block and in the blocks inside it, and no
jump may enter the scope of a local variable, except at the very end of a block.
"""

from __future__ import annotations

import dataclasses

from tiphys.languages.lua._code import Slot
from tiphys.languages.lua._tokens import Token

__all__ = ["Block", "Function", "Misjump"]


class Misjump(Exception):
    """A ``goto`` or label that breaks the rules; *token* is its word."""

    def __init__(self, message: str, token: Token) -> None:
        super().__init__(message)
        self.message = message
        self.token = token


@dataclasses.dataclass(slots=True)
class _Label:
    name: str
    line: int
    active: int


@dataclasses.dataclass(slots=True)
class _Jump:
    token: Token
    active: int
    slot: Slot


@dataclasses.dataclass(slots=True)
class Function:
    """A function under translation; *uses_varargs* is set when its body says ``...``."""

    varargs: bool
    is_script: bool = False
    uses_varargs: bool = False


class Block:
    """The statements between two keywords, and the local variables they declare."""

    def __init__(self, parent: Block | None, function: Function, is_loop: bool = False) -> None:
        self.function = function
        self.parent = parent
        self._outer_locals = parent._active if parent else 0
        self._locals = 0
        self._names: set[str] = set()
        self._is_loop = is_loop
        self._labels: dict[str, _Label] = {}
        self._waiting: list[_Jump] = []
        self._forward: list[tuple[_Jump, _Label]] = []
        self._trailing: list[_Label] = []

    @property
    def in_loop(self) -> bool:
        """Whether ``break`` has something to break."""
        return self._is_loop or (self.parent is not None and self.parent.in_loop)

    @property
    def _active(self) -> int:
        return self._outer_locals + self._locals

    def declare(self, *names: str, hidden: int = 0) -> None:
        """Count new local variables; *hidden* are those of a loop that have no name."""
        self._locals += len(names) + hidden
        self._names.update(names)

    def is_local(self, name: str) -> bool:
        """Whether *name* is a local variable of the function that this block belongs to."""
        return name in self._names or (self.parent is not None and self.parent.is_local(name))

    def statement(self) -> None:
        """Note that something other than a label follows the labels so far."""
        self._trailing.clear()

    def label(self, token: Token, unique: str) -> None:
        """Define a label; *unique* is its name in the translation."""
        if old := self._labels.get(token.text):
            raise Misjump(f"label '{token.text}' already defined on line {old.line}", token)
        label = self._labels[token.text] = _Label(unique, token.line, self._active)
        self._trailing.append(label)
        for jump in [jump for jump in self._waiting if jump.token.text == token.text]:
            self._waiting.remove(jump)
            jump.slot.text = unique
            self._forward.append((jump, label))

    def jump(self, token: Token) -> Slot:
        """A ``goto``; the slot will hold the label's name in the translation."""
        jump = _Jump(token, self._active, Slot())
        self._seek(jump)
        return jump.slot

    def close(self, before_until: bool = False) -> None:
        """End the block; raises Misjump for a ``goto`` that found no label."""
        if not before_until:
            for label in self._trailing:
                label.active = self._outer_locals
        for jump, label in self._forward:
            if jump.active < label.active:
                raise Misjump(
                    f"<goto {jump.token.text}> jumps into the scope of a local variable", jump.token
                )
        for jump in self._waiting:
            if self.parent is None:
                raise Misjump(f"no visible label '{jump.token.text}' for <goto>", jump.token)
            jump.active = min(jump.active, self._outer_locals)
            self.parent._seek(jump)

    def _seek(self, jump: _Jump) -> None:
        if label := self._labels.get(jump.token.text):
            jump.slot.text = label.name
        else:
            self._waiting.append(jump)
