"""What the parser makes of a template; every node knows its place in the text."""

from __future__ import annotations

import dataclasses

__all__ = [
    "Action",
    "Block",
    "Bool",
    "Break",
    "Call",
    "Chain",
    "Command",
    "Continue",
    "Dot",
    "Field",
    "Identifier",
    "If",
    "Nil",
    "Node",
    "Number",
    "Operand",
    "Pipe",
    "Range",
    "String",
    "Text",
    "Variable",
    "With",
]


@dataclasses.dataclass(slots=True)
class Node:
    """Where the text of a node starts and ends, counted in characters."""

    start: int
    end: int


@dataclasses.dataclass(slots=True)
class Dot(Node):
    """``.``"""


@dataclasses.dataclass(slots=True)
class Nil(Node):
    """``nil``"""


@dataclasses.dataclass(slots=True)
class Bool(Node):
    """``true`` or ``false``"""

    value: bool


@dataclasses.dataclass(slots=True)
class String(Node):
    """A text in double or back quotes."""

    value: str


@dataclasses.dataclass(slots=True)
class Number(Node):
    """
    A number or character constant, as every type that can hold it.

    What is None cannot. *floating* tells that it is written as a float, so that it is one where
    nothing else decides.
    """

    integer: int | None = None
    unsigned: int | None = None
    real: float | None = None
    imaginary: complex | None = None
    floating: bool = False


@dataclasses.dataclass(slots=True)
class Field(Node):
    """``.a.b``"""

    names: tuple[str, ...]


@dataclasses.dataclass(slots=True)
class Variable(Node):
    """``$x`` or ``$x.a.b``"""

    name: str
    names: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class Identifier(Node):
    """The name of a function."""

    name: str


@dataclasses.dataclass(slots=True)
class Chain(Node):
    """``(...).a.b`` or ``function.a.b``"""

    operand: Operand
    names: tuple[str, ...]


@dataclasses.dataclass(slots=True)
class Command(Node):
    """A function or value and its arguments; the first operand is what is called."""

    operands: list[Operand]


@dataclasses.dataclass(slots=True)
class Pipe(Node):
    """Commands joined by ``|``, and the variables that take the result."""

    commands: list[Command]
    variables: list[str]
    assigns: bool = False


Operand = Dot | Nil | Bool | String | Number | Field | Variable | Identifier | Chain | Pipe


@dataclasses.dataclass(slots=True)
class Text(Node):
    """What stands outside of ``{{`` and ``}}``."""

    value: str


@dataclasses.dataclass(slots=True)
class Action(Node):
    """``{{ pipeline }}``"""

    pipe: Pipe


@dataclasses.dataclass(slots=True)
class If(Node):
    """``{{ if }}`` with its two branches."""

    pipe: Pipe
    body: list[Block]
    otherwise: list[Block]


@dataclasses.dataclass(slots=True)
class With(Node):
    """``{{ with }}`` with its two branches."""

    pipe: Pipe
    body: list[Block]
    otherwise: list[Block]


@dataclasses.dataclass(slots=True)
class Range(Node):
    """``{{ range }}``, and what stands after its ``{{ else }}``."""

    pipe: Pipe
    body: list[Block]
    otherwise: list[Block]


@dataclasses.dataclass(slots=True)
class Call(Node):
    """``{{ template "name" pipeline }}``"""

    name: str
    pipe: Pipe | None


@dataclasses.dataclass(slots=True)
class Break(Node):
    """``{{ break }}``"""


@dataclasses.dataclass(slots=True)
class Continue(Node):
    """``{{ continue }}``"""


Block = Text | Action | If | With | Range | Call | Break | Continue
